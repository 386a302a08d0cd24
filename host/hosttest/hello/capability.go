package main

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// whoAsks names the staff user and the biller of the call.
func whoAsks(ctx context.Context) string {
	c := sdk.CallFrom(ctx)
	return c.Viewer.Name + " of " + c.BillerID
}

type inviter struct{}

func (inviter) Send(ctx context.Context, _ string) (sdk.Invitation, error) {
	return sdk.Invitation{Status: whoAsks(ctx)}, nil
}

func (i inviter) Resend(ctx context.Context, id string) (sdk.Invitation, error) {
	return i.Send(ctx, id)
}

func (inviter) Status(ctx context.Context, _ string) (sdk.InvitationStatus, error) {
	return sdk.InvitationStatus{Status: whoAsks(ctx)}, nil
}

func (inviter) Link(ctx context.Context, _ string) (string, error) { return whoAsks(ctx), nil }

type reporter struct{}

func (reporter) Registrations(ctx context.Context, _ sdk.RegistrationQuery, send func(sdk.Registration) error) error {
	for range 2 {
		if err := send(sdk.Registration{Name: whoAsks(ctx)}); err != nil {
			return err
		}
	}
	return nil
}

type events struct{}

// Handle refuses a customer without a version.
func (events) Handle(_ context.Context, e sdk.Event) error {
	if e.Customer.Version == 0 {
		return apperr.Errorf(apperr.Unavailable, "Come again.")
	}
	return nil
}

type signUp struct{}

func step(ctx context.Context, name string) (sdk.SignUpState, error) {
	return sdk.SignUpState{Step: name + " at " + sdk.CallFrom(ctx).BillerID}, nil
}

func (signUp) Begin(ctx context.Context, _ string, _ sdk.Person) (sdk.SignUpState, error) {
	return step(ctx, "begin")
}

func (signUp) Register(ctx context.Context, _, _, _ string, _ sdk.Person) (sdk.SignUpState, error) {
	return step(ctx, "register")
}

func (signUp) Profiles(ctx context.Context, _ string, _ sdk.Person) ([]sdk.Profile, error) {
	s, err := step(ctx, "profiles")
	return []sdk.Profile{{Name: s.Step}}, err
}

func (signUp) Choose(ctx context.Context, _ string, _ []string, _ sdk.Person) (sdk.SignUpState, error) {
	return step(ctx, "choose")
}

func (signUp) Resend(context.Context, string, sdk.Person) error {
	return apperr.Errorf(apperr.TooManyRequests, "Not so fast.")
}

func (signUp) Confirm(ctx context.Context, _, _ string, _ sdk.Person) (sdk.SignUpState, error) {
	return step(ctx, "confirm")
}

func (signUp) Accept(ctx context.Context, _, _ string, _ sdk.Person) (sdk.SignedIn, error) {
	s, err := step(ctx, "accept")
	return sdk.SignedIn{Session: s.Step}, err
}
