package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// SignUp implements sdk.SignUp. A handle of Begin stands for the invitation's
// link until Register exchanges it for the sign-up's own.
type SignUp struct {
	Service *portal.Service
	Host    sdk.Host
}

var _ sdk.SignUp = (*SignUp)(nil)

// caller is the person at the other end; the biller's name stands in texts.
func (s *SignUp) caller(ctx context.Context, p sdk.Person) (portal.Caller, error) {
	biller, err := s.Host.Billers.Biller(ctx)
	if err != nil {
		return portal.Caller{}, err
	}
	c := caller.Of(sdk.CallFrom(ctx), biller.Name)
	c.IP, c.Agent = p.IP, p.Agent
	if p.Locale != "" {
		c.Locale = p.Locale
	}
	return c, nil
}

// Begin implements sdk.SignUp.
func (s *SignUp) Begin(ctx context.Context, token string, p sdk.Person) (sdk.SignUpState, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return sdk.SignUpState{}, err
	}
	return s.state(ctx, c)(s.Service.Begin(ctx, c, token))
}

// Register implements sdk.SignUp.
func (s *SignUp) Register(ctx context.Context, handle, email, password string, p sdk.Person) (sdk.SignUpState, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return sdk.SignUpState{}, err
	}
	return s.state(ctx, c)(s.Service.Register(ctx, c, handle, email, password))
}

// Profiles implements sdk.SignUp.
func (s *SignUp) Profiles(ctx context.Context, handle string, p sdk.Person) ([]sdk.Profile, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return nil, err
	}
	profiles, err := s.Service.Profiles(ctx, c, handle)
	if err != nil {
		return nil, err
	}
	out := make([]sdk.Profile, len(profiles))
	for i, profile := range profiles {
		out[i] = sdk.Profile(profile)
	}
	return out, nil
}

// Choose implements sdk.SignUp.
func (s *SignUp) Choose(ctx context.Context, handle string, customerIDs []string, p sdk.Person) (sdk.SignUpState, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return sdk.SignUpState{}, err
	}
	return s.state(ctx, c)(s.Service.Choose(ctx, c, handle, customerIDs))
}

// Resend implements sdk.SignUp.
func (s *SignUp) Resend(ctx context.Context, handle string, p sdk.Person) error {
	c, err := s.caller(ctx, p)
	if err != nil {
		return err
	}
	return s.Service.ResendConfirmation(ctx, c, handle)
}

// Confirm implements sdk.SignUp.
func (s *SignUp) Confirm(ctx context.Context, handle, code string, p sdk.Person) (sdk.SignUpState, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return sdk.SignUpState{}, err
	}
	return s.state(ctx, c)(s.Service.Confirm(ctx, c, handle, code))
}

// Accept implements sdk.SignUp.
func (s *SignUp) Accept(ctx context.Context, handle, version string, p sdk.Person) (sdk.SignedIn, error) {
	c, err := s.caller(ctx, p)
	if err != nil {
		return sdk.SignedIn{}, err
	}
	in, err := s.Service.Accept(ctx, c, portal.Holder{Handle: handle}, version)
	if err != nil {
		return sdk.SignedIn{}, err
	}
	return sdk.SignedIn{PortalUserID: in.UserID, Session: in.Session, ExpiresAt: in.ExpiresAt}, nil
}

// state returns a function that completes the portal's state: with the agreement,
// at the step that asks for it.
func (s *SignUp) state(ctx context.Context, c portal.Caller) func(portal.SignUpState, error) (sdk.SignUpState, error) {
	return func(st portal.SignUpState, err error) (sdk.SignUpState, error) {
		if err != nil {
			return sdk.SignUpState{}, err
		}
		out := sdk.SignUpState{
			Handle: st.Handle, Step: string(st.Step), CustomerName: st.CustomerName,
			MaskedEmail: st.MaskedEmail, ExpiresAt: st.ExpiresAt,
		}
		if st.Step == portal.StepAccept {
			a, err := s.Service.Agreement(ctx, c)
			if err != nil {
				return sdk.SignUpState{}, err
			}
			out.Agreement = sdk.Agreement(a)
		}
		return out, nil
	}
}
