package portal

import "time"

// UserState says whether a portal user may sign in.
type UserState string

// States of portal users. A pending one is a sign-up whose address is not
// confirmed: no user is kept of it. To be locked is no state: the throttle of
// signing in says so, for a time.
const (
	UserPending  UserState = "pending"
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
)

// UserEvent is something that happens to a portal user.
type UserEvent string

// Events of portal users.
const (
	UserConfirm UserEvent = "confirm"
	UserDisable UserEvent = "disable"
	UserEnable  UserEvent = "enable"
)

// Next returns the state after the event; ok is false for an event that cannot
// happen in s: nobody becomes active without a confirmed address.
func (s UserState) Next(e UserEvent) (next UserState, ok bool) {
	type at struct {
		state UserState
		event UserEvent
	}
	switch (at{s, e}) {
	case at{UserPending, UserConfirm}, at{UserDisabled, UserEnable}:
		return UserActive, true
	case at{UserActive, UserDisable}:
		return UserDisabled, true
	}
	return s, false
}

// User is a person's sign-in at one biller, unique by normalised email.
type User struct {
	ID               string
	Email, EmailNorm string
	PasswordHash     string
	// EndedHash is of a password that "This wasn't me" ended, until the next is chosen.
	EndedHash   string
	State       UserState
	ConfirmedAt time.Time
	CreatedAt   time.Time
}
