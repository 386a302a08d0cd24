package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Defaults returns the default of each setting that has one, by key, of the Go
// type that belongs to its type.
func (m *Manifest) Defaults() map[string]any {
	values := map[string]any{}
	for _, s := range m.Settings {
		if v := s.Fallback(); v != nil {
			values[s.Key] = v
		}
	}
	return values
}

// Fallback returns the value of a setting that nobody set: Default, false for a
// switch without one, nil if there is none.
func (s Setting) Fallback() any {
	if s.Default == nil && s.Type == SettingSwitch {
		return false
	}
	return s.Default
}

// Empty reports whether value is what a Required setting refuses.
func (s Setting) Empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []string:
		return len(v) == 0
	}
	return false
}

// Decode reads a stored value. JSON null is a number that was left empty, and
// nil. The error is an apperr.Invalid that blames the field Key, if the value is
// of another type or Check refuses it.
func (s Setting) Decode(data []byte) (any, error) {
	value, err := s.decode(data)
	if err != nil {
		return nil, apperr.Field(s.Key, fmt.Sprintf("%s was of another type.", s.Label))
	}
	if value == nil {
		if s.Required {
			return nil, apperr.Field(s.Key, s.Label+" must not be empty.")
		}
		return nil, nil
	}
	if err := s.Check(value); err != nil {
		return nil, err
	}
	return value, nil
}

func (s Setting) decode(data []byte) (any, error) {
	if s.Type == SettingNumber && string(bytes.TrimSpace(data)) == "null" {
		return nil, nil
	}
	switch s.Type {
	case SettingNumber:
		return decodeAs[int64](data)
	case SettingSwitch:
		return decodeAs[bool](data)
	case SettingList:
		return decodeAs[[]string](data)
	}
	return decodeAs[string](data)
}

func decodeAs[T any](data []byte) (any, error) {
	var v *T
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("decode value: %w", err)
	}
	if v == nil {
		return nil, fmt.Errorf("decode value: null")
	}
	return *v, nil
}
