package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

const translated = small + `settings:
  - key: order
    type: choice
    label: Order
    help: Which comes first.
    choices:
      - {value: newest, label: Newest first}
      - {value: ending, label: Ending soonest first}
    translations:
      de:
        label: Reihenfolge
        choices: {newest: Neueste zuerst, ending: Bald endende zuerst}
      pt-BR:
        label: Ordem
        help: O que vem primeiro.
        choices: {newest: Mais novos, ending: Quase no fim}
`

func TestTranslations(t *testing.T) {
	t.Parallel()
	s, _ := MustParse(t, translated).Setting("order")
	for locale, want := range map[string]string{
		"de":         "de Reihenfolge|Which comes first.|Neueste zuerst",
		"de-AT":      "de Reihenfolge|Which comes first.|Neueste zuerst",
		"DE-Latn-at": "de Reihenfolge|Which comes first.|Neueste zuerst",
		"pt-BR":      "pt-BR Ordem|O que vem primeiro.|Mais novos",
		"pt":         " Order|Which comes first.|Newest first",
		"pt-PT":      " Order|Which comes first.|Newest first",
		"en-US":      " Order|Which comes first.|Newest first",
		"-":          " Order|Which comes first.|Newest first",
		"":           " Order|Which comes first.|Newest first",
	} {
		in, tag := s.In(locale)
		if got := tag + " " + in.Label + "|" + in.Help + "|" + in.Choices[0].Label; got != want {
			t.Errorf("%q: got %q, want %q", locale, got, want)
		}
	}
	if s.Choices[0].Label != "Newest first" {
		t.Error("In changes the setting")
	}
	de, _ := s.In("de")
	if got := apperr.MessageOf(de.Check("oldest")); got != "Reihenfolge must be one of Neueste zuerst, Bald endende zuerst." {
		t.Errorf("got %q", got)
	}
}

func TestTranslationMistakes(t *testing.T) {
	t.Parallel()
	_, err := manifest.Parse("m.yaml", []byte(small+`settings:
  - key: order
    type: choice
    label: Order
    choices: [{value: a.b, label: A}, {value: b, label: B}]
    translations:
      german: {label: Reihenfolge, choices: {a.b: A, b: B}}
      de:
        choices: {a.b: A, c: C}
      fr: {label: 5, choices: {a.b: A, b: ""}}
      it: [x]
  - key: text
    type: text
    label: Text
    translations:
      de: {label: Text, help: "`+strings.Repeat("x", 301)+`", choices: {a: b}}
      pt-br: {label: Texto, hint: x}
`))
	golden(t, "translations.golden", err.Error()+"\n")
}

func TestSettingValues(t *testing.T) {
	t.Parallel()
	m := MustParse(t, small+`settings:
  - {key: heading, type: text, label: Heading, required: true}
  - {key: body, type: text, label: Body, max_length: 500}
  - {key: count, type: number, label: Count, min: 1, default: 3}
  - {key: must, type: number, label: Must, required: true}
  - {key: on, type: switch, label: On}
  - {key: token, type: secret, label: Token}
  - {key: words, type: list, label: Words, default: [a]}
`)
	if diff := cmp.Diff(map[string]any{"count": int64(3), "on": false, "words": []string{"a"}}, m.Defaults()); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		key, stored string
		value       any
		wrong       string
	}{
		{"heading", `"Hi"`, "Hi", ""},
		{"heading", `""`, nil, "Heading must not be empty."},
		{"heading", `5`, nil, "Heading was of another type."},
		{"heading", `null`, nil, "Heading was of another type."},
		{"heading", `"a\nb"`, nil, "Heading must be on one line, without control characters."},
		{"body", `"a\n\tb"`, "a\n\tb", ""},
		{"body", `"a\u0007b"`, nil, "Body has characters that are no text."},
		{"count", `7`, int64(7), ""},
		{"count", ` null`, nil, ""},
		{"count", `0`, nil, "Count must be 1 or more."},
		{"count", `1.5`, nil, "Count was of another type."},
		{"count", `99999999999999999999`, nil, "Count was of another type."},
		{"must", `null`, nil, "Must must not be empty."},
		{"on", `true`, true, ""},
		{"on", `"yes"`, nil, "On was of another type."},
		{"words", `["x","y"]`, []string{"x", "y"}, ""},
		{"words", `"x"`, nil, "Words was of another type."},
		{"words", `["x\ny"]`, nil, "Words has an entry that must be on one line, without control characters."},
		{"words", `not json`, nil, "Words was of another type."},
	} {
		s, _ := m.Setting(tc.key)
		got, err := s.Decode([]byte(tc.stored))
		if diff := cmp.Diff(tc.value, got); diff != "" || apperr.MessageOf(err) != tc.wrong {
			t.Errorf("%s %s: %v %q", tc.key, tc.stored, got, apperr.MessageOf(err))
		}
	}
	for _, empty := range []any{nil, "", "  ", []string{}} {
		if !(manifest.Setting{}).Empty(empty) {
			t.Errorf("%#v is not empty", empty)
		}
	}
	for _, full := range []any{"x", false, int64(0), []string{"x"}} {
		if (manifest.Setting{}).Empty(full) {
			t.Errorf("%#v is empty", full)
		}
	}
}
