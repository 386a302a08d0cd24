package portal

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// LinkOutcome says what an invitation's link leads to.
type LinkOutcome string

// Outcomes of opening an invitation's link.
const (
	// LinkFresh shows step 2, email and password.
	LinkFresh LinkOutcome = "fresh"
	// LinkResume goes on at LinkView.Step in the browser that signed up.
	LinkResume LinkOutcome = "resume"
	// LinkAskPassword asks for the password chosen, or lets start again.
	LinkAskPassword LinkOutcome = "ask_password"
	// LinkExpired and LinkReplaced offer "Email me a new link"; LinkRevoked does not.
	LinkExpired  LinkOutcome = "expired"
	LinkReplaced LinkOutcome = "replaced"
	LinkRevoked  LinkOutcome = "revoked"
	// LinkRegistered says "You're already registered." and offers "Sign in".
	LinkRegistered LinkOutcome = "registered"
	// LinkNotAccepted offers "Sign in" too: the agreement is still to be accepted.
	LinkNotAccepted LinkOutcome = "not_accepted"
	// LinkExistingAccount asks to sign in, to add the customer afterwards.
	LinkExistingAccount LinkOutcome = "existing_account"
	// LinkSignedIn means the invited person is signed in: the offer is on the home page.
	LinkSignedIn LinkOutcome = "signed_in"
	// LinkSignedInAsOther offers "Sign out and continue".
	LinkSignedInAsOther LinkOutcome = "signed_in_as_other"
)

// LinkView is what the page behind an invitation's link shows.
type LinkView struct {
	Outcome      LinkOutcome
	CustomerName string
	// MaskedEmail hints at the invited address, "j•••@acme.com".
	MaskedEmail string
	ExpiresAt   time.Time
	// Step is set with LinkResume.
	Step Step
	// SignedInAs is the address of the session, with LinkSignedInAsOther.
	SignedInAs string
}

// Link is everything an invitation's token leads to.
type Link struct {
	Token      Token
	Invitation Invitation
	Customer   Customer
	// SignUp is the live one on the invitation, nil if none.
	SignUp *SignUp
	// AccountID is the user with the invited address, empty if none; HasGrant
	// tells whether that user has access to the customer, Accepted whether it ever
	// accepted an agreement.
	AccountID string
	HasGrant  bool
	Accepted  bool
}

// Visitor is who opens a link, as far as its cookies tell.
type Visitor struct {
	// HandleHash is empty without a pending sign-up in this browser.
	HandleHash string
	// UserID is empty without a session.
	UserID string
}

// Outcome is where a visitor with this link stands. It is the one rule for
// opening, registering and resuming.
func (l Link) Outcome(v Visitor, now time.Time) LinkOutcome {
	inv := l.Invitation
	switch {
	case l.SignUp != nil && SameHash(l.SignUp.HandleHash, v.HandleHash):
		return LinkResume
	case l.HasGrant && !l.Accepted:
		return LinkNotAccepted
	case inv.State == InvitationAccepted, l.HasGrant:
		return LinkRegistered
	case inv.State == InvitationRevoked:
		return LinkRevoked
	case l.Customer.Archived:
		return LinkRevoked
	case l.Token.Generation != inv.Generation:
		return LinkReplaced
	case !inv.Live(now):
		return LinkExpired
	case v.UserID != "" && v.UserID == l.AccountID:
		return LinkSignedIn
	case v.UserID != "":
		return LinkSignedInAsOther
	case l.AccountID != "":
		return LinkExistingAccount
	case l.SignUp != nil:
		return LinkAskPassword
	}
	return LinkFresh
}

// opens tells whether seeing this outcome counts as having opened the invitation.
func (o LinkOutcome) opens() bool {
	switch o {
	case LinkFresh, LinkResume, LinkAskPassword, LinkExistingAccount, LinkSignedIn, LinkSignedInAsOther:
		return true
	}
	return false
}

// CanStart returns why a sign-up cannot be started with this link; nil if it can,
// an earlier sign-up on it or not. The store asks again under its lock.
func (l Link) CanStart(now time.Time) error {
	switch l.Outcome(Visitor{}, now) {
	case LinkExpired:
		return ErrLinkExpired
	case LinkReplaced, LinkRevoked:
		return ErrLinkDead
	case LinkRegistered:
		return ErrRegistered
	case LinkNotAccepted:
		return ErrNotAccepted
	case LinkExistingAccount:
		return ErrHasAccount
	}
	return nil
}

// LinkStore finds what links lead to.
type LinkStore interface {
	// Link returns ErrUnknownLink for a hash that no invitation of this biller has.
	Link(ctx context.Context, biller, tokenHash string, now time.Time) (Link, error)
	// MarkOpened records that the link of this generation was opened, once.
	MarkOpened(ctx context.Context, biller, invitationID string, generation int, now time.Time) error
}

// Open tells what the page behind an invitation's link shows. handle and
// sessionToken are the visitor's cookies, empty without. It consumes nothing:
// mail scanners follow links. ErrUnknownLink for garbage.
func (s *Service) Open(ctx context.Context, c Caller, token, handle, sessionToken string) (LinkView, error) {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return LinkView{}, err
	}
	v, signedInAs, err := s.visitor(ctx, c, handle, sessionToken)
	if err != nil {
		return LinkView{}, err
	}
	view := LinkView{
		Outcome:      link.Outcome(v, now),
		CustomerName: link.Customer.Label(),
		MaskedEmail:  s.MaskEmail(link.Invitation.Email),
		ExpiresAt:    link.Invitation.ExpiresAt,
	}
	switch view.Outcome {
	case LinkResume:
		view.Step = link.SignUp.Step
	case LinkSignedInAsOther:
		view.SignedInAs = signedInAs
	}
	if !view.Outcome.opens() {
		return view, nil
	}
	return view, s.markOpened(ctx, c, link, now)
}

func (s *Service) markOpened(ctx context.Context, c Caller, link Link, now time.Time) error {
	if !link.Invitation.OpenedAt.IsZero() || !link.Invitation.Live(now) {
		return nil
	}
	return s.Store.MarkOpened(ctx, c.BillerID, link.Invitation.ID, link.Token.Generation, now)
}

func (s *Service) visitor(ctx context.Context, c Caller, handle, sessionToken string) (v Visitor, email string, err error) {
	if handle != "" {
		v.HandleHash = s.Keys.Hash(c.BillerID, handle)
	}
	view, err := s.Session(ctx, c, sessionToken)
	switch {
	case err == nil:
		v.UserID = view.UserID
	case !apperr.Is(err, apperr.Unauthenticated):
		return Visitor{}, "", err
	}
	return v, view.Email, nil
}

// RequestNewLink sends the invitation of an expired or replaced link again, to
// the invited address only. The answer is the same whether a mail goes out or
// not; staff's limits on sending apply. ErrUnknownLink for garbage.
func (s *Service) RequestNewLink(ctx context.Context, c Caller, token string) error {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return err
	}
	outcome := link.Outcome(Visitor{}, now)
	if outcome != LinkExpired && outcome != LinkReplaced {
		return nil
	}
	if err := s.Throttle(ctx, c, GuardNewLink); err != nil {
		return err
	}
	return s.askAgain(ctx, c, link.Invitation, link.Customer)
}
