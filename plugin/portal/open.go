package portal

import (
	"context"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// ProofStep is how far somebody has come who signs up without an invitation.
type ProofStep string

// Steps of a proof, in order; ProofVoid ends one that leads nowhere.
const (
	ProofNone   ProofStep = ""
	ProofAsked  ProofStep = "asked"
	ProofProven ProofStep = "proven"
	ProofDone   ProofStep = "done"
	ProofVoid   ProofStep = "void"
)

// ProofEvent is something that happens to a proof.
type ProofEvent string

// Events of proofs.
const (
	ProofAsk     ProofEvent = "ask"
	ProofResend  ProofEvent = "resend"
	ProofConfirm ProofEvent = "confirm"
	ProofFinish  ProofEvent = "finish"
	ProofEnd     ProofEvent = "end"
)

// Next returns the step after the event; ok is false for an event that cannot
// happen at p.
func (p ProofStep) Next(e ProofEvent) (next ProofStep, ok bool) {
	type at struct {
		step  ProofStep
		event ProofEvent
	}
	switch (at{p, e}) {
	case at{ProofNone, ProofAsk}, at{ProofAsked, ProofResend}:
		return ProofAsked, true
	case at{ProofAsked, ProofConfirm}:
		return ProofProven, true
	case at{ProofProven, ProofFinish}:
		return ProofDone, true
	case at{ProofAsked, ProofEnd}, at{ProofProven, ProofEnd}:
		return ProofVoid, true
	}
	return p, false
}

// Proof is somebody who signs up without an invitation, from the portal link. The
// address may be nobody's, and nothing is shown before it is proven.
type Proof struct {
	// ID is also that of the activity "signup.asked".
	ID               string
	Email, EmailNorm string
	// HandleHash stands for "the same browser".
	HandleHash string
	Step       ProofStep
	// UserID is set at ProofDone.
	UserID string
	// Seq counts the mails; the code of the newest one works until CodeExpiresAt or
	// CodeTries wrong guesses.
	Seq           int
	CodeTries     int
	CodeExpiresAt time.Time
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// Live tells whether the sign-up can be gone on with at the time.
func (p Proof) Live(now time.Time) bool {
	return (p.Step == ProofAsked || p.Step == ProofProven) && now.Before(p.ExpiresAt)
}

// CodeDead tells whether the newest code works no more.
func (p Proof) CodeDead(now time.Time) bool {
	return p.CodeTries >= CodeTries || !now.Before(p.CodeExpiresAt)
}

// Errors of signing up without an invitation.
var (
	// ErrOpenOff (PermissionDenied) is a biller who lets people in by invitation only.
	ErrOpenOff = apperr.Errorf(apperr.PermissionDenied, "Signing up needs an invitation here.")
	// ErrProofEnded (Unauthenticated) is an unknown, finished or expired handle.
	ErrProofEnded = apperr.Errorf(apperr.Unauthenticated, "Your sign-up is not open in this browser any more. Start again.")
	// ErrNoProfiles (NotFound) is a proven address that no customer has.
	ErrNoProfiles = apperr.Errorf(apperr.NotFound, "No customer has this address.")
)

// ProofState tells where a sign-up without an invitation stands.
type ProofState struct {
	// Handle is the value of the cookie; set when it is new.
	Handle    string
	ID        string
	Step      ProofStep
	Email     string
	ExpiresAt time.Time
	// CodeDead means that only a new code, or the link, goes on.
	CodeDead bool
}

// OpenCustomers is what a proven address finds.
type OpenCustomers struct {
	// Profiles are the customers with the address that may be signed up for.
	Profiles []Profile
	// HasAccount tells that the address signs in already, Disabled that staff
	// have disabled that.
	HasAccount, Disabled bool
}

// FinishProof is what the store needs to make a user of a proven address.
type FinishProof struct {
	HandleHash string
	// SignUp is the sign-up that goes on at the agreement.
	SignUp      SignUp
	UserID      string
	CustomerIDs []string
	Activity    Activity
}

// OpenStore keeps sign-ups without an invitation.
type OpenStore interface {
	// StartProof keeps the proof with its first code, link and mail job, under
	// ConfirmationsAHour of its address: the same statements whoever has it.
	StartProof(ctx context.Context, biller string, p Proof, a Activity) error
	// Proof returns ErrProofEnded for a handle that no live proof has.
	Proof(ctx context.Context, biller, handleHash string, now time.Time) (Proof, error)
	// ResendProof sends a new code and link, under CheckResend.
	ResendProof(ctx context.Context, biller, handleHash string, now time.Time) error
	// ProveCode counts the guess before it compares, on the code and, under
	// CodeGuesses, on the address. Of parallel calls with the right code one wins,
	// the others get ErrWrongStep.
	ProveCode(ctx context.Context, biller, handleHash, code string, now time.Time) error
	// ProofOfLink returns what the link of a mail leads to; ErrUnknownLink for a hash
	// that no proof of this biller has.
	ProofOfLink(ctx context.Context, biller, tokenHash string) (Token, Proof, error)
	// ProveLink does what a right code does, and gives the proof newHandleHash if
	// that is not empty. Of parallel calls one wins, the others get ErrLinkDead.
	ProveLink(ctx context.Context, biller, tokenHash, newHandleHash string, now time.Time) error
	// OpenCustomers finds what a proven address may sign up for: neither archived
	// customers nor those whose access is disabled.
	OpenCustomers(ctx context.Context, biller, emailNorm string) (OpenCustomers, error)
	// FinishProof makes the user, an accepted invitation and the grant of each
	// customer, and the sign-up that goes on at the agreement. ErrProofEnded or
	// ErrWrongStep for all parallel calls but one; ErrHasAccount if the address has
	// become a user meanwhile; ErrNoProfile for a customer that is not open to it.
	FinishProof(ctx context.Context, biller string, in FinishProof, now time.Time) error
}

// OpenSignUp tells whether people may sign up without an invitation.
func (s *Service) OpenSignUp(ctx context.Context) bool { return s.settings(ctx).OpenSignUp }

// StartProof begins a sign-up without an invitation: a mail is made whose contents
// depend on whose address it is, while the answer and the work do not. Invalid
// with the field "email"; TooManyRequests; ErrOpenOff.
func (s *Service) StartProof(ctx context.Context, c Caller, email string) (ProofState, error) {
	if !s.OpenSignUp(ctx) {
		return ProofState{}, ErrOpenOff
	}
	norm, err := s.NormalizeEmail(email)
	if err != nil {
		return ProofState{}, apperr.Field("email", apperr.MessageOf(err))
	}
	if err := s.Throttle(ctx, c, GuardProof); err != nil {
		return ProofState{}, err
	}
	handle := NewSecret()
	a := s.activity(c, ActionSignUpAsked, "")
	a.Object = a.ID
	p := Proof{
		ID: a.ID, Email: strings.TrimSpace(email), EmailNorm: norm,
		HandleHash: s.Keys.Hash(c.BillerID, handle), Step: ProofAsked,
		CreatedAt: a.At, ExpiresAt: a.At.Add(SignUpLife),
	}
	if err := s.Store.StartProof(ctx, c.BillerID, p, a); err != nil {
		return ProofState{}, err
	}
	return ProofState{Handle: handle, ID: p.ID, Step: p.Step, Email: p.Email, ExpiresAt: p.ExpiresAt}, nil
}

// Proof tells where the sign-up of a handle stands. ErrProofEnded for a handle
// that stands for none; ErrOpenOff.
func (s *Service) Proof(ctx context.Context, c Caller, handle string) (ProofState, error) {
	p, err := s.proof(ctx, c, handle)
	if err != nil {
		return ProofState{}, err
	}
	return ProofState{
		ID: p.ID, Step: p.Step, Email: p.Email, ExpiresAt: p.ExpiresAt,
		CodeDead: p.Step == ProofAsked && p.CodeDead(s.Now()),
	}, nil
}

func (s *Service) proof(ctx context.Context, c Caller, handle string) (Proof, error) {
	if !s.OpenSignUp(ctx) {
		return Proof{}, ErrOpenOff
	}
	if handle == "" {
		return Proof{}, ErrProofEnded
	}
	return s.Store.Proof(ctx, c.BillerID, s.Keys.Hash(c.BillerID, handle), s.Now())
}

// ResendProof sends a new code and link; the earlier code dies, earlier links
// live on. TooManyRequests within 60 seconds and after five in an hour of one
// address; ErrWrongStep once it is proven; ErrProofEnded; ErrOpenOff.
func (s *Service) ResendProof(ctx context.Context, c Caller, handle string) error {
	p, err := s.proof(ctx, c, handle)
	if err != nil {
		return err
	}
	return s.Store.ResendProof(ctx, c.BillerID, p.HandleHash, s.Now())
}

// Prove proves the mailbox with the six-digit code of the mail. ErrNoCode,
// ErrWrongCode, ErrCodeDead, ErrCodesUsedUp as in Confirm; ErrWrongStep;
// ErrProofEnded; ErrOpenOff.
func (s *Service) Prove(ctx context.Context, c Caller, handle, code string) error {
	p, err := s.proof(ctx, c, handle)
	if err != nil {
		return err
	}
	code, ok := digits(code)
	if !ok {
		return ErrNoCode
	}
	if err := s.Throttle(ctx, c, GuardCode); err != nil {
		return err
	}
	return s.Store.ProveCode(ctx, c.BillerID, p.HandleHash, code, s.Now())
}

// OpenProfiles lists what a proven address may sign up for. ErrHasAccount if it
// signs in already, ErrNoProfiles if no customer has it; ErrWrongStep before it is
// proven; ErrProofEnded; ErrOpenOff.
func (s *Service) OpenProfiles(ctx context.Context, c Caller, handle string) ([]Profile, error) {
	p, err := s.proof(ctx, c, handle)
	if err != nil {
		return nil, err
	}
	return s.openProfiles(ctx, c, p)
}

func (s *Service) openProfiles(ctx context.Context, c Caller, p Proof) ([]Profile, error) {
	if p.Step != ProofProven {
		return nil, ErrWrongStep
	}
	found, err := s.Store.OpenCustomers(ctx, c.BillerID, p.EmailNorm)
	switch {
	case err != nil:
		return nil, err
	case found.HasAccount && !found.Disabled:
		return nil, ErrHasAccount
	case found.HasAccount, len(found.Profiles) == 0:
		return nil, ErrNoProfiles
	}
	return found.Profiles, nil
}

// FinishProof makes the sign-in of a proven address for the customers chosen, and
// leads to the agreement: the answer holds the handle of a sign-up at StepAccept.
// Invalid with the fields "password" and "profile"; it fails like OpenProfiles.
func (s *Service) FinishProof(ctx context.Context, c Caller, handle, password string, customerIDs []string) (SignUpState, error) {
	p, err := s.proof(ctx, c, handle)
	if err != nil {
		return SignUpState{}, err
	}
	profiles, err := s.openProfiles(ctx, c, p)
	if err != nil {
		return SignUpState{}, err
	}
	chosen, err := choose(profiles, customerIDs)
	if err != nil {
		return SignUpState{}, err
	}
	if err := s.checkPasswordOf(ctx, c, p.EmailNorm, password); err != nil {
		return SignUpState{}, err
	}
	if err := s.Throttle(ctx, c, GuardRegister); err != nil {
		return SignUpState{}, err
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return SignUpState{}, err
	}
	in, fresh := s.finishing(c, p, hash, chosen)
	if err := s.Store.FinishProof(ctx, c.BillerID, in, in.Activity.At); err != nil {
		return SignUpState{}, err
	}
	s.did(ctx, c, in.Activity)
	state, err := s.SignUp(ctx, c, fresh)
	state.Handle = fresh
	return state, err
}

func (s *Service) finishing(c Caller, p Proof, passwordHash string, customerIDs []string) (in FinishProof, handle string) {
	handle = NewSecret()
	in = FinishProof{HandleHash: p.HandleHash, UserID: s.IDs(), CustomerIDs: customerIDs}
	in.Activity = s.activity(c, ActionSignedUp, in.UserID)
	in.Activity.CustomerID, in.Activity.Object = customerIDs[0], p.ID
	in.Activity.Detail = map[string]string{"customers": strings.Join(customerIDs, " ")}
	in.SignUp = SignUp{
		ID: s.IDs(), Email: p.Email, EmailNorm: p.EmailNorm, PasswordHash: passwordHash,
		HandleHash: s.Keys.Hash(c.BillerID, handle), Step: StepProfile,
		CreatedAt: in.Activity.At, ExpiresAt: in.Activity.At.Add(SignUpLife),
	}
	return in, handle
}
