package portal

import "time"

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
