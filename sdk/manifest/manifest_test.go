package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

const withParts = `id: hello
name: Hello
version: 1.0.0-rc.1
summary: Says hello.
icon: img/wave.svg
publisher: Acme
host: ">=1.0.0 <2.0.0"
capabilities: [pages]
abilities:
  - {name: staff:configure, title: Set up hello}
  - {name: staff:report, title: See hello}
pages:
  staff:
    - {path: /, title: Hello, ability: staff:report}
    - {path: /setup, title: Set up, ability: staff:configure}
slots:
  - {name: nav.addons, title: Hello, path: /setup}
settings:
  - {key: greeting, type: text, label: Greeting, default: Hi, required: true, max_length: 5}
  - {key: days, type: number, label: Days, default: 3, min: 1, max: 30}
  - {key: tone, type: choice, label: Tone, default: warm, choices: [{value: warm, label: Warm}, {value: dry, label: Dry}]}
  - {key: loud, type: switch, label: Loud, default: false}
  - {key: token, type: secret, label: Token}
  - {key: names, type: list, label: Names, default: [Ann, Bob]}
platforms: [linux/amd64, linux/arm64]
redirect_origins: ["https://pay.example.com"]
`

func TestManifestQuestions(t *testing.T) {
	t.Parallel()
	m := MustParse(t, withParts)
	if got := m.Slots[0].Ability; got != "staff:configure" {
		t.Errorf("the link under Add-ons needs %q, want that of its page", got)
	}
	if m.IconFile() != "img/wave.svg" || MustParse(t, small).IconFile() != "" {
		t.Error("IconFile confuses files and names")
	}
	for version, want := range map[string]bool{"1.0.0": true, "1.9.3": true, "2.0.0": false, "0.9.0": false, "one": false} {
		if m.AcceptsHost(version) != want {
			t.Errorf("AcceptsHost(%s) is %v", version, !want)
		}
	}
	if !m.SupportsPlatform("linux/arm64") || m.SupportsPlatform("linux/386") {
		t.Error("SupportsPlatform is wrong")
	}
	for path, want := range map[string]string{"/": "/", "/other": "/", "/setup": "/setup", "/setup/mail": "/setup", "/setups": "/"} {
		if page, ok := m.StaffPageFor(path); !ok || page.Path != want {
			t.Errorf("StaffPageFor(%s) is %q, %v; want %q", path, page.Path, ok, want)
		}
	}
	if _, ok := MustParse(t, small).StaffPageFor("/"); ok {
		t.Error("an add-on without staff pages has one")
	}
	if len(m.SlotsNamed("nav.addons")) != 1 || len(m.SlotsNamed("customer.tab")) != 0 {
		t.Error("SlotsNamed is wrong")
	}
}

func TestSettingCheck(t *testing.T) {
	t.Parallel()
	m := MustParse(t, withParts)
	for _, tc := range []struct {
		key   string
		value any
		want  string
	}{
		{"greeting", "Hello", ""},
		{"greeting", "", "Greeting must not be empty."},
		{"greeting", "Hello!", "Greeting may have at most 5 characters."},
		{"greeting", 5, "Greeting must be text."},
		{"days", int64(30), ""},
		{"days", int64(31), "Days must be 30 or less."},
		{"days", int64(0), "Days must be 1 or more."},
		{"days", "3", "Days must be a whole number."},
		{"tone", "dry", ""},
		{"tone", "wet", "Tone must be one of Warm, Dry."},
		{"loud", true, ""},
		{"loud", "on", "Loud must be true or false."},
		{"token", "", ""},
		{"names", []string{"Ann"}, ""},
		{"names", []string{"Ann", ""}, "Names has an entry that must not be empty."},
		{"names", "Ann", "Names must be a list of texts."},
	} {
		s, ok := m.Setting(tc.key)
		if !ok {
			t.Fatalf("no setting %s", tc.key)
		}
		err := s.Check(tc.value)
		if got := apperr.MessageOf(err); got != tc.want {
			t.Errorf("%s = %v: got %q, want %q", tc.key, tc.value, got, tc.want)
		}
		if err != nil && apperr.FieldsOf(err)[tc.key] == "" {
			t.Errorf("%s = %v: no field is blamed", tc.key, tc.value)
		}
	}
}

func TestSettingDefaults(t *testing.T) {
	t.Parallel()
	got := map[string]any{}
	for _, s := range MustParse(t, withParts).Settings {
		got[s.Key] = s.Default
	}
	want := map[string]any{"greeting": "Hi", "days": int64(3), "tone": "warm", "loud": false, "token": nil, "names": []string{"Ann", "Bob"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryPermissionHasATitle(t *testing.T) {
	t.Parallel()
	for _, name := range manifest.PermissionNames() {
		if title := manifest.PermissionTitle(name); title == name || title == "" {
			t.Errorf("%s has no title", name)
		}
	}
	if got := manifest.PermissionTitle("customers:read"); got != "Read customers" {
		t.Errorf("got %q", got)
	}
	if got := manifest.PermissionTitle("unheard:of"); got != "unheard:of" {
		t.Errorf("got %q", got)
	}
}

func TestValidateWithoutText(t *testing.T) {
	t.Parallel()
	m := MustParse(t, small)
	m.ID = ""
	err := m.Validate()
	if err == nil || !strings.Contains(err.Error(), "manifest.yaml: id: is missing") {
		t.Errorf("got %v", err)
	}
	if (&manifest.Manifest{}).Validate() == nil {
		t.Error("an empty manifest is valid")
	}
}
