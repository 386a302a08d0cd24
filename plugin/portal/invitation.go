package portal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// InvitationState is how far an invitation has come.
type InvitationState string

// States of invitations.
const (
	// InvitationNone is one that was not sent yet.
	InvitationNone       InvitationState = ""
	InvitationQueued     InvitationState = "queued"
	InvitationSent       InvitationState = "sent"
	InvitationDelivered  InvitationState = "delivered"
	InvitationBounced    InvitationState = "bounced"
	InvitationComplained InvitationState = "complained"
	InvitationOpened     InvitationState = "opened"
	InvitationStarted    InvitationState = "started"
	InvitationAccepted   InvitationState = "accepted"
	InvitationExpired    InvitationState = "expired"
	InvitationRevoked    InvitationState = "revoked"
	InvitationFailed     InvitationState = "failed"
)

// Open tells whether the link of an invitation in this state may work, if its
// time is not over. A mail that failed or bounced leaves it open: staff may have
// passed the link on by hand.
func (s InvitationState) Open() bool {
	switch s {
	case InvitationQueued, InvitationSent, InvitationDelivered, InvitationOpened, InvitationStarted,
		InvitationBounced, InvitationComplained, InvitationFailed:
		return true
	}
	return false
}

// InvitationEvent is something that happens to an invitation.
type InvitationEvent string

// Events of invitations.
const (
	// InvitationSend queues a generation: the first, or the next of one that is open
	// or has expired.
	InvitationSend     InvitationEvent = "send"
	InvitationMailSent InvitationEvent = "mail sent"
	InvitationMailFail InvitationEvent = "mail failed"
	InvitationOpen     InvitationEvent = "open"
	InvitationStart    InvitationEvent = "start"
	InvitationAccept   InvitationEvent = "accept"
	InvitationExpire   InvitationEvent = "expire"
	InvitationRevoke   InvitationEvent = "revoke"
	// InvitationFree ends a sign-up that was not the invited person's.
	InvitationFree InvitationEvent = "free"
)

// Next returns the state after the event. ok is false for an event that cannot
// happen in s; the state stays then. An event that changes nothing is ok: a mail
// reported sent after its link was opened leaves "opened".
func (s InvitationState) Next(e InvitationEvent) (next InvitationState, ok bool) {
	if e == InvitationSend {
		if s.Open() || s == InvitationExpired || s == InvitationNone {
			return InvitationQueued, true
		}
		return s, false
	}
	if !s.Open() {
		return s, false
	}
	switch e {
	case InvitationMailSent:
		return s.from(InvitationSent, InvitationQueued, InvitationFailed), true
	case InvitationMailFail:
		return s.from(InvitationFailed, InvitationQueued), true
	case InvitationOpen:
		return s.from(InvitationOpened, InvitationQueued, InvitationSent, InvitationDelivered,
			InvitationBounced, InvitationComplained, InvitationFailed), true
	case InvitationStart:
		return InvitationStarted, true
	case InvitationAccept:
		return InvitationAccepted, true
	case InvitationExpire:
		return InvitationExpired, true
	case InvitationRevoke:
		return InvitationRevoked, true
	case InvitationFree:
		return s.from(InvitationOpened, InvitationStarted), true
	}
	return s, false
}

func (s InvitationState) from(next InvitationState, states ...InvitationState) InvitationState {
	for _, from := range states {
		if s == from {
			return next
		}
	}
	return s
}

// Invitation asks one customer's address into the portal. Sending it again is
// the next generation of the same invitation, and the end of earlier links.
type Invitation struct {
	ID, CustomerID   string
	Email, EmailNorm string
	State            InvitationState
	// Generation counts the sends. Seq counts the links of this generation: 0 is
	// in the mail, later ones were minted for staff.
	Generation, Seq int
	CreatedAt       time.Time
	// QueuedAt is when this generation was sent for; OpenedAt is zero until its link was opened.
	QueuedAt, OpenedAt time.Time
	ExpiresAt          time.Time
	// Reminded is the latest reminder of this generation that was due, at most
	// MaxReminders.
	Reminded int
	// RequestID is the request for access that the invitation answers; empty for one
	// to the customer's own address. Right is what its acceptance grants, Permit the
	// platform's leave to write to Email.
	RequestID, Permit string
	Right             Right
}

// Live tells whether the invitation can be taken up at the time.
func (i Invitation) Live(now time.Time) bool { return i.State.Open() && now.Before(i.ExpiresAt) }

// SourceSelf marks an invitation that nobody sent: its person signed up through the
// portal link. Its Generation is 0.
const SourceSelf = "self"

// Limits of sending invitations to one customer.
const (
	SendGap    = 60 * time.Second
	SendsADay  = 5
	SendWindow = 24 * time.Hour
)

// NextSend returns when the next of a limited number of sends may happen, given
// the times of those within the window, oldest first. Zero means now.
func NextSend(sent []time.Time, gap time.Duration, limit int, window time.Duration, now time.Time) time.Time {
	var next time.Time
	if n := len(sent); n > 0 {
		next = sent[n-1].Add(gap)
		if n >= limit {
			if free := sent[n-limit].Add(window); free.After(next) {
				next = free
			}
		}
	}
	if !next.After(now) {
		return time.Time{}
	}
	return next
}

// CheckSend returns TooManyRequests if an invitation may not be sent again yet.
func CheckSend(sent []time.Time, now time.Time) error {
	next := NextSend(sent, SendGap, SendsADay, SendWindow, now)
	if next.IsZero() {
		return nil
	}
	wait := next.Sub(now)
	if wait <= SendGap {
		return apperr.Throttled(wait, "This customer was invited a moment ago. Wait %d seconds, then send again.", int((wait+time.Second-1)/time.Second))
	}
	return apperr.Throttled(wait, "This customer was invited %d times in the last 24 hours. Send again tomorrow.", SendsADay)
}

// SendInvitation is what the store needs to send one.
type SendInvitation struct {
	CustomerID string
	// NewID is for a customer without an invitation that could be sent again.
	NewID string
	Life  time.Duration
	By    Actor
	Now   time.Time
	// Asked is true when the invited person asked for a new link.
	Asked bool
	// Replace ends the access, passwords and sessions of those who sign in for the
	// customer with another address that nobody decided to keep. Without it, such
	// people are ErrSignInDiffers.
	Replace bool
	// Activity is kept with the invitation.
	Activity Activity
}

// InvitationStore sends invitations.
type InvitationStore interface {
	// Invite sends the customer's invitation for the first time or again, with its
	// mail job, token and history in one transaction, under CheckInvitable and
	// CheckSend. Of parallel calls one wins, the others get TooManyRequests.
	Invite(ctx context.Context, biller string, in SendInvitation) (Invitation, error)
	// Revoke ends the open invitation of the activity's customer, with its links and
	// sign-ups. Of parallel calls one wins, the others get ErrNoneOpen.
	Revoke(ctx context.Context, biller string, a Activity) (Invitation, error)
	// MintLink adds a token to the customer's live invitation. NotFound if none is.
	MintLink(ctx context.Context, biller, customerID string, a Activity) (Invitation, error)
}

// Invite sends a customer's invitation: the first time and again. Staff with
// staff:invite. NotFound for an unknown customer, Conflict if it is registered
// or its address has access already, Invalid if it is archived or has no usable
// address, TooManyRequests within 60 seconds and after five in 24 hours.
func (s *Service) Invite(ctx context.Context, c Caller, customerID string) (Invitation, error) {
	if err := c.need(AbilityInvite); err != nil {
		return Invitation{}, err
	}
	if !Knowable(customerID) {
		return Invitation{}, ErrNoCustomer
	}
	inv, err := s.invite(ctx, c, customerID, false)
	if !errors.Is(err, ErrNoCustomer) {
		return inv, err
	}
	if err := s.learn(ctx, c, customerID); err != nil {
		return Invitation{}, err
	}
	return s.invite(ctx, c, customerID, false)
}

func (s *Service) invite(ctx context.Context, c Caller, customerID string, asked bool) (Invitation, error) {
	return s.sendInvitation(ctx, c, customerID, func(in *SendInvitation) { in.Asked = asked })
}

func (s *Service) sendInvitation(ctx context.Context, c Caller, customerID string, edit func(*SendInvitation)) (Invitation, error) {
	a := s.activity(c, ActionInvited, "")
	a.CustomerID = customerID
	in := SendInvitation{
		CustomerID: customerID,
		NewID:      s.IDs(),
		Life:       s.settings(ctx).InvitationLife,
		By:         c.Actor,
		Now:        a.At,
		Activity:   a,
	}
	edit(&in)
	inv, err := s.Store.Invite(ctx, c.BillerID, in)
	if err != nil {
		return Invitation{}, err
	}
	a.Object = inv.ID
	s.did(ctx, c, a)
	return inv, nil
}

// Link mints one more link for a customer's live invitation, for staff to pass
// on by hand, and keeps that in the history. Staff with staff:invite. NotFound if
// no invitation is live.
func (s *Service) Link(ctx context.Context, c Caller, customerID string) (url string, err error) {
	if err := c.need(AbilityInvite); err != nil {
		return "", err
	}
	if !Knowable(customerID) {
		return "", ErrNoCustomer
	}
	a := s.activity(c, ActionLinked, "")
	a.CustomerID = customerID
	inv, err := s.Store.MintLink(ctx, c.BillerID, customerID, a)
	if err != nil {
		return "", err
	}
	a.Object = inv.ID
	s.did(ctx, c, a)
	return s.welcomeURL(c, inv, inv.Seq), nil
}

func (s *Service) welcomeURL(c Caller, inv Invitation, seq int) string {
	token := s.Keys.Token(PurposeInvitation, c.BillerID, inv.ID, inv.Generation, seq)
	return fmt.Sprintf("%s/welcome/%s", c.PortalURL, token)
}
