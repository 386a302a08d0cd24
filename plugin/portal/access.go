package portal

import (
	"context"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Lives and limits of asking for access.
const (
	// AccessRequestLife is how long staff have to decide.
	AccessRequestLife = 14 * 24 * time.Hour
	// AccessRequestsShown is how many open ones a list holds.
	AccessRequestsShown = 200
	maxAccessName       = 100
	maxAccessMessage    = 500
)

// AccessAsks is how often access may be asked for with one link, and for one
// address. GuardAccess says how often from one network.
func AccessAsks() Attempts { return Attempts{Limit: 3, Window: 24 * time.Hour} }

// Errors of asking for access.
var (
	// ErrInvitedAddress (Invalid, field "email") is the address that is invited already.
	ErrInvitedAddress = apperr.Field("email", "This is the invited address. Sign up with it.")
	// ErrAccessName (Invalid, field "name") is no name.
	ErrAccessName = apperr.Field("name", "Type your name.")
	// ErrAccessLong (Invalid, field "message") is a message of more than 500 characters.
	ErrAccessLong = apperr.Field("message", "Keep the message under 500 characters.")
	// ErrAccessDecided (Conflict) is a request that was decided already, or has expired.
	ErrAccessDecided = apperr.Errorf(apperr.Conflict, "This request was decided already, or is older than 14 days.")
	// ErrAccessOpen (Conflict) is a link with which somebody has asked already, and
	// nobody has decided yet: nothing was kept.
	ErrAccessOpen = apperr.Errorf(apperr.Conflict, "Somebody has already asked with this link.")
	// ErrAccessHas (Conflict) is a request of somebody who has access already.
	ErrAccessHas = apperr.Errorf(apperr.Conflict, "This address has access to the customer already.")
)

// AccessRequestState says what became of a request.
type AccessRequestState string

// States of requests for access.
const (
	AccessNone     AccessRequestState = ""
	AccessOpen     AccessRequestState = "open"
	AccessApproved AccessRequestState = "approved"
	AccessDeclined AccessRequestState = "declined"
	AccessExpired  AccessRequestState = "expired"
)

// AccessEvent is something that happens to a request for access.
type AccessEvent string

// Events of requests for access.
const (
	AccessAsk     AccessEvent = "ask"
	AccessApprove AccessEvent = "approve"
	AccessDecline AccessEvent = "decline"
	AccessExpire  AccessEvent = "expire"
)

// Next returns the state after the event; ok is false for an event that cannot
// happen in s: a request is decided once.
func (s AccessRequestState) Next(e AccessEvent) (next AccessRequestState, ok bool) {
	type at struct {
		state AccessRequestState
		event AccessEvent
	}
	switch (at{s, e}) {
	case at{AccessNone, AccessAsk}:
		return AccessOpen, true
	case at{AccessOpen, AccessApprove}:
		return AccessApproved, true
	case at{AccessOpen, AccessDecline}:
		return AccessDeclined, true
	case at{AccessOpen, AccessExpire}:
		return AccessExpired, true
	}
	return s, false
}

// AccessRequest is somebody's wish for access to a customer, made with an
// invitation that went to another address. Nothing in it is proven.
type AccessRequest struct {
	ID, CustomerID string
	// CustomerName is the customer's, for lists of staff.
	CustomerName     string
	Name             string
	Email, EmailNorm string
	Message          string
	State            AccessRequestState
	// Permit is the platform's leave to write to Email, once staff declined.
	Permit               string
	CreatedAt, ExpiresAt time.Time
}

// Decision is what staff decided about a request.
type Decision struct {
	RequestID string
	// Event is AccessApprove or AccessDecline.
	Event AccessEvent
	// Permit is the platform's leave to write to the address.
	Permit string
	// Right, NewID and Life are of the invitation that an approval sends.
	Right    Right
	NewID    string
	Life     time.Duration
	Activity Activity
}

// Permits lets mails go to addresses that are not customers' own: the platform's
// decision, made while a staff user asks.
type Permits interface {
	Permit(ctx context.Context, customerID, to string) (permit string, err error)
}

// AccessStore keeps requests for access.
type AccessStore interface {
	// AskAccess keeps the request, unless the link has an open one: kept tells.
	// Of parallel calls with one link one keeps its own.
	AskAccess(ctx context.Context, biller, tokenHash string, r AccessRequest, a Activity) (kept bool, err error)
	// AccessRequests lists the open ones, oldest first, of one customer or, with an
	// empty id, of all.
	AccessRequests(ctx context.Context, biller, customerID string, now time.Time, limit int) ([]AccessRequest, error)
	// AccessRequest returns NotFound for an unknown id.
	AccessRequest(ctx context.Context, biller, id string) (AccessRequest, error)
	// CountAccessRequests counts the open ones.
	CountAccessRequests(ctx context.Context, biller string, now time.Time) (int, error)
	// DecideAccess closes an open request; of parallel calls one wins, the others
	// get ErrAccessDecided. An approval sends the requester an invitation of their
	// own to the customer, beside the customer's. ErrAccessHas, ErrArchived.
	DecideAccess(ctx context.Context, biller string, d Decision) error
	// RenewAccess sends an invitation that answered a request once more: generation
	// plus one, earlier links end. TooManyRequests as CheckSend; Conflict for a
	// closed one. permit replaces the kept one unless it is empty.
	RenewAccess(ctx context.Context, biller, invitationID, permit string, life time.Duration, a Activity) (Invitation, error)
	// RevokeAccess ends an open invitation that answered a request. ErrLinkDead if
	// it is not open.
	RevokeAccess(ctx context.Context, biller, invitationID string, a Activity) error
}

// CanAskAccess tells whether the holder of an invitation's link may ask for access.
func (l Link) CanAskAccess(now time.Time) bool {
	return l.Invitation.Live(now) && l.Token.Generation == l.Invitation.Generation && !l.Customer.Archived
}

// AccessForm tells what the page **Ask {Biller} for access** shows. ErrLinkDead
// for a link that is no longer live, ErrUnknownLink for garbage.
func (s *Service) AccessForm(ctx context.Context, c Caller, token string) (maskedEmail string, err error) {
	link, err := s.askable(ctx, c, token)
	if err != nil {
		return "", err
	}
	return s.MaskEmail(link.Invitation.Email), nil
}

func (s *Service) askable(ctx context.Context, c Caller, token string) (Link, error) {
	now := s.Now()
	link, err := s.Store.Link(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), now)
	if err != nil {
		return Link{}, err
	}
	if !link.CanAskAccess(now) {
		return Link{}, ErrLinkDead
	}
	return link, nil
}

// AskAccess asks staff for access with an invitation that went to another
// address. The answer is the same whether the address is known or not. ErrAccessOpen
// if the link has an open request, whoever made it; Invalid with the fields "name", "email" and "message";
// TooManyRequests after AccessAsks and GuardAccess; ErrLinkDead, ErrUnknownLink.
func (s *Service) AskAccess(ctx context.Context, c Caller, token, name, email, message string) error {
	link, err := s.askable(ctx, c, token)
	if err != nil {
		return err
	}
	r, err := s.accessRequest(link, name, email, message)
	if err != nil {
		return err
	}
	if err := s.limitAsking(ctx, c, link, r); err != nil {
		return err
	}
	a := s.activity(c, ActionAccessAsked, "")
	r.ID, r.CreatedAt, r.ExpiresAt = a.ID, a.At, a.At.Add(AccessRequestLife)
	a.CustomerID, a.Object = r.CustomerID, r.ID
	kept, err := s.Store.AskAccess(ctx, c.BillerID, link.Token.Hash, r, a)
	if err == nil && !kept {
		err = ErrAccessOpen
	}
	if err == nil {
		s.did(ctx, c, a)
	}
	return err
}

func (s *Service) accessRequest(link Link, name, email, message string) (AccessRequest, error) {
	norm, err := s.NormalizeEmail(email)
	if err != nil {
		return AccessRequest{}, apperr.Field("email", apperr.MessageOf(err))
	}
	name = strings.Join(strings.Fields(text(name, 4*maxAccessName)), " ")
	message = strings.TrimSpace(text(message, 8*maxAccessMessage))
	switch {
	case name == "" || len([]rune(name)) > maxAccessName:
		return AccessRequest{}, ErrAccessName
	case len([]rune(message)) > maxAccessMessage:
		return AccessRequest{}, ErrAccessLong
	case norm == link.Invitation.EmailNorm: // last: a guess at it is a request, and counted, unless it is right
		return AccessRequest{}, ErrInvitedAddress
	}
	return AccessRequest{
		CustomerID: link.Customer.ID, Name: name, Email: strings.TrimSpace(email), EmailNorm: norm,
		Message: message, State: AccessOpen,
	}, nil
}

// limitAsking counts what is asked from a network, with a link and for an address.
func (s *Service) limitAsking(ctx context.Context, c Caller, link Link, r AccessRequest) error {
	if err := s.Throttle(ctx, c, GuardAccess); err != nil {
		return err
	}
	for _, key := range []string{"ask:" + link.Token.Hash, "ask:" + s.Keys.Hash(c.BillerID, r.EmailNorm)} {
		retryAt, err := s.Store.TakeAttempt(ctx, c.BillerID, key, AccessAsks(), s.Now())
		if err != nil {
			return err
		}
		if !retryAt.IsZero() {
			return apperr.Throttled(retryAt.Sub(s.Now()), "Access was asked for several times. Wait, then try again.")
		}
	}
	return nil
}

// AccessRequests lists the open requests, of one customer or, with an empty id,
// of all. Staff with staff:invite.
func (s *Service) AccessRequests(ctx context.Context, c Caller, customerID string) ([]AccessRequest, error) {
	if err := c.need(AbilityInvite); err != nil {
		return nil, err
	}
	if customerID != "" && !Knowable(customerID) {
		return nil, ErrNoCustomer
	}
	return s.Store.AccessRequests(ctx, c.BillerID, customerID, s.Now(), AccessRequestsShown)
}

// CountAccessRequests counts the open requests. Staff with staff:invite.
func (s *Service) CountAccessRequests(ctx context.Context, c Caller) (int, error) {
	if err := c.need(AbilityInvite); err != nil {
		return 0, err
	}
	return s.Store.CountAccessRequests(ctx, c.BillerID, s.Now())
}

// Approve sends the requester an invitation of their own, with the right, and
// returns the customer. Staff with staff:invite. ErrProve; it fails like the store's
// DecideAccess; NotFound for an unknown request.
func (s *Service) Approve(ctx context.Context, c Caller, requestID string, right Right) (customerID string, err error) {
	if err := s.needFresh(c, AbilityInvite); err != nil {
		return "", err
	}
	if !right.Valid() {
		return "", apperr.Field("right", "Choose what the person may do.")
	}
	return s.decide(ctx, c, requestID, Decision{
		Event: AccessApprove, Right: right, NewID: s.IDs(), Life: s.settings(ctx).InvitationLife, Activity: s.activity(c, ActionAccessApproved, ""),
	})
}

// DeclineAccess refuses a request and tells the requester by mail. Staff with
// staff:invite. ErrAccessDecided; NotFound for an unknown request.
func (s *Service) DeclineAccess(ctx context.Context, c Caller, requestID string) (customerID string, err error) {
	return s.decide(ctx, c, requestID, Decision{Event: AccessDecline, Activity: s.activity(c, ActionAccessDeclined, "")})
}

func (s *Service) decide(ctx context.Context, c Caller, requestID string, d Decision) (customerID string, err error) {
	if err := c.need(AbilityInvite); err != nil {
		return "", err
	}
	if !Knowable(requestID) {
		return "", errNoRequest()
	}
	r, err := s.Store.AccessRequest(ctx, c.BillerID, requestID)
	if err != nil {
		return "", err
	}
	if r.State != AccessOpen || !d.Activity.At.Before(r.ExpiresAt) {
		return r.CustomerID, ErrAccessDecided
	}
	if d.Permit, err = s.permit(ctx, r.CustomerID, r.Email); err != nil {
		return r.CustomerID, err
	}
	d.RequestID, d.Activity.CustomerID, d.Activity.Object = r.ID, r.CustomerID, r.ID
	if err := s.Store.DecideAccess(ctx, c.BillerID, d); err != nil {
		return r.CustomerID, err
	}
	s.did(ctx, c, d.Activity)
	return r.CustomerID, nil
}

func errNoRequest() error { return apperr.Errorf(apperr.NotFound, "There is no such request.") }

func (s *Service) permit(ctx context.Context, customerID, to string) (string, error) {
	if s.Permits == nil {
		return "", nil
	}
	return s.Permits.Permit(ctx, customerID, to)
}

// RenewAccess sends the invitation of an approved request again. Staff with
// staff:invite. It fails like the store's.
func (s *Service) RenewAccess(ctx context.Context, c Caller, customerID, invitationID string) error {
	inv, err := s.accessInvitation(ctx, c, customerID, invitationID)
	if err != nil {
		return err
	}
	permit, err := s.permit(ctx, inv.CustomerID, inv.Email)
	if err != nil {
		return err
	}
	return s.renewAccess(ctx, c, inv, permit)
}

func (s *Service) renewAccess(ctx context.Context, c Caller, inv Invitation, permit string) error {
	a := s.activity(c, ActionInvited, "")
	a.CustomerID, a.Object = inv.CustomerID, inv.ID
	if _, err := s.Store.RenewAccess(ctx, c.BillerID, inv.ID, permit, s.settings(ctx).InvitationLife, a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}

// RevokeAccess ends the open invitation of an approved request. Staff with
// staff:invite. ErrLinkDead if it is not open any more.
func (s *Service) RevokeAccess(ctx context.Context, c Caller, customerID, invitationID string) error {
	inv, err := s.accessInvitation(ctx, c, customerID, invitationID)
	if err != nil {
		return err
	}
	a := s.activity(c, ActionAccessRevoked, "")
	a.CustomerID, a.Object = inv.CustomerID, inv.ID
	if err := s.Store.RevokeAccess(ctx, c.BillerID, inv.ID, a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}

func (s *Service) accessInvitation(ctx context.Context, c Caller, customerID, invitationID string) (Invitation, error) {
	view, err := s.Customer(ctx, c, customerID)
	if err != nil {
		return Invitation{}, err
	}
	for _, inv := range view.Invited {
		if inv.ID == invitationID {
			return inv, nil
		}
	}
	return Invitation{}, apperr.Errorf(apperr.NotFound, "There is no such invitation.")
}

// accessMail makes the mail of a declined request.
func (s *Service) accessMail(m Mail, r AccessRequest) (Mail, error) {
	if r.State != AccessDeclined {
		return Mail{}, ErrStaleMail
	}
	m.To, m.CustomerID, m.CustomerName, m.Permit = r.Email, r.CustomerID, "", r.Permit
	return m, nil
}
