// Package portal is the domain of the Customer Portal: what an invitation, a
// sign-up, a portal user, a grant and an agreement are, which steps are legal,
// and the use-cases of staff and customers. A new reader starts here.
//
// The package imports the standard library and apperr only. Rules are plain
// functions on plain values; Service joins them to a Store, which owns the
// transactions and calls the same rules inside them.
package portal

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Abilities of staff users, as in manifest.yaml.
const (
	AbilityInvite    = "staff:invite"
	AbilityConfigure = "staff:configure"
	AbilityReport    = "staff:report"
)

// Lives and limits.
const (
	// SignUpLife is how long a registration in progress can be resumed after
	// Sign Up, and after each confirmation sent.
	SignUpLife = ConfirmationLife
	// CodeLife is how long a six-digit confirmation code works.
	CodeLife = 10 * time.Minute
	// ConfirmationLife is how long a confirmation link works.
	ConfirmationLife = 24 * time.Hour
	// CodeTries is how many wrong guesses kill a code.
	CodeTries = 5
	// SessionLife ends a session in any case, SessionIdle one that is not used.
	SessionLife = 30 * 24 * time.Hour
	SessionIdle = 24 * time.Hour
)

// Caller says on whose behalf and from where a use-case runs. The pages and the
// RPC adapters build it from the host's call; nothing in it comes from a browser.
type Caller struct {
	BillerID   string
	BillerName string
	// Actor is the staff user, zero for customers and jobs.
	Actor     Actor
	Abilities []string
	// FreshUntil is when staff prove anew who they are before something grave; zero if
	// the platform does not tell: nothing is asked then.
	FreshUntil time.Time
	// IP and Agent are the person's, kept as proof of acceptance; IP is invalid in jobs.
	IP    netip.Addr
	Agent string
	// Device is the cookie that tells a browser from others; empty without pages.
	Device    string
	Locale    string
	RequestID string
	// PortalURL is where this biller's public pages begin, without a trailing slash.
	PortalURL string
}

// Actor is a staff user, for histories.
type Actor struct{ ID, Name string }

// Can tells whether the caller is a staff user with the ability.
func (c Caller) Can(ability string) bool {
	return c.Actor.ID != "" && slices.Contains(c.Abilities, ability)
}

func (c Caller) need(ability string) error {
	if c.Can(ability) {
		return nil
	}
	return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow this.")
}

// text is what both databases keep of a text from outside: valid UTF-8 without
// NUL, at most that many bytes.
func text(s string, bytes int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) > bytes {
		s = strings.ToValidUTF8(s[:bytes], "")
	}
	return s
}

// Knowable tells whether an id from outside may be asked for at all; any other
// is the id of nothing.
func Knowable(id string) bool { return id != "" && id == text(id, 200) }

// Errors that a page tells apart; compare with errors.Is.
var (
	// ErrNoCustomer (NotFound) is a customer this biller does not have.
	ErrNoCustomer = apperr.Errorf(apperr.NotFound, "There is no such customer.")
	// ErrArchived (Invalid), ErrInvitedRegistered (Conflict), ErrInvitedHasAccess
	// (Conflict), ErrNoEmail (Invalid) and ErrBadEmail (Invalid) are why a customer
	// cannot be invited.
	ErrArchived          = apperr.Errorf(apperr.Invalid, "This customer is archived. Restore it before you invite.")
	ErrInvitedRegistered = apperr.Errorf(apperr.Conflict, "This customer is registered already.")
	// ErrInvitedDisabled (Conflict) is a customer whose own sign-in staff disabled.
	ErrInvitedDisabled  = apperr.Errorf(apperr.Conflict, "The sign-in of this customer is disabled. Enable it first.")
	ErrInvitedHasAccess = apperr.Errorf(apperr.Conflict, "The customer's address can sign in already. Signing in leads to the user agreement.")
	ErrNoEmail          = apperr.Errorf(apperr.Invalid, "This customer has no email address. Add one to the profile first.")
	ErrBadEmail         = apperr.Errorf(apperr.Invalid, "The email address in the profile has a mistake. Correct it there first.")
	// ErrUnknownLink (NotFound) is the answer to garbage and to other billers' tokens alike.
	ErrUnknownLink = apperr.Errorf(apperr.NotFound, "This page does not exist.")
	// ErrLinkExpired (Conflict) asks to offer "Email me a new link".
	ErrLinkExpired = apperr.Errorf(apperr.Conflict, "This link has expired.")
	// ErrLinkDead (Conflict) is a revoked link, or one that a newer link replaced.
	ErrLinkDead = apperr.Errorf(apperr.Conflict, "This link is no longer valid.")
	// ErrRegistered (Conflict) asks to offer "Sign in".
	ErrRegistered = apperr.Errorf(apperr.Conflict, "You're already registered.")
	// ErrNotAccepted (Conflict) is a link whose address has a sign-in with access that
	// has yet to accept the agreement; it asks to offer "Sign in".
	ErrNotAccepted = apperr.Errorf(apperr.Conflict, "Only the user agreement is left. Sign in to read and accept it.")
	// ErrHasAccount (Conflict) asks to offer "Sign in", after which the profile can be added.
	ErrHasAccount = apperr.Errorf(apperr.Conflict, "You already have an account here. Sign in to add this profile.")
	// ErrOtherEmail (Invalid, field "email") is an address that is not the invited one.
	ErrOtherEmail = apperr.Field("email", "This invitation was sent to another address. Use that one.")
	// ErrNoProfile (Invalid, field "profile") is a choice of nothing, or of a profile not offered.
	ErrNoProfile = apperr.Field("profile", "Choose the profile to sign up for.")
	// ErrSignUpEnded (Unauthenticated) is an unknown, expired or replaced handle.
	ErrSignUpEnded = apperr.Errorf(apperr.Unauthenticated, "Your sign-up is not open in this browser any more. Open the link in your invitation again.")
	// ErrWrongStep (Conflict) is a step out of order; State tells the right one.
	ErrWrongStep = apperr.Errorf(apperr.Conflict, "This step is not open now.")
	// ErrCodeDead (Conflict) is a code after five wrong tries or ten minutes.
	ErrCodeDead = apperr.Errorf(apperr.Conflict, "That code no longer works. We can send a new code.")
	// ErrCodesUsedUp (Conflict) is a code after CodeGuesses on one invitation; the
	// link of the mail still confirms.
	ErrCodesUsedUp = apperr.Errorf(apperr.Conflict, "There were too many wrong codes. Follow the link in the newest email instead.")
	// ErrWrongCode (Invalid, field "code") is one wrong guess.
	ErrWrongCode = apperr.Field("code", "That code is not right. Check the newest email from us.")
	// ErrNoCode (Invalid, field "code") is a text that is not six digits.
	ErrNoCode = apperr.Field("code", "The code has six digits. Type it as it stands in the newest email from us.")
	// ErrWrongPassword (Invalid, field "password") is the wrong password of a known sign-up.
	ErrWrongPassword = apperr.Field("password", "That is not the password you chose. Try again.")
	// ErrWrongCurrent (Invalid, field "current") is not the password in use.
	ErrWrongCurrent = apperr.Field("current", "That is not your current password. Try again.")
	// ErrEndedPassword (Invalid, field "password") is the password that "This wasn't me"
	// has ended.
	ErrEndedPassword = apperr.Field("password", "This is the password that somebody may know. Choose another one.")
	// ErrSamePassword (Invalid, field "password") is the password in use already.
	ErrSamePassword = apperr.Field("password", "This is the password you have already. Choose another.")
	// ErrWrongSignIn (Unauthenticated) says nothing about which part is wrong.
	ErrWrongSignIn = apperr.Errorf(apperr.Unauthenticated, "Email or password is wrong.")
	// ErrSignedOut (Unauthenticated) is an unknown, expired or ended session.
	ErrSignedOut = apperr.Errorf(apperr.Unauthenticated, "Sign in to continue.")
	// ErrAgreementPending (PermissionDenied) closes every page but the agreement's.
	ErrAgreementPending = apperr.Errorf(apperr.PermissionDenied, "Accept the user agreement to continue.")
	// ErrAgreementChanged (Conflict) is an acceptance of a version that is not the current one.
	ErrAgreementChanged = apperr.Errorf(apperr.Conflict, "The user agreement has changed. Read the new version and accept it.")
	// ErrOfferGone (Conflict) is an offer taken already, revoked or expired.
	ErrOfferGone = apperr.Errorf(apperr.Conflict, "This offer is no longer open.")
)
