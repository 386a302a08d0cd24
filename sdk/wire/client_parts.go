package wire

import (
	"context"
	"errors"
	"io"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// InviteClient calls an add-on's capability invite.
type InviteClient struct{ rpc pb.InviteClient }

// For returns an Inviter whose calls are made for call and carry token.
func (c *InviteClient) For(call sdk.Call, token string) sdk.Inviter {
	return inviter{c.rpc, callToPB(call, token)}
}

type inviter struct {
	rpc  pb.InviteClient
	call *pb.Call
}

func (i inviter) request(customerID string) *pb.InviteRequest {
	return &pb.InviteRequest{Call: i.call, CustomerId: customerID}
}

func (i inviter) Send(ctx context.Context, customerID string) (sdk.Invitation, error) {
	r, err := unary(ctx, i.rpc.Send, i.request(customerID))
	return invitationFromPB(r), err
}

func (i inviter) Resend(ctx context.Context, customerID string) (sdk.Invitation, error) {
	r, err := unary(ctx, i.rpc.Resend, i.request(customerID))
	return invitationFromPB(r), err
}

func (i inviter) Status(ctx context.Context, customerID string) (sdk.InvitationStatus, error) {
	r, err := unary(ctx, i.rpc.Status, i.request(customerID))
	return invitationStatusFromPB(r), err
}

func (i inviter) Link(ctx context.Context, customerID string) (string, error) {
	r, err := unary(ctx, i.rpc.Link, i.request(customerID))
	return r.GetUrl(), err
}

// SignUpClient calls an add-on's capability signup.
type SignUpClient struct{ rpc pb.SignUpClient }

// For returns a SignUp whose calls are made for call and carry token.
func (c *SignUpClient) For(call sdk.Call, token string) sdk.SignUp {
	return signUp{c.rpc, callToPB(call, token)}
}

type signUp struct {
	rpc  pb.SignUpClient
	call *pb.Call
}

func (s signUp) Begin(ctx context.Context, token string, p sdk.Person) (sdk.SignUpState, error) {
	r, err := unary(ctx, s.rpc.Begin, &pb.BeginRequest{Call: s.call, Person: personToPB(p), Token: token})
	return signUpStateFromPB(r), err
}

func (s signUp) Register(ctx context.Context, handle, email, password string, p sdk.Person) (sdk.SignUpState, error) {
	r, err := unary(ctx, s.rpc.Register, &pb.RegisterRequest{
		Call:     s.call,
		Person:   personToPB(p),
		Handle:   handle,
		Email:    email,
		Password: password,
	})
	return signUpStateFromPB(r), err
}

func (s signUp) Profiles(ctx context.Context, handle string, p sdk.Person) ([]sdk.Profile, error) {
	r, err := unary(ctx, s.rpc.Profiles, &pb.HandleRequest{Call: s.call, Person: personToPB(p), Handle: handle})
	return sliceOf(r.GetProfiles(), profileFromPB), err
}

func (s signUp) Choose(ctx context.Context, handle string, customerIDs []string, p sdk.Person) (sdk.SignUpState, error) {
	r, err := unary(ctx, s.rpc.Choose, &pb.ChooseRequest{
		Call:        s.call,
		Person:      personToPB(p),
		Handle:      handle,
		CustomerIds: customerIDs,
	})
	return signUpStateFromPB(r), err
}

func (s signUp) Resend(ctx context.Context, handle string, p sdk.Person) error {
	_, err := unary(ctx, s.rpc.Resend, &pb.HandleRequest{Call: s.call, Person: personToPB(p), Handle: handle})
	return err
}

func (s signUp) Confirm(ctx context.Context, handle, code string, p sdk.Person) (sdk.SignUpState, error) {
	r, err := unary(ctx, s.rpc.Confirm, &pb.ConfirmRequest{
		Call:   s.call,
		Person: personToPB(p),
		Handle: handle,
		Code:   code,
	})
	return signUpStateFromPB(r), err
}

func (s signUp) Accept(ctx context.Context, handle, version string, p sdk.Person) (sdk.SignedIn, error) {
	r, err := unary(ctx, s.rpc.Accept, &pb.AcceptRequest{
		Call:    s.call,
		Person:  personToPB(p),
		Handle:  handle,
		Version: version,
	})
	return signedInFromPB(r), err
}

// ReportClient calls an add-on's capability report.
type ReportClient struct{ rpc pb.ReportClient }

// For returns a Reporter whose calls are made for call and carry token.
func (c *ReportClient) For(call sdk.Call, token string) sdk.Reporter {
	return reporter{c.rpc, callToPB(call, token)}
}

type reporter struct {
	rpc  pb.ReportClient
	call *pb.Call
}

func (r reporter) Registrations(ctx context.Context, q sdk.RegistrationQuery, send func(sdk.Registration) error) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	ctx, end := context.WithCancel(ctx)
	defer end()
	query := registrationQueryToPB(q, r.call)
	stream, err := r.rpc.Registrations(ctx, query)
	if err != nil {
		return callError(ctx, query, err)
	}
	for {
		row, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fromStatus(ctx, err)
		}
		if err := send(registrationFromPB(row)); err != nil {
			return err
		}
	}
}

// EventsClient calls an add-on's capability events.
type EventsClient struct{ rpc pb.EventsClient }

// For returns an EventHandler whose calls are made for call and carry token.
func (c *EventsClient) For(call sdk.Call, token string) sdk.EventHandler {
	return eventHandler{c.rpc, callToPB(call, token)}
}

type eventHandler struct {
	rpc  pb.EventsClient
	call *pb.Call
}

func (h eventHandler) Handle(ctx context.Context, e sdk.Event) error {
	_, err := unary(ctx, h.rpc.Handle, eventToPB(e, h.call))
	return err
}
