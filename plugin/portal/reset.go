package portal

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// ResetLife is how long the link of a forgotten password works.
const ResetLife = 20 * time.Minute

// ResetRequests is how many links one address may ask for.
func ResetRequests() Attempts { return Attempts{Limit: 3, Window: time.Hour} }

// ErrResetGone (Conflict) is a reset link that was used, replaced or has expired.
var ErrResetGone = apperr.Errorf(apperr.Conflict, "This link is no longer valid. Ask for a new one.")

// ErrResetsSent (TooManyRequests) tells staff that no more links go out this hour.
var ErrResetsSent = apperr.Errorf(apperr.TooManyRequests, "Three links to a new password were mailed to this person in the last hour. Wait, then try again.")

// Reset is one asking for a new password, by anybody, for an address that may be
// nobody's. Its ID is that of the activity "password.reset_asked".
type Reset struct {
	ID, EmailNorm        string
	CreatedAt, ExpiresAt time.Time
	// Ended means that nobody asked: "This wasn't me" has ended the password. Its
	// activity is "password.ended" then, which cannot be disowned.
	Ended bool
	// UsedAt is when the link was used, replaced or disowned; zero while it works.
	UsedAt time.Time
}

// Live tells whether the link works at the time.
func (r Reset) Live(now time.Time) bool { return r.UsedAt.IsZero() && now.Before(r.ExpiresAt) }

// NewPassword is what the store needs to use a reset.
type NewPassword struct {
	TokenHash, PasswordHash string
	// HandleHash and UserID are for a sign-up that the reset confirms.
	HandleHash, UserID string
	Activity           Activity
}

// ResetStore keeps askings for new passwords.
type ResetStore interface {
	// AskReset keeps the asking, its link and its mail job: the same statements
	// whether the address is somebody's or nobody's. Once the address has used up
	// ResetRequests it keeps nothing and tells until when; else usedUp is zero.
	AskReset(ctx context.Context, biller string, r Reset, a Activity) (usedUp time.Time, err error)
	// Reset returns the asking behind a link and whose it is; ErrUnknownLink for
	// a hash that no asking of this biller has.
	Reset(ctx context.Context, biller, tokenHash string, now time.Time) (Reset, Account, error)
	// UseReset sets the password and ends the link, the other links of the address
	// and every session of the person, a sign-up that waits for the agreement and a
	// pending change of the address; of parallel calls one wins, the others get
	// ErrResetGone. Where the address has a sign-up in progress and no user, the
	// link proves the mailbox: the sign-up is confirmed, and confirmed is true.
	UseReset(ctx context.Context, biller string, in NewPassword, now time.Time) (confirmed bool, err error)
	// User returns NotFound for an unknown id.
	User(ctx context.Context, biller, userID string) (User, error)
	// ChangePassword replaces the hash, if it is still oldHash, ends every session
	// and pending change of the address of the person and starts the new session.
	// Conflict if it is another.
	ChangePassword(ctx context.Context, biller, oldHash, newHash string, session Session, a Activity) error
}

// ForgotPassword mails a link to choose a new password, if the address has a
// sign-in or a sign-up in progress. The answer, and the work, is the same for an
// address that is nobody's. TooManyRequests for who asks for many addresses.
func (s *Service) ForgotPassword(ctx context.Context, c Caller, email string) error {
	norm, err := s.NormalizeEmail(email)
	if err != nil {
		return apperr.Field("email", apperr.MessageOf(err))
	}
	if err := s.Throttle(ctx, c, GuardForgot); err != nil {
		return err
	}
	a := s.activity(c, ActionResetAsked, "")
	a.Object = a.ID
	r := Reset{ID: a.ID, EmailNorm: norm, CreatedAt: a.At, ExpiresAt: a.At.Add(ResetLife)}
	_, err = s.Store.AskReset(ctx, c.BillerID, r, a) // how many asked is not told
	return err
}

// SendReset mails a portal user a link to choose a new password. Staff with
// staff:invite. NotFound for an unknown user; ErrResetsSent after ResetRequests,
// those of the person included.
func (s *Service) SendReset(ctx context.Context, c Caller, userID string) error {
	if err := c.need(AbilityInvite); err != nil {
		return err
	}
	u, err := s.Store.User(ctx, c.BillerID, userID)
	if err != nil {
		return err
	}
	a := s.activity(c, ActionResetAsked, u.ID)
	a.Object = a.ID
	r := Reset{ID: a.ID, EmailNorm: u.EmailNorm, CreatedAt: a.At, ExpiresAt: a.At.Add(ResetLife)}
	usedUp, err := s.Store.AskReset(ctx, c.BillerID, r, a)
	if err != nil {
		return err
	}
	if !usedUp.IsZero() {
		return ErrResetsSent
	}
	s.did(ctx, c, a)
	return nil
}

// OpenReset tells whose password a link resets, masked. It consumes nothing.
// ErrResetGone, ErrUnknownLink for garbage.
func (s *Service) OpenReset(ctx context.Context, c Caller, token string) (maskedEmail string, err error) {
	_, account, err := s.reset(ctx, c, token)
	if err != nil {
		return "", err
	}
	return s.MaskEmail(account.email()), nil
}

func (s *Service) reset(ctx context.Context, c Caller, token string) (Reset, Account, error) {
	now := s.Now()
	r, account, err := s.Store.Reset(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return Reset{}, Account{}, err
	}
	if !r.Live(now) || !account.resettable() {
		return Reset{}, Account{}, ErrResetGone
	}
	return r, account, nil
}

// resettable tells whether there is somebody whose password can be set anew.
func (a Account) resettable() bool {
	if a.User != nil {
		return a.User.State == UserActive
	}
	return len(a.SignUps) > 0
}

// email is the address as its owner wrote it.
func (a Account) email() string {
	if a.User != nil {
		return a.User.Email
	}
	return a.SignUps[0].Email
}

// ResetPassword chooses the new password. It ends every session, and signs nobody
// in: the person signs in with the new password. A sign-up in progress goes on
// instead, confirmed; then the answer holds its new handle. Invalid with the field
// "password", also for the password that "This wasn't me" has ended; ErrResetGone; ErrUnknownLink; ErrHasAccount.
func (s *Service) ResetPassword(ctx context.Context, c Caller, token, password string) (SignUpState, error) {
	r, account, err := s.reset(ctx, c, token)
	if err != nil {
		return SignUpState{}, err
	}
	if err := s.checkPasswordOf(ctx, c, r.EmailNorm, password); err != nil {
		return SignUpState{}, err
	}
	if err := s.notEnded(ctx, c, account, password); err != nil {
		return SignUpState{}, err
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return SignUpState{}, err
	}
	handle := NewSecret()
	in := NewPassword{
		TokenHash: s.Keys.Hash(c.BillerID, token), PasswordHash: hash,
		HandleHash: s.Keys.Hash(c.BillerID, handle), UserID: s.IDs(),
		Activity: s.activity(c, ActionPasswordReset, ""),
	}
	confirmed, err := s.Store.UseReset(ctx, c.BillerID, in, s.Now())
	if err != nil || !confirmed {
		return SignUpState{}, err
	}
	state, err := s.SignUp(ctx, c, handle)
	state.Handle = handle
	return state, err
}

// notEnded refuses the password that somebody else may know. Only the owner of the
// mailbox gets here, so that it may take longer for some; guesses wait all the same.
func (s *Service) notEnded(ctx context.Context, c Caller, account Account, password string) error {
	if account.User == nil || account.User.EndedHash == "" {
		return nil
	}
	try := s.try(c, GuardReauth, account.User.ID)
	if _, err := s.throttle(ctx, c, try); err != nil {
		return err
	}
	same, err := s.Passwords.Verify(ctx, account.User.EndedHash, password)
	if err != nil {
		return err
	}
	if same {
		return ErrEndedPassword
	}
	return s.right(ctx, c, try)
}

// ChangePassword replaces the password of who is signed in, ends all of their
// sessions and starts a new one in this browser. ErrWrongCurrent for a wrong current
// password; Invalid with the field "password", ErrSamePassword too; TooManyRequests
// while tries have to wait; Conflict if it was changed meanwhile; ErrSignedOut.
func (s *Service) ChangePassword(ctx context.Context, c Caller, sessionToken, current, next string) (SignedIn, error) {
	u, err := s.reauthenticate(ctx, c, sessionToken, current)
	if err != nil {
		return SignedIn{}, err
	}
	if next == current {
		return SignedIn{}, ErrSamePassword
	}
	if err := s.checkPasswordOf(ctx, c, u.EmailNorm, next); err != nil {
		return SignedIn{}, err
	}
	hash, err := s.Passwords.Hash(ctx, next)
	if err != nil {
		return SignedIn{}, err
	}
	token, session := s.newSession(c, u.ID)
	session.Typed = s.typed(c)
	a := s.activity(c, ActionPasswordChanged, u.ID)
	if err := s.Store.ChangePassword(ctx, c.BillerID, u.PasswordHash, hash, session, a); err != nil {
		return SignedIn{}, err
	}
	s.did(ctx, c, a)
	return SignedIn{UserID: u.ID, Session: token, ExpiresAt: session.ExpiresAt}, nil
}

// resetMail makes the mail of an asking; ErrStaleMail if the address is nobody's.
func (s *Service) resetMail(c Caller, m Mail, src MailSource, now time.Time) (Mail, error) {
	if !src.Reset.Live(now) || !src.Account.resettable() {
		return Mail{}, ErrStaleMail
	}
	m.To = src.Account.email()
	m.Link = c.PortalURL + "/reset/" + s.Keys.Token(PurposeReset, c.BillerID, src.Reset.ID, 0, 0)
	if m.Ended = src.Reset.Ended; !m.Ended {
		m.NotMe = s.disownURL(c, src.Reset.ID)
	}
	m.ExpiresAt = src.Reset.ExpiresAt
	return m, nil
}

// disownURL is "This wasn't me" of an activity.
func (s *Service) disownURL(c Caller, activityID string) string {
	return c.PortalURL + "/not-me/" + s.Keys.Token(PurposeDisown, c.BillerID, activityID, 0, 0)
}
