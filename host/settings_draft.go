package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

const (
	// maxSettings bounds what one biller may set for one add-on, in bytes.
	maxSettings = 256 << 10
	// maxAudited bounds a value in the audit log, in characters.
	maxAudited = 200
)

// draft is a change of settings that is being checked.
type draft struct {
	host     *Host
	manifest *manifest.Manifest
	locale   string
	staff    addon.Staff
	before   addon.Settings
	now      time.Time

	next addon.Settings
	// changes says by key what was done, for the audit log.
	changes map[string]string
	wrong   map[string]string
}

// apply returns the settings to keep, or Invalid with all keys that are to blame.
func (d *draft) apply(c addon.SettingsChange) (addon.Settings, error) {
	d.next = d.before
	d.next.BillerID, d.next.AddonID = d.staff.BillerID, d.manifest.ID
	d.next.Entries = maps.Clone(d.before.Entries)
	if d.next.Entries == nil {
		d.next.Entries = map[string]addon.Setting{}
	}
	d.changes, d.wrong = map[string]string{}, map[string]string{}
	for _, s := range d.manifest.Settings {
		s, _ := s.In(d.locale)
		var err error
		if s.Type == manifest.SettingSecret {
			err = d.secret(s, c)
		} else {
			err = d.value(s, c)
		}
		if apperr.Is(err, apperr.Invalid) {
			maps.Copy(d.wrong, apperr.FieldsOf(err))
		} else if err != nil {
			return addon.Settings{}, err
		}
	}
	if len(d.wrong) > 0 {
		return addon.Settings{}, &apperr.Error{Code: apperr.Invalid, Message: "Nothing was saved yet. Please correct the marked fields.", Fields: d.wrong}
	}
	return d.next, d.tooLarge()
}

// value keeps a value that is new. What equals the default and was never set stays
// unset, so that it follows the default of a later version.
func (d *draft) value(s manifest.Setting, c addon.SettingsChange) error {
	value, given := c.Values[s.Key]
	if !given {
		return nil
	}
	if s.Required && s.Empty(value) {
		return apperr.Field(s.Key, s.Label+" must not be empty.")
	}
	if value != nil {
		if err := s.Check(value); err != nil {
			return err
		}
	} else if s.Type != manifest.SettingNumber {
		return apperr.Field(s.Key, s.Label+" must have a value.")
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write setting: %w", err)
	}
	now, set := d.before.Entries[s.Key]
	shown := now.Value
	if !set || now.Value == nil {
		if shown, err = json.Marshal(unset(s)); err != nil {
			return fmt.Errorf("write default: %w", err)
		}
	}
	if bytes.Equal(data, shown) {
		return nil
	}
	d.put(s.Key, addon.Setting{Value: data}, clipped(shown)+" → "+clipped(data))
	return nil
}

// unset is what a form shows of a setting that nobody set.
func unset(s manifest.Setting) any {
	switch fallback := s.Fallback(); {
	case fallback != nil:
		return fallback
	case s.Type == manifest.SettingNumber:
		return nil
	case s.Type == manifest.SettingList:
		return []string{}
	}
	return ""
}

func (d *draft) secret(s manifest.Setting, c addon.SettingsChange) error {
	now := d.before.Entries[s.Key]
	secret := c.Secrets[s.Key]
	switch {
	case secret != "":
		if err := s.Check(secret); err != nil {
			return err
		}
		sealed, err := d.host.vault.seal(d.next.BillerID, d.next.AddonID, s.Key, secret)
		if err != nil {
			return err
		}
		d.put(s.Key, addon.Setting{Sealed: sealed}, "set")
	case slices.Contains(c.RemoveSecrets, s.Key) && (now.Sealed != nil || now.Value != nil):
		if s.Required {
			return apperr.Field(s.Key, s.Label+" is needed. Enter another one in its place.")
		}
		d.put(s.Key, addon.Setting{}, "removed")
	case s.Required:
		if kept, err := d.host.stored(s, d.before); err != nil || kept == nil {
			return apperr.Field(s.Key, s.Label+" must not be empty.")
		}
	}
	return nil
}

func (d *draft) put(key string, e addon.Setting, what string) {
	e.Version, e.At, e.By = d.before.Version+1, d.now, d.staff.Name
	d.next.Entries[key] = e
	d.changes[key] = what
}

func (d *draft) tooLarge() error {
	size := 0
	for _, e := range d.next.Entries {
		size += len(e.Value) + len(e.Sealed)
	}
	if size > maxSettings {
		return apperr.Errorf(apperr.Invalid, "These settings are too long together. Please shorten the longest of them.")
	}
	return nil
}

// clipped writes a value for people who read the audit log.
func clipped(data []byte) string {
	var value any
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	if json.Unmarshal(data, &value) != nil || e.Encode(value) != nil {
		return ""
	}
	text := []rune(strings.TrimSpace(plain.String()))
	if len(text) <= maxAudited {
		return string(text)
	}
	return string(text[:maxAudited]) + "…"
}
