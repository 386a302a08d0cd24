package portal

import "context"

// Disown is what the store needs when a person says "This wasn't me".
type Disown struct {
	TokenHash string
	// Activity is that they said so; Reset the link to a new password that is
	// mailed to them.
	Activity Activity
	Reset    Reset
	// NormalizeEmail is Service.NormalizeEmail.
	NormalizeEmail func(address string) (string, error)
}

// DisownStore undoes what the person did not do.
type DisownStore interface {
	// Disowned returns what a notice's link is about; ErrUnknownLink for a hash
	// that no notice of this biller has, ErrLinkDead for one that was used.
	Disowned(ctx context.Context, biller, tokenHash string) (Token, Activity, error)
	// Disown uses the link up: of parallel calls one wins, the others get
	// ErrLinkDead. An asking for a new password, a sign-up or a change of the address
	// ends. Anything else ends every session, makes the password useless, puts the
	// address back that the notice went to and mails a link to a new password there;
	// none if another sign-in has that address meanwhile. It returns the activity kept.
	Disown(ctx context.Context, biller string, in Disown) (Activity, error)
}

// OpenDisown tells what a notice's link is about. It consumes nothing.
// ErrLinkExpired, ErrLinkDead, ErrUnknownLink for garbage.
func (s *Service) OpenDisown(ctx context.Context, c Caller, token string) (Activity, error) {
	t, a, err := s.Store.Disowned(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token))
	if err != nil {
		return Activity{}, err
	}
	if !s.Now().Before(t.ExpiresAt) {
		return Activity{}, ErrLinkExpired
	}
	return a, nil
}

// Disown is "This wasn't me". It fails like OpenDisown.
func (s *Service) Disown(ctx context.Context, c Caller, token string) error {
	what, err := s.OpenDisown(ctx, c, token)
	if err != nil {
		return err
	}
	a := s.activity(c, ActionDisowned, what.UserID)
	a.CustomerID, a.Object, a.Detail = what.CustomerID, what.ID, map[string]string{"action": string(what.Action)}
	a, err = s.Store.Disown(ctx, c.BillerID, Disown{
		TokenHash: s.Keys.Hash(c.BillerID, token), Activity: a,
		Reset:          Reset{ID: s.IDs(), CreatedAt: a.At, ExpiresAt: a.At.Add(ResetLife)},
		NormalizeEmail: s.NormalizeEmail,
	})
	if err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}
