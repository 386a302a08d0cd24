package portal

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TypedLife is how long a password that was typed counts where it is asked for again.
const TypedLife = 15 * time.Minute

// ErrAgain (Invalid, field "current") asks for the password before something
// sensitive: it was typed too long ago, or elsewhere.
var ErrAgain = apperr.Field("current", "Type your current password.")

// ErrProve (Unauthenticated) has staff prove anew who they are before something grave:
// the platform asks them and leads back.
var ErrProve = apperr.Errorf(apperr.Unauthenticated, "Nothing has happened yet. Sign out and in again, then press the button once more.")

// Proven tells that staff need not prove anew who they are, or returns ErrProve.
func (s *Service) Proven(c Caller) error {
	if c.FreshUntil.IsZero() || s.Now().Before(c.FreshUntil) {
		return nil
	}
	return ErrProve
}

// needFresh lets on staff with the ability who proved a short while ago who they are.
func (s *Service) needFresh(c Caller, ability string) error {
	if err := c.need(ability); err != nil {
		return err
	}
	return s.Proven(c)
}

// Typed is when the password of a session was typed last; zero if it never was.
type Typed struct {
	At time.Time
	// Place is what is kept of the network and the browser it was typed in.
	Place string
}

// Counts tells whether that is enough, in this place.
func (t Typed) Counts(place string, now time.Time) bool {
	return SameHash(t.Place, place) && now.Before(t.At.Add(TypedLife))
}

// TypedStore keeps with a session when its password was typed.
type TypedStore interface {
	// KeepTyped does nothing for a session that is over.
	KeepTyped(ctx context.Context, biller, tokenHash string, t Typed) error
}

// typed is what is kept of a caller who typed the password just now.
func (s *Service) typed(c Caller) Typed { return Typed{At: s.Now(), Place: s.place(c)} }

// place stands for the network and the browser of a caller: whoever carries a
// session elsewhere proves again who they are.
func (s *Service) place(c Caller) string {
	from := ""
	if network, ok := networkOf(c.IP); ok {
		from = network.String()
	}
	return s.Keys.Hash(c.BillerID, "place "+from+" "+text(c.Agent, 256))
}

// networkOf is the /24 of an IPv4 address, the /64 of another.
func networkOf(ip netip.Addr) (netip.Prefix, bool) {
	ip = ip.Unmap().WithZone("")
	network, err := ip.Prefix(map[bool]int{true: 24, false: 64}[ip.Is4()])
	return network, err == nil && ip.IsValid()
}

// again lets on whoever typed the password a short while ago, in this network and
// browser; others type it now. ErrAgain without one; it fails like reauthenticate.
func (s *Service) again(ctx context.Context, c Caller, sessionToken, password string) (SessionView, error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return SessionView{}, err
	}
	if password == "" {
		if view.Typed.Counts(s.place(c), s.Now()) {
			return view, nil
		}
		return SessionView{}, ErrAgain
	}
	_, err = s.reauthenticate(ctx, c, sessionToken, password)
	return view, err
}

// reauthenticate compares the password of who is signed in, and keeps with the
// session that it was right. A wrong one is kept like a refused sign-in, with the
// same delays and the same notice. ErrWrongCurrent, TooManyRequests, ErrSignedOut.
func (s *Service) reauthenticate(ctx context.Context, c Caller, sessionToken, password string) (User, error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return User{}, err
	}
	u, err := s.Store.User(ctx, c.BillerID, view.UserID)
	if err != nil {
		return User{}, err
	}
	try := s.try(c, GuardReauth, u.ID)
	taken, err := s.throttle(ctx, c, try)
	if err != nil {
		return User{}, err
	}
	ok, err := s.Passwords.Verify(ctx, u.PasswordHash, password)
	if err != nil {
		return User{}, err
	}
	if !ok {
		if err := s.refuse(ctx, c, Account{User: &u}, u.EmailNorm, taken); !errors.Is(err, ErrWrongSignIn) {
			return User{}, err
		}
		return User{}, ErrWrongCurrent
	}
	if err := s.right(ctx, c, try); err != nil {
		return User{}, err
	}
	return u, s.Store.KeepTyped(ctx, c.BillerID, s.Keys.Hash(c.BillerID, sessionToken), s.typed(c))
}
