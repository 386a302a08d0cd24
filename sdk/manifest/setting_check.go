package manifest

import "slices"

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
		c.translations(at, s)
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
