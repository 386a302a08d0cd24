package admin

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// settingsPage is the form of an add-on's settings.
type settingsPage struct {
	card
	Home, Biller string
	Form         *web.Form
	Fields       []settingField
	// Missing are the labels of required settings that are unset.
	Missing []string
	// Saved says that the form was just saved, Stale that somebody else was faster.
	Saved, Stale bool

	settings     []manifest.Setting
	locale, zone string
}

// settingField is one setting as the form draws it.
type settingField struct {
	manifest.Setting
	// Name is that of the input, Lang the language of its texts; empty for the
	// page's own.
	Name, Lang string
	Typed      string
	Error      string
	// Range says which numbers are taken, and Notes what else there is to know.
	Range string
	Notes []string
	// Remove is the name of the box that removes a secret; empty if there is none
	// to remove. Removed tells whether it is checked.
	Remove  string
	Removed bool
	// SecretAt and SecretBy are when and by whom a secret was set, if it is.
	SecretAt time.Time
	SecretBy string
	Zone     string
	// Unset offers the empty choice.
	Unset bool
}

// Kind is the control: line, lines, number, choice, switch, secret or list.
func (f settingField) Kind() string {
	switch {
	case f.Type == manifest.SettingText && f.Multiline():
		return "lines"
	case f.Type == manifest.SettingText:
		return "line"
	}
	return f.Type
}

// On tells whether a switch is on.
func (f settingField) On() bool { return f.Typed == "on" }

// Signed tells whether a number may be negative, for which phones need another
// keyboard.
func (f settingField) Signed() bool { return f.Min == nil || *f.Min < 0 }

// Described is the value of aria-describedby.
func (f settingField) Described() string {
	var ids []string
	for id, there := range map[string]bool{
		"-help": f.Help != "", "-rule": f.Range != "" || f.Type == manifest.SettingList || f.Type == manifest.SettingSecret,
		"-error": f.Error != "", "-notes": len(f.Notes) > 0,
	} {
		if there {
			ids = append(ids, f.Name+id)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// problem is one line of the summary of what is wrong.
type problem struct{ Name, Text string }

// Problems are the errors at the fields, in their order.
func (p settingsPage) Problems() []problem {
	var list []problem
	for _, f := range p.Fields {
		if f.Error != "" {
			list = append(list, problem{f.Name, f.Error})
		}
	}
	return list
}

// fill makes the fields from the form and what is set. since is the version of
// the form: what was set after it is told.
func (p *settingsPage) fill(state addon.SettingsState, since int64) {
	for _, s := range p.settings {
		s, lang := s.In(p.locale)
		f := settingField{
			Setting: s, Lang: lang, Name: inputName(s.Key), Error: p.Form.Error(s.Key), Range: rangeText(s), Zone: p.zone,
			Unset: !s.Required || s.Empty(state.Values[s.Key]),
		}
		f.Typed = p.Form.Value(f.Name)
		if values := p.Form.Values(f.Name); s.Type == manifest.SettingSwitch && len(values) > 0 {
			f.Typed = values[len(values)-1]
		}
		if s.Type == manifest.SettingSecret {
			p.fillSecret(&f, state)
		}
		if why, refused := state.Refused[s.Key]; refused {
			f.Notes = append(f.Notes, "What was set before no longer fits: "+why+" "+fallbackText(s))
		}
		if e := state.Entries[s.Key]; p.Stale && e.Version > since {
			f.Notes = append(f.Notes, changedText(s, state, e))
		}
		p.Fields = append(p.Fields, f)
		if slices.Contains(state.Missing, s.Key) {
			p.Missing = append(p.Missing, s.Label)
		}
	}
}

// blamesOthers reports whether the add-on names keys that the form does not have.
func (p settingsPage) blamesOthers(err error) bool {
	for key := range apperr.FieldsOf(err) {
		if !slices.ContainsFunc(p.settings, func(s manifest.Setting) bool { return s.Key == key }) {
			return true
		}
	}
	return false
}

// fillSecret never shows a secret, not even the one just typed.
func (p *settingsPage) fillSecret(f *settingField, state addon.SettingsState) {
	if f.Typed != "" {
		f.Notes = append(f.Notes, "What you entered is not shown again and was not saved: please enter it once more.")
		f.Typed = ""
	}
	p.Form.Set(f.Name, "")
	if !state.SecretSet[f.Key] {
		return
	}
	e := state.Entries[f.Key]
	f.SecretAt, f.SecretBy = e.At, e.By
	if !f.Required {
		f.Remove, f.Removed = removeName(f.Key), p.Form.Has(removeName(f.Key), "yes")
	}
}

func rangeText(s manifest.Setting) string {
	switch {
	case s.Min != nil && s.Max != nil:
		return strconv.FormatInt(*s.Min, 10) + " to " + strconv.FormatInt(*s.Max, 10)
	case s.Min != nil:
		return strconv.FormatInt(*s.Min, 10) + " or more"
	case s.Max != nil:
		return strconv.FormatInt(*s.Max, 10) + " or less"
	}
	return ""
}

func fallbackText(s manifest.Setting) string {
	if s.Fallback() == nil {
		return "It counts as unset until you save."
	}
	return "The default is used until you save."
}

// changedText tells what somebody else has set meanwhile.
func changedText(s manifest.Setting, state addon.SettingsState, e addon.Setting) string {
	by := "Changed meanwhile"
	if e.By != "" {
		by += " by " + e.By
	}
	if s.Type == manifest.SettingSecret {
		if state.SecretSet[s.Key] {
			return by + ": another one was set."
		}
		return by + ": it was removed."
	}
	value := asText(state.Values[s.Key])
	if s.Type == manifest.SettingList {
		value = strings.Join(strings.Split(value, "\n"), ", ")
	}
	for _, c := range s.Choices {
		if c.Value == value {
			value = c.Label
		}
	}
	if value == "" {
		return by + ": now empty."
	}
	return by + ": now “" + value + "”."
}

// change reads the form. What is no number stays text, which the host refuses; a
// version that is none is stale.
func (p settingsPage) change() addon.SettingsChange {
	c := addon.SettingsChange{Version: -1, Values: map[string]any{}, Secrets: map[string]string{}}
	if v, err := strconv.ParseInt(p.Form.Value("version"), 10, 64); err == nil {
		c.Version = v
	}
	for _, s := range p.settings {
		name := inputName(s.Key)
		sent := p.Form.Values(name)
		if s.Type == manifest.SettingSecret {
			if secret := strings.Trim(lines(p.Form.Value(name)), "\n"); strings.TrimSpace(secret) != "" {
				c.Secrets[s.Key] = secret
			} else if p.Form.Has(removeName(s.Key), "yes") {
				c.RemoveSecrets = append(c.RemoveSecrets, s.Key)
			}
			continue
		}
		if len(sent) > 0 {
			c.Values[s.Key] = read(s, sent)
		}
	}
	return c
}

// read turns what was sent into a value.
func read(s manifest.Setting, sent []string) any {
	text := strings.TrimSpace(lines(sent[0]))
	switch s.Type {
	case manifest.SettingSwitch:
		return sent[len(sent)-1] == "on"
	case manifest.SettingNumber:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		if text == "" {
			return nil
		}
	case manifest.SettingList:
		list := []string{}
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
		return list
	}
	return text
}

// lines turns a browser's line ends into plain ones.
func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// settingsSamples draw every branch of the template at start.
func settingsSamples(c card) []settingsPage {
	p := settingsPage{card: c, Form: &web.Form{}, Saved: true, Missing: []string{"x"}}
	for _, kind := range manifest.SettingTypes() {
		p.Fields = append(p.Fields, settingField{
			Setting: manifest.Setting{Key: "x", Type: kind, Help: "x", Required: true, Choices: []manifest.Choice{{Value: "x"}}},
			Lang:    "de", Name: "x", Error: "x", Range: "x", Notes: []string{"x"}, Remove: "x", SecretAt: time.Unix(1, 0), SecretBy: "x", Unset: true,
		})
	}
	p.Fields = append(p.Fields, settingField{Setting: manifest.Setting{Type: manifest.SettingText, MaxLength: 500}},
		settingField{Setting: manifest.Setting{Type: manifest.SettingSecret, MaxLength: 500}})
	stale := p
	stale.Stale = true
	failed := settingsPage{card: c, Form: &web.Form{Message: "x"}}
	return []settingsPage{p, stale, failed}
}
