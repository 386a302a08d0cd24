package portal

import (
	"context"
	"errors"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Step is the next thing a person does to sign up.
type Step string

// Steps of a sign-up, in order; nothing is kept of one at StepRegister. StepVoid
// ends one that another replaced.
const (
	StepRegister Step = "register"
	StepProfile  Step = "profile"
	StepConfirm  Step = "confirm"
	StepAccept   Step = "accept"
	StepDone     Step = "done"
	StepVoid     Step = "void"
)

// SignUpEvent is something that happens to a sign-up.
type SignUpEvent string

// Events of sign-ups.
const (
	SignUpRegister SignUpEvent = "register"
	SignUpChoose   SignUpEvent = "choose"
	SignUpResend   SignUpEvent = "resend"
	SignUpConfirm  SignUpEvent = "confirm"
	SignUpAccept   SignUpEvent = "accept"
	SignUpVoid     SignUpEvent = "void"
)

// Next returns the step after the event; ok is false for an event that cannot
// happen at s. A confirmed sign-up cannot be made void: it has become a user.
func (s Step) Next(e SignUpEvent) (next Step, ok bool) {
	type at struct {
		step  Step
		event SignUpEvent
	}
	switch (at{s, e}) {
	case at{StepRegister, SignUpRegister}:
		return StepProfile, true
	case at{StepProfile, SignUpChoose}, at{StepConfirm, SignUpChoose}, at{StepConfirm, SignUpResend}:
		return StepConfirm, true
	case at{StepConfirm, SignUpConfirm}:
		return StepAccept, true
	case at{StepAccept, SignUpAccept}:
		return StepDone, true
	case at{StepProfile, SignUpVoid}, at{StepConfirm, SignUpVoid}:
		return StepVoid, true
	}
	return s, false
}

// SignUp is a registration in progress on one invitation.
type SignUp struct {
	ID, InvitationID string
	Email, EmailNorm string
	PasswordHash     string
	// HandleHash stands for "the same browser"; empty after a decline.
	HandleHash string
	Step       Step
	// UserID is set from StepAccept on.
	UserID string
	// Seq counts the confirmations sent; the code of the newest one works until
	// CodeExpiresAt or CodeTries wrong guesses.
	Seq           int
	CodeTries     int
	CodeExpiresAt time.Time
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// Live tells whether the sign-up can be gone on with at the time.
func (s SignUp) Live(now time.Time) bool {
	return s.Step != StepVoid && s.Step != StepDone && now.Before(s.ExpiresAt)
}

// CodeDead tells whether the newest code works no more.
func (s SignUp) CodeDead(now time.Time) bool {
	return s.CodeTries >= CodeTries || !now.Before(s.CodeExpiresAt)
}

// Limits of sending confirmations on one invitation.
const (
	ConfirmationGap    = 60 * time.Second
	ConfirmationsAHour = 5
	ConfirmationWindow = time.Hour
)

// CodeGuesses is how often the codes of one invitation may be guessed, sign-ups
// that were started again included: whoever holds a forwarded link could try five
// guesses on one new code after another.
func CodeGuesses() Attempts { return Attempts{Limit: 20, Window: 24 * time.Hour} }

// Profile is a customer a person may choose to sign up for.
type Profile struct{ CustomerID, Name, Number, Address string }

// Pending is a live sign-up and what it is about.
type Pending struct {
	SignUp   SignUp
	Customer Customer
	// Profiles are the unarchived customers named in the invitation.
	Profiles []Profile
}

// SignUpState tells where a sign-up stands.
type SignUpState struct {
	// Handle is the value of the pending cookie; set when it is new.
	Handle string
	// ID tells sign-ups apart, for pages that were drawn for an earlier one; it
	// opens nothing.
	ID           string
	Step         Step
	CustomerName string
	MaskedEmail  string
	ExpiresAt    time.Time
	// CodeDead means that only a new code, or the link, confirms now.
	CodeDead bool
	// Open is set at StepAccept for a sign-up from the portal link, which has no
	// confirmation of its own: the mailbox was proven before.
	Open bool
	// UserID is who signed up; set at StepAccept.
	UserID string
}

// SignUpStore keeps registrations in progress.
type SignUpStore interface {
	// Register starts a sign-up on the live invitation of this generation and ends
	// earlier ones, and keeps the activity. It fails as Link.CanStart says.
	Register(ctx context.Context, biller string, generation int, su SignUp, a Activity) error
	// Pending returns ErrSignUpEnded for a handle that no live sign-up has.
	Pending(ctx context.Context, biller, handleHash string, now time.Time) (Pending, error)
	// SignUpRevoked tells whether a sign-up ended while its invitation was revoked;
	// false for an unknown id.
	SignUpRevoked(ctx context.Context, biller, signUpID string) (bool, error)
	// TakeOver gives a live sign-up a new handle, which ends the old one.
	TakeOver(ctx context.Context, biller, signUpID, handleHash string, now time.Time) error
	// Choose keeps the customers chosen and, the first time, sends the
	// confirmation, under CheckConfirmation.
	Choose(ctx context.Context, biller, handleHash string, customerIDs []string, now time.Time) error
	// ResendConfirmation sends a new code and link, under CheckResend.
	ResendConfirmation(ctx context.Context, biller, handleHash string, now time.Time) error
	// ConfirmCode counts the guess before it compares, on the code and, under
	// CodeGuesses, on the invitation. A right one makes the user and the grants and
	// closes the invitation; ErrHasAccount if another sign-up made a user of the
	// address first, ErrRegistered if that has access to the customer. The user's id
	// is the activity's UserID; it returns the activity that it kept.
	ConfirmCode(ctx context.Context, biller, handleHash, code string, a Activity) (Activity, error)
	// Confirmation returns what a confirmation link leads to; ErrUnknownLink for
	// a hash that no sign-up of this biller has.
	Confirmation(ctx context.Context, biller, tokenHash string) (Confirmation, error)
	// ConfirmLink does what a right code does, and gives the sign-up newHandleHash
	// if that is not empty. The caller has checked the handle or the password.
	ConfirmLink(ctx context.Context, biller, tokenHash, newHandleHash string, a Activity) (Activity, error)
}

// Begin is Open for a sign-up without pages. The Handle of its answer is the
// token itself: Register takes it and answers with a new one. It fails like
// Register does for a link that cannot be used.
func (s *Service) Begin(ctx context.Context, c Caller, token string) (SignUpState, error) {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return SignUpState{}, err
	}
	if err := link.CanStart(now); err != nil {
		return SignUpState{}, err
	}
	state := SignUpState{
		Handle:       token,
		Step:         StepRegister,
		CustomerName: link.Customer.Label(),
		MaskedEmail:  s.MaskEmail(link.Invitation.Email),
		ExpiresAt:    link.Invitation.ExpiresAt,
	}
	return state, s.markOpened(ctx, c, link, now)
}

// Register is step 2: it starts a sign-up with the invitation's token and ends
// earlier ones on it, with their codes and links. The answer holds the new
// handle. Invalid with fields "email" and "password"; ErrUnknownLink,
// ErrLinkExpired, ErrLinkDead, ErrRegistered, ErrNotAccepted or ErrHasAccount for a link that
// starts nothing.
func (s *Service) Register(ctx context.Context, c Caller, token, email, password string) (SignUpState, error) {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return SignUpState{}, err
	}
	if err := link.CanStart(now); err != nil {
		return SignUpState{}, err
	}
	if err := s.Throttle(ctx, c, GuardRegister); err != nil {
		return SignUpState{}, err
	}
	if err := s.checkRegistration(c, link, email, password); err != nil {
		return SignUpState{}, err
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return SignUpState{}, err
	}
	handle := NewSecret()
	su := SignUp{
		ID:           s.IDs(),
		InvitationID: link.Invitation.ID,
		Email:        link.Invitation.Email,
		EmailNorm:    link.Invitation.EmailNorm,
		PasswordHash: hash,
		HandleHash:   s.Keys.Hash(c.BillerID, handle),
		Step:         StepProfile,
		CreatedAt:    now,
		ExpiresAt:    now.Add(SignUpLife),
	}
	a := s.activity(c, ActionSignUpStarted, "")
	a.ID, a.At, a.CustomerID, a.Object = su.ID, now, link.Customer.ID, link.Invitation.ID
	if err := s.Store.Register(ctx, c.BillerID, link.Token.Generation, su, a); err != nil {
		return SignUpState{}, err
	}
	s.did(ctx, c, a)
	return s.state(Pending{SignUp: su, Customer: link.Customer}, handle, now), nil
}

// checkRegistration names every wrong field at once, so that a form can too;
// errors.Is finds ErrOtherEmail and the error of Passwords.Check in the answer.
func (s *Service) checkRegistration(c Caller, link Link, email, password string) error {
	inv, fields := link.Invitation, map[string]string{}
	names := c.BillerName + " " + link.Customer.names()
	var causes []error
	if norm, err := s.NormalizeEmail(email); err != nil || norm != inv.EmailNorm {
		names = c.BillerName + " " + link.Customer.Label() // what the page shows: others are not for everybody with the link
		fields["email"] = "This invitation was sent to " + s.MaskEmail(inv.Email) +
			". Use that address, or ask " + c.BillerName + " to invite another."
		causes = append(causes, ErrOtherEmail)
	}
	if err := s.Passwords.Check(password, inv.EmailNorm, names); err != nil {
		if !apperr.Is(err, apperr.Invalid) {
			return err
		}
		fields["password"] = apperr.MessageOf(err)
		causes = append(causes, err)
	}
	if len(causes) == 0 {
		return nil
	}
	message := fields["email"]
	if message == "" {
		message = fields["password"]
	}
	problem := &apperr.Error{Code: apperr.Invalid, Message: message, Fields: fields}
	return errors.Join(append([]error{problem}, causes...)...)
}

// ResumeWithPassword goes on with the live sign-up of an invitation's link in
// another browser: the answer holds a new handle, the old one ends.
// ErrWrongPassword, TooManyRequests while tries have to wait,
// ErrSignUpEnded if there is no live sign-up, ErrUnknownLink for garbage.
func (s *Service) ResumeWithPassword(ctx context.Context, c Caller, token, password string) (SignUpState, error) {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return SignUpState{}, err
	}
	if link.Outcome(Visitor{}, now) != LinkAskPassword {
		return SignUpState{}, ErrSignUpEnded
	}
	if err := s.checkPassword(ctx, c, *link.SignUp, password); err != nil {
		return SignUpState{}, err
	}
	return s.takeOver(ctx, c, link.SignUp.ID)
}

// checkPassword compares with the password of a sign-up. A wrong one is kept like a
// refused sign-in.
func (s *Service) checkPassword(ctx context.Context, c Caller, su SignUp, password string) error {
	try := s.try(c, GuardResume, su.ID)
	taken, err := s.throttle(ctx, c, try)
	if err != nil {
		return err
	}
	ok, err := s.Passwords.Verify(ctx, su.PasswordHash, password)
	if err != nil {
		return err
	}
	if !ok {
		if err := s.refuse(ctx, c, Account{SignUps: []SignUp{su}}, su.EmailNorm, taken); !errors.Is(err, ErrWrongSignIn) {
			return err
		}
		return ErrWrongPassword
	}
	return s.right(ctx, c, try)
}

// takeOver gives a sign-up to this browser. The caller has checked the password.
func (s *Service) takeOver(ctx context.Context, c Caller, signUpID string) (SignUpState, error) {
	handle := NewSecret()
	hash := s.Keys.Hash(c.BillerID, handle)
	if err := s.Store.TakeOver(ctx, c.BillerID, signUpID, hash, s.Now()); err != nil {
		return SignUpState{}, err
	}
	state, err := s.SignUp(ctx, c, handle)
	state.Handle = handle
	return state, err
}

// SignUp tells where the sign-up of a handle stands. ErrSignUpEnded for a handle
// that stands for none; Handle is empty in the answer.
func (s *Service) SignUp(ctx context.Context, c Caller, handle string) (SignUpState, error) {
	p, err := s.pending(ctx, c, handle)
	if err != nil {
		return SignUpState{}, err
	}
	return s.state(p, "", s.Now()), nil
}

// SignUpRevoked tells whether the sign-up with this SignUpState.ID is over because
// the biller took its invitation back: its link would open nothing either.
func (s *Service) SignUpRevoked(ctx context.Context, c Caller, signUpID string) (bool, error) {
	if signUpID == "" || !Knowable(signUpID) {
		return false, nil
	}
	return s.Store.SignUpRevoked(ctx, c.BillerID, signUpID)
}

func (s *Service) pending(ctx context.Context, c Caller, handle string) (Pending, error) {
	if handle == "" {
		return Pending{}, ErrSignUpEnded
	}
	return s.Store.Pending(ctx, c.BillerID, s.Keys.Hash(c.BillerID, handle), s.Now())
}

func (s *Service) state(p Pending, handle string, now time.Time) SignUpState {
	return SignUpState{
		Handle:       handle,
		ID:           p.SignUp.ID,
		Step:         p.SignUp.Step,
		CustomerName: p.Customer.Label(),
		MaskedEmail:  s.MaskEmail(p.SignUp.Email),
		ExpiresAt:    p.SignUp.ExpiresAt,
		CodeDead:     p.SignUp.Step == StepConfirm && p.SignUp.CodeDead(now),
		Open:         p.SignUp.Step == StepAccept && p.SignUp.Seq == 0,
		UserID:       p.SignUp.UserID,
	}
}

// Profiles lists what Choose may choose: the customers the invitation names.
func (s *Service) Profiles(ctx context.Context, c Caller, handle string) ([]Profile, error) {
	p, err := s.pending(ctx, c, handle)
	return p.Profiles, err
}

// Choose is step 3; the first time it sends the confirmation. Invalid with field
// "profile" for nothing or for an id that is not among Profiles, ErrWrongStep
// after confirmation, TooManyRequests after five confirmations in an hour.
func (s *Service) Choose(ctx context.Context, c Caller, handle string, customerIDs []string) (SignUpState, error) {
	p, err := s.pending(ctx, c, handle)
	if err != nil {
		return SignUpState{}, err
	}
	chosen, err := choose(p.Profiles, customerIDs)
	if err != nil {
		return SignUpState{}, err
	}
	if err := s.Store.Choose(ctx, c.BillerID, p.SignUp.HandleHash, chosen, s.Now()); err != nil {
		return SignUpState{}, err
	}
	return s.SignUp(ctx, c, handle)
}

// choose keeps the order of profiles and refuses what is not among them.
func choose(profiles []Profile, ids []string) ([]string, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var chosen []string
	for _, p := range profiles {
		if wanted[p.CustomerID] {
			chosen = append(chosen, p.CustomerID)
		}
	}
	if len(chosen) == 0 || len(chosen) != len(wanted) {
		return nil, ErrNoProfile
	}
	return chosen, nil
}
