package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// Settings are what a biller has set of the manifest's settings, with the
// defaults of those that nobody touched. They are checked against the manifest
// and do not change; a request or a job keeps those it began with. The zero value
// has nothing set.
type Settings struct {
	values  map[string]any
	secrets map[string]string
}

// NewSettings returns settings with the values by key, each a string (text and
// choice), int64, bool or []string, and with the secrets. Add-ons need it in
// tests only. A value of another type counts as unset.
func NewSettings(values map[string]any, secrets map[string]string) Settings {
	s := Settings{values: map[string]any{}, secrets: maps.Clone(secrets)}
	for key, value := range values {
		switch v := value.(type) {
		case string, int64, bool:
			s.values[key] = v
		case []string:
			s.values[key] = slices.Clone(v)
		}
	}
	return s
}

// Text returns the value of a text or a choice; empty if it is unset.
func (s Settings) Text(key string) string { return value[string](s, key) }

// Number returns the value of a number; 0 if it is unset, which Has tells apart.
func (s Settings) Number(key string) int64 { return value[int64](s, key) }

// Switch tells whether a switch is on.
func (s Settings) Switch(key string) bool { return value[bool](s, key) }

// List returns a copy of the entries of a list.
func (s Settings) List(key string) []string { return slices.Clone(value[[]string](s, key)) }

// Secret returns the value of a secret; empty if it is unset. It must not reach a
// log or a page.
func (s Settings) Secret(key string) string { return s.secrets[key] }

// Has tells whether the key has a value, be it an empty one; for a secret,
// whether it is set.
func (s Settings) Has(key string) bool {
	_, ok := s.values[key]
	return ok || s.secrets[key] != ""
}

// Values returns a copy of all values by key, without the secrets.
func (s Settings) Values() map[string]any { return NewSettings(s.values, nil).values }

// Secrets returns a copy of all secrets by key. Only the SDK's own packages need
// it.
func (s Settings) Secrets() map[string]string { return maps.Clone(s.secrets) }

// Format prints nothing that a log may not hold, whatever the verb.
func (Settings) Format(f fmt.State, _ rune) { hide(f, "sdk.Settings(secret)") }

// LogValue is what a log gets: nothing that is secret.
func (Settings) LogValue() slog.Value { return slog.StringValue("sdk.Settings(secret)") }

func value[T any](s Settings, key string) T {
	v, _ := s.values[key].(T)
	return v
}

type settingsKey struct{}

// WithSettings returns a context that carries the settings. The SDK sets them
// before an add-on's code runs; tests may set them themselves.
func WithSettings(ctx context.Context, s Settings) context.Context {
	return context.WithValue(ctx, settingsKey{}, s)
}

// SettingsFrom returns what the biller of the call has set: in a request, in the
// hooks of BillerHandler, and with a context of Host.Billers.As. Enable is called
// again whenever they change.
func SettingsFrom(ctx context.Context) Settings {
	s, _ := ctx.Value(settingsKey{}).(Settings)
	return s
}
