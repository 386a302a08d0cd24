package portal

import (
	"context"
	"time"
)

// Settings are what a biller decides for all its customers.
type Settings struct {
	// InvitationLife is how long an invitation's link works, 1 to 90 days.
	InvitationLife time.Duration
	// ButtonText is on the button of the welcome mail.
	ButtonText string
}

// DefaultSettings is what a biller has before it decides anything.
func DefaultSettings() Settings {
	return Settings{InvitationLife: 14 * 24 * time.Hour, ButtonText: "Create your username and password"}
}

// SettingStore reads settings.
type SettingStore interface {
	// Settings returns the biller's settings, defaults where it has none.
	Settings(ctx context.Context, biller string) (Settings, error)
}
