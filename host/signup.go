package host

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
)

// SignUp returns the add-on's SignUp for a biller, for a platform that draws the
// five steps itself. Nobody has to be signed in.
func (h *Host) SignUp(biller, addonID string) sdk.SignUp { return signUp{h, biller, addonID} }

type signUp struct {
	host            *Host
	biller, addonID string
}

var _ sdk.SignUp = signUp{}

func (s signUp) with(ctx context.Context, f func(sdk.SignUp) error) error {
	return s.host.with(ctx, s.biller, s.addonID, sdk.CapabilitySignUp, sdk.Viewer{}, func(v visit) error {
		return f(v.client.SignUp(v.call, v.token))
	})
}

// state calls one step that answers a state.
func (s signUp) state(ctx context.Context, step func(sdk.SignUp) (sdk.SignUpState, error)) (st sdk.SignUpState, err error) {
	err = s.with(ctx, func(c sdk.SignUp) (err error) { st, err = step(c); return err })
	return st, err
}

// Begin implements sdk.SignUp.
func (s signUp) Begin(ctx context.Context, token string, p sdk.Person) (sdk.SignUpState, error) {
	return s.state(ctx, func(c sdk.SignUp) (sdk.SignUpState, error) { return c.Begin(ctx, token, p) })
}

// Register implements sdk.SignUp.
func (s signUp) Register(ctx context.Context, handle, email, password string, p sdk.Person) (sdk.SignUpState, error) {
	return s.state(ctx, func(c sdk.SignUp) (sdk.SignUpState, error) { return c.Register(ctx, handle, email, password, p) })
}

// Profiles implements sdk.SignUp.
func (s signUp) Profiles(ctx context.Context, handle string, p sdk.Person) (list []sdk.Profile, err error) {
	err = s.with(ctx, func(c sdk.SignUp) (err error) { list, err = c.Profiles(ctx, handle, p); return err })
	return list, err
}

// Choose implements sdk.SignUp.
func (s signUp) Choose(ctx context.Context, handle string, customerIDs []string, p sdk.Person) (sdk.SignUpState, error) {
	return s.state(ctx, func(c sdk.SignUp) (sdk.SignUpState, error) { return c.Choose(ctx, handle, customerIDs, p) })
}

// Resend implements sdk.SignUp.
func (s signUp) Resend(ctx context.Context, handle string, p sdk.Person) error {
	return s.with(ctx, func(c sdk.SignUp) error { return c.Resend(ctx, handle, p) })
}

// Confirm implements sdk.SignUp.
func (s signUp) Confirm(ctx context.Context, handle, code string, p sdk.Person) (sdk.SignUpState, error) {
	return s.state(ctx, func(c sdk.SignUp) (sdk.SignUpState, error) { return c.Confirm(ctx, handle, code, p) })
}

// Accept implements sdk.SignUp.
func (s signUp) Accept(ctx context.Context, handle, version string, p sdk.Person) (in sdk.SignedIn, err error) {
	err = s.with(ctx, func(c sdk.SignUp) (err error) { in, err = c.Accept(ctx, handle, version, p); return err })
	return in, err
}
