package portal

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// ConfirmationOutcome says what a confirmation link leads to.
type ConfirmationOutcome string

// Outcomes of opening a confirmation link.
const (
	// ConfirmationSameBrowser shows one button.
	ConfirmationSameBrowser ConfirmationOutcome = "same_browser"
	// ConfirmationAskPassword asks for the password chosen at sign-up first.
	ConfirmationAskPassword ConfirmationOutcome = "ask_password"
	// ConfirmationDead is a link of a sign-up that another replaced.
	ConfirmationDead ConfirmationOutcome = "dead"
	// ConfirmationExpired is a link after its 24 hours.
	ConfirmationExpired ConfirmationOutcome = "expired"
	// ConfirmationAgreement means it is done, in this browser; the agreement is next.
	ConfirmationAgreement ConfirmationOutcome = "agreement"
	// ConfirmationNotAccepted means that it is done but for the agreement: "Sign in"
	// leads to that.
	ConfirmationNotAccepted ConfirmationOutcome = "not_accepted"
	// ConfirmationExistingAccount means that another sign-up made the address's
	// account: "Sign in" goes on, with the password chosen there.
	ConfirmationExistingAccount ConfirmationOutcome = "existing_account"
	// ConfirmationRegistered means it is done; "Sign in" goes on.
	ConfirmationRegistered ConfirmationOutcome = "registered"
)

// Confirmation is everything a confirmation link leads to.
type Confirmation struct {
	Token      Token
	SignUp     SignUp
	Invitation Invitation
	Customer   Customer
	// HasAccount tells that the address has a user, made by this sign-up or another;
	// HasGrant that the user has access to the customer, Accepted that it ever
	// accepted an agreement.
	HasAccount, HasGrant, Accepted bool
}

// Outcome is where a visitor with this confirmation link stands.
func (c Confirmation) Outcome(handleHash string, now time.Time) ConfirmationOutcome {
	same := SameHash(c.SignUp.HandleHash, handleHash)
	switch {
	case c.SignUp.Step == StepAccept && same && c.SignUp.Live(now):
		return ConfirmationAgreement
	case c.HasGrant && !c.Accepted:
		return ConfirmationNotAccepted
	case c.HasAccount && !c.HasGrant && c.Invitation.Live(now) && !c.Customer.Archived:
		return ConfirmationExistingAccount
	case c.HasAccount, c.SignUp.Step == StepAccept, c.SignUp.Step == StepDone:
		return ConfirmationRegistered
	case !now.Before(c.Token.ExpiresAt), !now.Before(c.SignUp.ExpiresAt):
		return ConfirmationExpired
	case c.SignUp.Step == StepVoid:
		return ConfirmationDead
	case same:
		return ConfirmationSameBrowser
	}
	return ConfirmationAskPassword
}

// ConfirmationView is what the page behind a confirmation link shows.
type ConfirmationView struct {
	Outcome                   ConfirmationOutcome
	CustomerName, MaskedEmail string
}

// Confirm is step 4 with the six-digit code of the mail; spaces and hyphens in it
// are ignored. ErrNoCode, which is no guess, for anything but six digits;
// ErrWrongCode; ErrCodeDead after five of those or ten minutes;
// ErrCodesUsedUp after CodeGuesses; TooManyRequests;
// ErrHasAccount if another sign-up made an account of the address meanwhile,
// ErrRegistered if that has access to the customer already; ErrWrongStep;
// ErrSignUpEnded.
func (s *Service) Confirm(ctx context.Context, c Caller, handle, code string) (SignUpState, error) {
	if handle == "" {
		return SignUpState{}, ErrSignUpEnded
	}
	code, ok := digits(code)
	if !ok {
		return SignUpState{}, ErrNoCode
	}
	if err := s.Throttle(ctx, c, GuardCode); err != nil {
		return SignUpState{}, err
	}
	did, err := s.Store.ConfirmCode(ctx, c.BillerID, s.Keys.Hash(c.BillerID, handle), code, s.activity(c, ActionSignUpConfirmed, s.IDs()))
	if err != nil {
		return SignUpState{}, err
	}
	s.did(ctx, c, did)
	return s.SignUp(ctx, c, handle)
}

// RequestNewInvitation is RequestNewLink with a confirmation link that has expired
// or was replaced: the invitation is sent again, to the invited address only. The
// answer is the same whether a mail goes out or not. ErrUnknownLink for garbage;
// TooManyRequests.
func (s *Service) RequestNewInvitation(ctx context.Context, c Caller, token string) error {
	conf, outcome, err := s.confirmation(ctx, c, token, "")
	if err != nil {
		return err
	}
	if err := s.Throttle(ctx, c, GuardNewLink); err != nil {
		return err
	}
	if outcome != ConfirmationExpired && outcome != ConfirmationDead {
		return nil
	}
	return s.askAgain(ctx, c, conf.Invitation, conf.Customer)
}

// askAgain sends an invitation again because the invited person asks for it; what
// keeps it from going out is not told.
func (s *Service) askAgain(ctx context.Context, c Caller, inv Invitation, customer Customer) (err error) {
	switch {
	case inv.State == InvitationRevoked:
		return nil
	case inv.RequestID != "":
		err = s.renewAccess(ctx, c, inv, "")
	case customer.EmailNorm != inv.EmailNorm:
		return nil
	default:
		_, err = s.invite(ctx, c, customer.ID, true)
	}
	switch apperr.CodeOf(err) {
	case apperr.TooManyRequests, apperr.Conflict, apperr.Invalid:
		return nil
	}
	return err
}

// digits returns the six digits that were typed or pasted, without what people
// and mail programs put between them.
func digits(typed string) (code string, ok bool) {
	code = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) {
			return -1
		}
		return r
	}, typed)
	return code, len(code) == 6 && strings.Trim(code, "0123456789") == ""
}

// OpenConfirmation tells what the page behind a confirmation link shows; handle
// is the visitor's pending cookie, empty without. It consumes nothing.
// ErrUnknownLink for garbage.
func (s *Service) OpenConfirmation(ctx context.Context, c Caller, token, handle string) (ConfirmationView, error) {
	conf, outcome, err := s.confirmation(ctx, c, token, handle)
	if err != nil {
		return ConfirmationView{}, err
	}
	return ConfirmationView{
		Outcome:      outcome,
		CustomerName: conf.Customer.Label(),
		MaskedEmail:  s.MaskEmail(conf.SignUp.Email),
	}, nil
}

func (s *Service) confirmation(ctx context.Context, c Caller, token, handle string) (Confirmation, ConfirmationOutcome, error) {
	now := s.Now()
	conf, err := s.Store.Confirmation(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token))
	if err != nil {
		return Confirmation{}, "", err
	}
	hash := ""
	if handle != "" {
		hash = s.Keys.Hash(c.BillerID, handle)
	}
	return conf, conf.Outcome(hash, now), nil
}

// ConfirmLink is step 4 with the link of the mail: in the browser that signed up
// (handle) at once, in another with the password chosen, after which the answer
// holds that browser's new handle. ErrWrongPassword, TooManyRequests,
// ErrLinkExpired, ErrLinkDead, ErrRegistered, ErrNotAccepted, ErrHasAccount,
// ErrUnknownLink.
func (s *Service) ConfirmLink(ctx context.Context, c Caller, token, handle, password string) (SignUpState, error) {
	conf, outcome, err := s.confirmation(ctx, c, token, handle)
	if err != nil {
		return SignUpState{}, err
	}
	fresh, freshHash := "", ""
	switch outcome {
	case ConfirmationSameBrowser:
	case ConfirmationAskPassword:
		if err := s.checkPassword(ctx, c, conf.SignUp, password); err != nil {
			return SignUpState{}, err
		}
		fresh = NewSecret()
		freshHash = s.Keys.Hash(c.BillerID, fresh)
		handle = fresh
	case ConfirmationExpired:
		return SignUpState{}, ErrLinkExpired
	case ConfirmationDead:
		return SignUpState{}, ErrLinkDead
	case ConfirmationNotAccepted:
		return SignUpState{}, ErrNotAccepted
	case ConfirmationExistingAccount:
		return SignUpState{}, ErrHasAccount
	default:
		return SignUpState{}, ErrRegistered
	}
	did, err := s.Store.ConfirmLink(ctx, c.BillerID, conf.Token.Hash, freshHash, s.activity(c, ActionSignUpConfirmed, s.IDs()))
	if err != nil {
		return SignUpState{}, err
	}
	s.did(ctx, c, did)
	state, err := s.SignUp(ctx, c, handle)
	state.Handle = fresh
	return state, err
}

// ResendConfirmation sends a new code and link; the earlier code dies, earlier
// links live on. TooManyRequests within 60 seconds and after five in an hour,
// ErrWrongStep before step 3 and after confirmation.
func (s *Service) ResendConfirmation(ctx context.Context, c Caller, handle string) error {
	if handle == "" {
		return ErrSignUpEnded
	}
	return s.Store.ResendConfirmation(ctx, c.BillerID, s.Keys.Hash(c.BillerID, handle), s.Now())
}

// CheckConfirmation returns TooManyRequests if too many confirmations were sent
// on one invitation, sign-ups that were started again included.
func CheckConfirmation(sent []time.Time, now time.Time) error {
	return checkConfirmation(sent, 0, now)
}

// CheckResend is CheckConfirmation for sending once more in the same sign-up,
// which also waits a minute.
func CheckResend(sent []time.Time, now time.Time) error {
	return checkConfirmation(sent, ConfirmationGap, now)
}

func checkConfirmation(sent []time.Time, gap time.Duration, now time.Time) error {
	next := NextSend(sent, gap, ConfirmationsAHour, ConfirmationWindow, now)
	if next.IsZero() {
		return nil
	}
	wait := next.Sub(now)
	if wait <= ConfirmationGap {
		return apperr.Throttled(wait, "We sent an email a moment ago. You can ask for another in %d seconds.", int((wait+time.Second-1)/time.Second))
	}
	return apperr.Throttled(wait, "We sent %d emails in the last hour. You can ask for another in %d minutes.", ConfirmationsAHour, int((wait+time.Minute-1)/time.Minute))
}
