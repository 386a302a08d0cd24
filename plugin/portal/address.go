package portal

import (
	"context"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Lives and limits of changing the address one signs in with.
const (
	// AddressChangeLife is how long a pending change waits for its code.
	AddressChangeLife = time.Hour
)

// AddressChanges is how many codes one person may have mailed to new addresses.
func AddressChanges() Attempts { return Attempts{Limit: 5, Window: time.Hour} }

// Errors of changing the address.
var (
	// ErrSameAddress (Invalid, field "email") is the address in use already.
	ErrSameAddress = apperr.Field("email", "This is the address you sign in with already.")
	// ErrAddressTaken (Conflict) is a proven address that somebody else signs in with.
	ErrAddressTaken = apperr.Errorf(apperr.Conflict, "Another sign-in uses this address. Sign in with it, or choose another address.")
	// ErrNoAddressChange (Conflict) is a code for a change that is not open.
	ErrNoAddressChange = apperr.Errorf(apperr.Conflict, "No change of your address is open. Start it again.")
)

// AddressChange is a new address that waits for its code. The old one works until
// then.
type AddressChange struct {
	ID, UserID           string
	Email, EmailNorm     string
	CodeHash             string
	CodeTries            int
	CreatedAt, ExpiresAt time.Time
}

// Live tells whether the code still works at the time.
func (a AddressChange) Live(now time.Time) bool {
	return a.CodeTries < CodeTries && now.Before(a.ExpiresAt)
}

// AddressStore changes the address a person signs in with.
type AddressStore interface {
	// StartAddressChange keeps the change in place of an earlier one, with the mail
	// of its code. TooManyRequests after AddressChanges.
	StartAddressChange(ctx context.Context, biller string, ch AddressChange, a Activity) error
	// AddressChange returns the open one of a user; ErrNoAddressChange if none is.
	AddressChange(ctx context.Context, biller, userID string, now time.Time) (AddressChange, error)
	// ConfirmAddress counts the guess before it compares. A right one changes the
	// address, ends every session and reset of the person and starts the new
	// session; of parallel calls one wins. ErrWrongCode, ErrCodeDead,
	// ErrNoAddressChange, ErrAddressTaken.
	ConfirmAddress(ctx context.Context, biller, userID, codeHash string, session Session, a Activity) (AddressChange, error)
}

// ChangeAddress begins to change the address of who is signed in: a code goes to
// the new one. Whether the address belongs to somebody else is not told before it
// is proven. ErrWrongCurrent for a wrong password; Invalid with the field "email".
func (s *Service) ChangeAddress(ctx context.Context, c Caller, sessionToken, password, email string) error {
	norm, err := s.NormalizeEmail(email)
	if err != nil {
		return apperr.Field("email", apperr.MessageOf(err))
	}
	u, err := s.reauthenticate(ctx, c, sessionToken, password)
	if err != nil {
		return err
	}
	if norm == u.EmailNorm {
		return ErrSameAddress
	}
	a := s.activity(c, ActionAddressAsked, u.ID)
	a.Object = a.ID
	err = s.Store.StartAddressChange(ctx, c.BillerID, AddressChange{
		ID: a.ID, UserID: u.ID, Email: strings.TrimSpace(email), EmailNorm: norm,
		CodeHash:  s.Keys.CodeHash(c.BillerID, a.ID, s.Keys.Code(c.BillerID, a.ID, 0)),
		CreatedAt: a.At, ExpiresAt: a.At.Add(AddressChangeLife),
	}, a)
	if err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}

// PendingAddress returns the new address that waits for its code.
// ErrNoAddressChange if none does.
func (s *Service) PendingAddress(ctx context.Context, c Caller, view SessionView) (AddressChange, error) {
	return s.Store.AddressChange(ctx, c.BillerID, view.UserID, s.Now())
}

// ConfirmAddress proves the new address with the code, and signs this browser in
// anew. It fails like the store's, and with ErrNoCode for what is no code.
func (s *Service) ConfirmAddress(ctx context.Context, c Caller, sessionToken, code string) (SignedIn, error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return SignedIn{}, err
	}
	code, ok := digits(code)
	if !ok {
		return SignedIn{}, ErrNoCode
	}
	if err := s.Throttle(ctx, c, GuardCode); err != nil {
		return SignedIn{}, err
	}
	pending, err := s.Store.AddressChange(ctx, c.BillerID, view.UserID, s.Now())
	if err != nil {
		return SignedIn{}, err
	}
	token, session := s.newSession(c, view.UserID)
	session.Typed = view.Typed
	a := s.activity(c, ActionAddressChanged, view.UserID)
	a.NoticeTo = view.Email
	a.Object = pending.ID
	a.Detail = map[string]string{"from": view.Email, "to": pending.Email}
	if _, err := s.Store.ConfirmAddress(ctx, c.BillerID, view.UserID, s.Keys.CodeHash(c.BillerID, pending.ID, code), session, a); err != nil {
		return SignedIn{}, err
	}
	s.did(ctx, c, a)
	return SignedIn{UserID: view.UserID, Session: token, ExpiresAt: session.ExpiresAt}, nil
}

// addressMail makes the mail with the code; ErrStaleMail once it is of no use, or
// where the address belongs to another sign-in, whose owner it would confuse.
func (s *Service) addressMail(c Caller, m Mail, src MailSource, now time.Time) (Mail, error) {
	if src.Address.ID != m.Ref.ID || !src.Address.Live(now) || src.Account.User != nil {
		return Mail{}, ErrStaleMail
	}
	m.To = src.Address.Email
	m.Code = s.Keys.Code(c.BillerID, src.Address.ID, 0)
	m.Link = c.PortalURL + "/security/email"
	m.ExpiresAt = src.Address.ExpiresAt
	m.NotMe = s.disownURL(c, src.Address.ID)
	return m, nil
}
