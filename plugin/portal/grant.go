package portal

import (
	"context"
	"slices"
	"time"
)

// GrantState says whether a grant gives access.
type GrantState string

// States of grants. GrantSuspended is never kept: an active one is suspended while
// its customer is archived, or the biller has no portal.
const (
	GrantNone      GrantState = ""
	GrantActive    GrantState = "active"
	GrantSuspended GrantState = "suspended"
	GrantRemoved   GrantState = "removed"
	// GrantDismissed never gave access: the person does not want what their address
	// offered.
	GrantDismissed GrantState = "dismissed"
)

// GrantEvent is something that happens to a grant.
type GrantEvent string

// Events of grants. To add or to dismiss one is a choice of the person, after
// confirmation; to remove one is of staff.
const (
	GrantAdd     GrantEvent = "add"
	GrantDismiss GrantEvent = "dismiss"
	GrantRemove  GrantEvent = "remove"
)

// Next returns the state after the event; ok is false for an event that cannot
// happen in s.
func (s GrantState) Next(e GrantEvent) (next GrantState, ok bool) {
	type at struct {
		state GrantState
		event GrantEvent
	}
	switch (at{s, e}) {
	case at{GrantNone, GrantAdd}, at{GrantRemoved, GrantAdd}, at{GrantDismissed, GrantAdd}:
		return GrantActive, true
	case at{GrantNone, GrantDismiss}:
		return GrantDismissed, true
	case at{GrantActive, GrantRemove}:
		return GrantRemoved, true
	}
	return s, false
}

// While is the state that people see while the customer is archived, or not.
func (s GrantState) While(archived bool) GrantState {
	if s == GrantActive && archived {
		return GrantSuspended
	}
	return s
}

// Right says what a person may do for a customer, beyond seeing its data.
type Right string

// Rights. A payer is offered what moves money; a viewer is not.
const (
	RightPayer  Right = "payer"
	RightViewer Right = "viewer"
)

// Rights lists all rights, the default first.
func Rights() []Right { return []Right{RightPayer, RightViewer} }

// Valid tells whether r is a right at all.
func (r Right) Valid() bool { return slices.Contains(Rights(), r) }

// Grant is a portal user's access to a customer: the only thing that gives any.
type Grant struct {
	CustomerID string
	// Name and Number are the customer's, for headings and the profile switcher.
	Name, Number string
	// Right is what the person may do for the customer.
	Right     Right
	CreatedAt time.Time
}

// MayPay tells whether the person is offered to pay, to store a payment method and
// to change auto-pay for the customer. It is the one rule for that; anything but
// an explicit payer may not.
func (g Grant) MayPay() bool { return g.Right == RightPayer }

// Offer is an open invitation for the address of somebody who has an account:
// "{Biller} added {CustomerName} to your portal." Without an InvitationID it is a
// match: another customer with the address, which the biller has not invited.
type Offer struct {
	InvitationID, CustomerID, CustomerName, Number string
	// ExpiresAt is zero for a match.
	ExpiresAt time.Time
}

// Match tells whether only the address makes the offer; AddMatch takes it.
func (o Offer) Match() bool { return o.InvitationID == "" }

// GrantStore makes grants of offers.
type GrantStore interface {
	// Offers lists the open, unexpired invitations of unarchived customers to the
	// user's address on which the user has no active grant and, if matches is set,
	// the other customers with that address, which AddMatch describes.
	Offers(ctx context.Context, biller, userID string, matches bool, now time.Time) ([]Offer, error)
	// AddOffer makes the grant, closes the invitation, which is the activity's Object,
	// and keeps the activity; it returns the customer. ErrOfferGone for anything
	// Offers does not list; of parallel calls one wins.
	AddOffer(ctx context.Context, biller string, a Activity) (customerID string, err error)
	// AddMatch grants the activity's customer, whose address is the confirmed one of
	// its user, and keeps the activity. ErrOfferGone for customers that are archived,
	// disabled, invited, dismissed or that the user has or had access to; of
	// parallel calls one wins.
	AddMatch(ctx context.Context, biller string, a Activity) error
	// DismissMatch takes what AddMatch would grant out of the Offers. It fails alike.
	DismissMatch(ctx context.Context, biller, userID, customerID string, now time.Time) error
}

// Offers lists what the biller added for the signed-in person and, where the
// biller lets people sign up without an invitation, what else has their address.
func (s *Service) Offers(ctx context.Context, c Caller, sessionToken string) ([]Offer, error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return nil, err
	}
	if view.AgreementPending {
		return nil, ErrAgreementPending
	}
	return s.Store.Offers(ctx, c.BillerID, view.UserID, s.offersMatches(ctx, view), s.Now())
}

// Add accepts an offer of Offers and returns its customer. ErrOfferGone if it is no longer open, or not
// for this person.
func (s *Service) Add(ctx context.Context, c Caller, sessionToken, invitationID string) (customerID string, err error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return "", err
	}
	if view.AgreementPending {
		return "", ErrAgreementPending
	}
	if !Knowable(invitationID) {
		return "", ErrOfferGone
	}
	a := s.activity(c, ActionAccessAdded, view.UserID)
	a.Object = invitationID
	if a.CustomerID, err = s.Store.AddOffer(ctx, c.BillerID, a); err != nil {
		return "", err
	}
	s.did(ctx, c, a)
	return a.CustomerID, nil
}
