package portal

import (
	"strings"
	"time"
	"unicode/utf8"
)

// UserState says whether a portal user may sign in. Before confirmation there is
// no user, only a sign-up.
type UserState string

// States of portal users.
const (
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
)

// User is a person's sign-in at one biller, unique by normalised email.
type User struct {
	ID               string
	Email, EmailNorm string
	PasswordHash     string
	State            UserState
	ConfirmedAt      time.Time
	CreatedAt        time.Time
}

// MaskEmail hides all of an address but its first letter and its domain:
// "j•••@acme.com".
func MaskEmail(email string) string {
	local, domain, ok := strings.Cut(strings.TrimSpace(email), "@")
	if !ok || local == "" {
		return "•••"
	}
	r, _ := utf8.DecodeRuneInString(local)
	return string(r) + "•••@" + domain
}
