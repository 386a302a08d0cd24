package manifest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// The types of a Setting, and the Go type of its value.
const (
	SettingText   = "text"   // string
	SettingNumber = "number" // int64
	SettingChoice = "choice" // string, one of Choices
	SettingSwitch = "switch" // bool
	SettingSecret = "secret" // string, never shown again
	SettingList   = "list"   // []string
)

// SettingTypes returns the types a setting may have.
func SettingTypes() []string {
	return []string{SettingText, SettingNumber, SettingChoice, SettingSwitch, SettingSecret, SettingList}
}

// Setting describes one thing a biller can set.
type Setting struct {
	// Key names the value for the add-on: lower-case letters, digits and
	// underscores, up to 40 characters.
	Key string `yaml:"key"`
	// Type is one of SettingTypes.
	Type string `yaml:"type"`
	// Label is what people read next to the field.
	Label string `yaml:"label"`
	// Help is a sentence below the field; may be empty.
	Help string `yaml:"help"`
	// Default is the value before anybody set one; nil means empty. A secret has none.
	Default any `yaml:"default"`
	// Required means an empty value is refused.
	Required bool `yaml:"required"`
	// Choices lists the values of a choice.
	Choices []Choice `yaml:"choices"`
	// Min and Max bound a number; nil means unbounded.
	Min *int64 `yaml:"min"`
	Max *int64 `yaml:"max"`
	// MaxLength bounds a text, a secret and each entry of a list, in characters;
	// 0 means 1,000.
	// Above 200, a text and a secret may have several lines.
	MaxLength int64 `yaml:"max_length"`
	// Translations holds what people read in other languages, by language tag
	// such as "de" or "pt-BR". Label, Help and Choices are for everybody else.
	Translations map[string]Translation `yaml:"translations"`
}

// Choice is one value of a choice.
type Choice struct {
	// Value is what is stored.
	Value string `yaml:"value"`
	// Label is what people read.
	Label string `yaml:"label"`
}

const (
	// maxListEntries bounds a list setting.
	maxListEntries = 100
	// oneLine is the longest text that is typed into a field of one line.
	oneLine = 200
)

var keyPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Setting returns the setting with the key.
func (m *Manifest) Setting(key string) (Setting, bool) {
	i := slices.IndexFunc(m.Settings, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return m.Settings[i], true
}

// Check returns an apperr.Invalid that blames the field Key if value, of the Go
// type that belongs to Type, may not be stored.
func (s Setting) Check(value any) error {
	if wrong := s.wrong(value); wrong != "" {
		return apperr.Field(s.Key, s.Label+" "+wrong+".")
	}
	return nil
}

// wrong says what is wrong with value, or "".
func (s Setting) wrong(value any) string {
	switch s.Type {
	case SettingSwitch:
		if _, ok := value.(bool); !ok {
			return "must be true or false"
		}
	case SettingNumber:
		return s.wrongNumber(value)
	case SettingList:
		return s.wrongList(value)
	default:
		text, ok := value.(string)
		if !ok {
			return "must be text"
		}
		return s.wrongText(text)
	}
	return ""
}

func (s Setting) wrongNumber(value any) string {
	n, ok := value.(int64)
	switch {
	case !ok:
		return "must be a whole number"
	case s.Min != nil && n < *s.Min:
		return fmt.Sprintf("must be %d or more", *s.Min)
	case s.Max != nil && n > *s.Max:
		return fmt.Sprintf("must be %d or less", *s.Max)
	}
	return ""
}

func (s Setting) wrongList(value any) string {
	list, ok := value.([]string)
	switch {
	case !ok:
		return "must be a list of texts"
	case s.Required && len(list) == 0:
		return "must have an entry"
	case len(list) > maxListEntries:
		return fmt.Sprintf("may have at most %d entries", maxListEntries)
	}
	entry := Setting{Type: SettingText, Required: true, MaxLength: s.MaxLength}
	for _, text := range list {
		if wrong := entry.wrongText(text); wrong != "" {
			return "has an entry that " + wrong
		}
	}
	return ""
}

func (s Setting) wrongText(text string) string {
	limit := s.MaxLength
	if limit == 0 {
		limit = 1000
	}
	switch {
	case text == "" && s.Required:
		return "must not be empty"
	case text == "":
		return ""
	case int64(length(text)) > limit:
		return fmt.Sprintf("may have at most %d characters", limit)
	case strings.ContainsFunc(text, s.refusesRune):
		return s.runeRule()
	case s.Type == SettingChoice && !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == text }):
		return "must be one of " + strings.Join(s.choiceLabels(), ", ")
	}
	return ""
}

func (s Setting) choiceLabels() []string {
	var labels []string
	for _, c := range s.Choices {
		labels = append(labels, cmp.Or(c.Label, c.Value))
	}
	return labels
}

// Multiline reports whether the value may have several lines: a text or secret
// with a MaxLength above 200.
func (s Setting) Multiline() bool {
	return (s.Type == SettingText || s.Type == SettingSecret) && s.MaxLength > oneLine
}

func (s Setting) refusesRune(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && !(s.Multiline() && (r == '\n' || r == '\t'))
}

func (s Setting) runeRule() string {
	if s.Multiline() {
		return "has characters that are no text"
	}
	return "must be on one line, without control characters"
}
