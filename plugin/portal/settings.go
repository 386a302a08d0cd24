package portal

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Keys of the settings, as in manifest.yaml.
const (
	SettingOpenSignUp     = "open_sign_up"
	SettingAnswerUnknown  = "answer_unknown"
	SettingInvitationDays = "invitation_days"
	SettingButtonText     = "button_text"
)

// Settings are what a biller decides for all its customers. The platform keeps
// them; the portal has no copy.
type Settings struct {
	// OpenSignUp lets people sign up from the portal link, without an invitation.
	OpenSignUp bool
	// AnswerUnknown has an address that belongs to no customer get a mail that says
	// so when somebody signs up with it.
	AnswerUnknown bool
	// InvitationLife is how long an invitation's link works, 1 to 90 days.
	InvitationLife time.Duration
	// Reminders of invitations that are not taken up.
	Reminders Reminders
	// ButtonText is on the button of the welcome mail; empty for the portal's own.
	ButtonText string
}

// DefaultSettings is what a biller has before it decides anything.
func DefaultSettings() Settings {
	return Settings{
		OpenSignUp:     true,
		InvitationLife: 14 * 24 * time.Hour,
		Reminders:      Reminders{Days: [MaxReminders]int{3, 7}, QuietFrom: 20, QuietTo: 8},
	}
}

// CheckButtonText refuses what must not stand on the button of a mail: an address
// to follow, or more than a line. Invalid with the field "button_text".
func CheckButtonText(label string) error {
	odd := strings.ContainsFunc(label, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) })
	if odd || strings.Contains(label, "://") || strings.Contains(strings.ToLower(label), "www.") {
		return apperr.Field(SettingButtonText, "Use a few plain words, without a web address.")
	}
	return nil
}

// settings are those of the biller whose call ctx belongs to.
func (s *Service) settings(ctx context.Context) Settings {
	if s.Settings == nil {
		return DefaultSettings()
	}
	return s.Settings(ctx)
}
