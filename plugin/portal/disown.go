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

// Notice is what a link of "This wasn't me" is about, and what it does.
type Notice struct {
	Activity
	Does Undo
}

// DisownStore undoes what the person did not do.
type DisownStore interface {
	// Disowned returns what a notice's link is about and would do now; ErrUnknownLink
	// for a hash that no notice of this biller has, ErrLinkDead for one that was used.
	// Of in it needs the TokenHash and NormalizeEmail.
	Disowned(ctx context.Context, biller string, in Disown) (Token, Notice, error)
	// Disown uses the link up: of parallel calls one wins, the others get
	// ErrLinkDead. An asking for a new password, a sign-up or a change of the address
	// ends. Anything else ends every session, makes the password useless, puts the
	// address back that the notice went to and mails a link to a new password there;
	// none if another sign-in has that address meanwhile. It returns the activity kept,
	// whose Detail "did" is the Undo.
	Disown(ctx context.Context, biller string, in Disown) (Activity, error)
}

// OpenDisown tells what a notice's link is about. It consumes nothing.
// ErrLinkExpired, ErrLinkDead, ErrUnknownLink for garbage.
func (s *Service) OpenDisown(ctx context.Context, c Caller, token string) (Notice, error) {
	t, n, err := s.Store.Disowned(ctx, c.BillerID, Disown{TokenHash: s.Keys.Hash(c.BillerID, token), NormalizeEmail: s.NormalizeEmail})
	if err != nil {
		return Notice{}, err
	}
	if !s.Now().Before(t.ExpiresAt) {
		return Notice{}, ErrLinkExpired
	}
	return n, nil
}

// Disown is "This wasn't me". It returns what it was about and has done, which is
// more than the page said where that happened meanwhile. It fails like OpenDisown.
func (s *Service) Disown(ctx context.Context, c Caller, token string) (Notice, error) {
	what, err := s.OpenDisown(ctx, c, token)
	if err != nil {
		return Notice{}, err
	}
	a := s.activity(c, ActionDisowned, what.UserID)
	a.CustomerID, a.Object, a.Detail = what.CustomerID, what.ID, map[string]string{"action": string(what.Action)}
	a, err = s.Store.Disown(ctx, c.BillerID, Disown{
		TokenHash: s.Keys.Hash(c.BillerID, token), Activity: a,
		Reset:          Reset{ID: s.IDs(), CreatedAt: a.At, ExpiresAt: a.At.Add(ResetLife)},
		NormalizeEmail: s.NormalizeEmail,
	})
	if err != nil {
		return Notice{}, err
	}
	s.did(ctx, c, a)
	what.Does = Undo(a.Detail["did"])
	return what, nil
}
