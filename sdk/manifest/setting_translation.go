package manifest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxTranslations bounds the languages of one setting.
const maxTranslations = 50

// languageTag is the part of BCP 47 that people use: language, script, region.
var languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$`)

// Translation is what people read of a setting in one language.
type Translation struct {
	// Label takes the place of Setting.Label, up to 80 characters.
	Label string `yaml:"label"`
	// Help takes the place of Setting.Help; empty leaves that in place.
	Help string `yaml:"help"`
	// Choices holds the label of each choice, by its value.
	Choices map[string]string `yaml:"choices"`
}

// In returns the setting with Label, Help and the labels of Choices in the
// language that is nearest to the locale, a language tag, and that language's
// tag: "de" for "de-AT" if there is no "de-AT". The tag is empty, and the setting
// as it is, if there is no translation.
func (s Setting) In(locale string) (Setting, string) {
	tag, t, ok := s.translation(locale)
	if !ok {
		return s, ""
	}
	s.Label = t.Label
	if t.Help != "" {
		s.Help = t.Help
	}
	s.Choices = slices.Clone(s.Choices)
	for i, c := range s.Choices {
		if label := t.Choices[c.Value]; label != "" {
			s.Choices[i].Label = label
		}
	}
	return s, tag
}

// translation cuts the locale from the end until a language fits.
func (s Setting) translation(locale string) (string, Translation, bool) {
	for locale != "" {
		for _, tag := range slices.Sorted(maps.Keys(s.Translations)) {
			if strings.EqualFold(tag, locale) {
				return tag, s.Translations[tag], true
			}
		}
		locale = locale[:max(strings.LastIndexByte(locale, '-'), 0)]
	}
	return "", Translation{}, false
}

func (c *checker) translations(at string, s Setting) {
	if n := len(s.Translations); n > maxTranslations {
		c.add(at+".translations", "has %d languages; use at most %d", n, maxTranslations)
	}
	for _, tag := range slices.Sorted(maps.Keys(s.Translations)) {
		t, here := s.Translations[tag], entry(at+".translations", tag)
		if !languageTag.MatchString(tag) {
			c.add(here, "%q is not a language; write its tag, such as de or pt-BR", tag)
		}
		c.text(here+".label", t.Label, 1, 80)
		c.text(here+".help", t.Help, 0, 300)
		c.translatedChoices(here+".choices", s, t)
	}
}

func (c *checker) translatedChoices(at string, s Setting, t Translation) {
	values := s.choiceValues()
	for _, value := range slices.Sorted(maps.Keys(t.Choices)) {
		here := entry(at, value)
		if s.Type != SettingChoice {
			c.add(at, "belongs to the type choice only; remove it or change the type")
			return
		}
		if !slices.Contains(values, value) {
			c.add(here, "%s", unknown("choice", value, values))
		}
		c.text(here, t.Choices[value], 1, 80)
	}
	for _, value := range values {
		if _, ok := t.Choices[value]; !ok && value != "" {
			c.add(at, "is missing %s; translate every choice", value)
		}
	}
}

func (s Setting) choiceValues() []string {
	var values []string
	for _, c := range s.Choices {
		values = append(values, c.Value)
	}
	return values
}
