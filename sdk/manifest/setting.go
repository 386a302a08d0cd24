package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	MaxLength int64 `yaml:"max_length"`
}

// Choice is one value of a choice.
type Choice struct {
	// Value is what is stored.
	Value string `yaml:"value"`
	// Label is what people read.
	Label string `yaml:"label"`
}

// maxListEntries bounds a list setting.
const maxListEntries = 100

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
	case s.Type == SettingChoice && !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == text }):
		return "must be one of " + strings.Join(s.choiceValues(), ", ")
	}
	return ""
}

func (s Setting) choiceValues() []string {
	var values []string
	for _, c := range s.Choices {
		values = append(values, c.Value)
	}
	return values
}

func (c *checker) settings(m *Manifest) {
	seen := map[string]bool{}
	for i, s := range m.Settings {
		at := index("settings", i)
		switch {
		case s.Key == "":
			c.add(at+".key", "is missing; name the setting, such as welcome_text")
		case !keyPattern.MatchString(s.Key):
			c.add(at+".key", "%q is not a key; use up to 40 lower-case letters, digits and underscores, such as welcome_text", s.Key)
		case seen[s.Key]:
			c.add(at+".key", "%s is used twice; give each setting a key of its own", s.Key)
		}
		seen[s.Key] = true
		c.known(at+".type", "type", s.Type, SettingTypes())
		c.text(at+".label", s.Label, 1, 80)
		c.text(at+".help", s.Help, 0, 300)
		c.choices(at, s)
		c.bounds(at, s)
		c.fallback(at, s)
	}
}

func (c *checker) choices(at string, s Setting) {
	if s.Type != SettingChoice {
		if len(s.Choices) > 0 {
			c.add(at+".choices", "belongs to the type choice only; remove it or change the type")
		}
		return
	}
	if len(s.Choices) < 2 {
		c.add(at+".choices", "a choice needs at least two; list them as value and label")
	}
	seen := map[string]bool{}
	for i, choice := range s.Choices {
		here := index(at+".choices", i)
		c.text(here+".value", choice.Value, 1, 80)
		c.text(here+".label", choice.Label, 1, 80)
		if choice.Value != "" && seen[choice.Value] {
			c.add(here+".value", "%q is listed twice; remove one of them", choice.Value)
		}
		seen[choice.Value] = true
	}
}

func (c *checker) bounds(at string, s Setting) {
	if s.Type != SettingNumber && (s.Min != nil || s.Max != nil) {
		c.add(at, "min and max belong to the type number only; remove them or change the type")
	}
	if s.Min != nil && s.Max != nil && *s.Min > *s.Max {
		c.add(at+".min", "%d is more than max %d; swap them", *s.Min, *s.Max)
	}
	texts := []string{SettingText, SettingSecret, SettingList}
	switch {
	case s.MaxLength != 0 && !slices.Contains(texts, s.Type):
		c.add(at+".max_length", "belongs to text, secret and list only; remove it or change the type")
	case s.MaxLength < 0 || s.MaxLength > 10000:
		c.add(at+".max_length", "%d is out of range; use 1 to 10000", s.MaxLength)
	}
}

func (c *checker) fallback(at string, s Setting) {
	if s.Default == nil {
		return
	}
	if s.Type == SettingSecret {
		c.add(at+".default", "a secret has no default; remove it")
		return
	}
	if !slices.Contains(SettingTypes(), s.Type) {
		return
	}
	if wrong := s.wrong(s.Default); wrong != "" {
		c.add(at+".default", "%s", wrong)
	}
}
