package portal

import (
	"context"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Session is a signed-in browser.
type Session struct {
	// TokenHash is what is kept of the cookie's value.
	TokenHash string
	UserID    string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	IP, Agent string
	// Device is the browser; its Hash is empty for sign-ins without pages.
	Device Device
	// Typed is when the password was typed last.
	Typed Typed
}

// SessionView is who is signed in, and what they may see.
type SessionView struct {
	UserID, Email string
	ExpiresAt     time.Time
	// Typed is when the password was typed last.
	Typed Typed
	// AgreementPending closes every page but the agreement's, the erasure of the
	// sign-in and the proofs of what was accepted before.
	AgreementPending bool
	// Grants are the active ones on unarchived customers, by name. A page shows a
	// customer's data only if it is among them.
	Grants []Grant
}

// Customer returns the person's grant on the customer. NotFound if there is none.
func (v SessionView) Customer(id string) (Grant, error) {
	for _, g := range v.Grants {
		if g.CustomerID == id {
			return g, nil
		}
	}
	return Grant{}, apperr.Errorf(apperr.NotFound, "This page does not exist.")
}

// First returns the grant that the person has had longest, the first by name of
// several made at once: others that are added later never take its place.
func (v SessionView) First() (_ Grant, ok bool) {
	if len(v.Grants) == 0 {
		return Grant{}, false
	}
	return slices.MinFunc(v.Grants, func(a, b Grant) int { return a.CreatedAt.Compare(b.CreatedAt) }), true
}

// SignedIn is the answer to a sign-in that went well. Exactly one of Session and
// Pending is set.
type SignedIn struct {
	UserID string
	// Session is the value of the session cookie, valid until ExpiresAt at most.
	Session   string
	ExpiresAt time.Time
	// AgreementPending is SessionView's.
	AgreementPending bool
	// Pending is the sign-up to go on with: "Confirm your email to continue".
	Pending *SignUpState
}

// SignUpsTried is how many sign-ups in progress a password is compared with, the
// newest of an address: two customers may share one. Every sign-in costs that
// many hashes, whatever the address stands for.
const SignUpsTried = 2

// Account is what an address stands for: a user, else its sign-ups in progress,
// newest first and at most SignUpsTried, else neither.
type Account struct {
	User    *User
	SignUps []SignUp
}

// AccountStore keeps sessions and finds who wants one.
type AccountStore interface {
	ThrottleStore
	// Account finds whoever has this normalised address, with as many statements
	// for an unknown one as for a known one.
	Account(ctx context.Context, biller, emailNorm string, now time.Time) (Account, error)
	// KnowsDevice tells whether the user with this normalised address, if there is
	// one, has signed in with the browser before.
	KnowsDevice(ctx context.Context, biller, emailNorm string, d Device) (bool, error)
	// RefuseSignIn keeps that a try was wrong: the same statements whether the
	// address is somebody's or nobody's.
	RefuseSignIn(ctx context.Context, biller string, r Refusal) error
	// RaisePassword replaces a user's hash, if it is still the old one; it tells.
	RaisePassword(ctx context.Context, biller, userID, oldHash, newHash string) (raised bool, err error)
	// CreateSession starts a session and keeps the activity, as ActionNewDevice if
	// the browser is new while others are known. It returns what it kept.
	// ErrWrongSignIn unless the user is active and passwordHash still the user's: a
	// new password, or the end of the person, ends a sign-in under way too.
	CreateSession(ctx context.Context, biller, passwordHash string, s Session, a Activity) (Activity, error)
	// Session returns ErrSignedOut for an unknown, idle or expired session, for a
	// disabled user and for a biller that disabled the portal. It marks the use.
	Session(ctx context.Context, biller, tokenHash string, now time.Time) (SessionView, error)
	// DeleteSession ends a session and keeps the activity of its user, which it
	// returns; of parallel calls one. One that was over keeps nothing, and the UserID
	// of the answer is empty.
	DeleteSession(ctx context.Context, biller, tokenHash string, a Activity) (Activity, error)
}

// SignInKey names the count of tries to sign in with an address. Browsers that are
// known have counts of their own, named by the key, a space and the device's hash.
func SignInKey(k Keys, biller, emailNorm string) string {
	return string(GuardSignIn) + ":" + k.Hash(biller, emailNorm)
}

// Recorded is how many wrong tries of a biller are kept one by one, and how many
// addresses whose next try has to wait are kept and told; those beyond are only
// counted, so that a flood cannot fill the tables.
func Recorded() Attempts { return Attempts{Limit: 1000, Window: time.Hour} }

// Refusal is a try to sign in that was wrong.
type Refusal struct {
	Activity Activity
	// Blocked is set when the next try has to wait; its owner is told at most once
	// in BlockedNotices, counted under BlockedKey.
	Blocked    *Activity
	BlockedKey string
}

// BlockedNotices is how often one owner is told that tries have to wait.
func BlockedNotices() Attempts { return Attempts{Limit: 1, Window: 24 * time.Hour} }

// SignIn signs a person in with email and password, or leads back to an
// unfinished sign-up or the agreement. ErrWrongSignIn for anything that does not
// match, after the same work for known and unknown addresses; TooManyRequests
// while tries have to wait, for unknown addresses too.
func (s *Service) SignIn(ctx context.Context, c Caller, email, password string) (SignedIn, error) {
	norm, err := s.NormalizeEmail(email)
	if err != nil {
		norm = " " + text(email, 254) // nobody has an address with a space; the work is the same
	}
	now := s.Now()
	try, err := s.signInTry(ctx, c, norm)
	if err != nil {
		return SignedIn{}, err
	}
	taken, err := s.throttle(ctx, c, try)
	if err != nil {
		return SignedIn{}, err
	}
	account, err := s.Store.Account(ctx, c.BillerID, norm, now)
	if err != nil {
		return SignedIn{}, err
	}
	match, err := s.verify(ctx, account.passwordHashes(), password)
	if err != nil {
		return SignedIn{}, err
	}
	if match < 0 || (account.User != nil && account.User.State != UserActive) {
		return SignedIn{}, s.refuse(ctx, c, account, norm, taken)
	}
	if err := s.right(ctx, c, try); err != nil {
		return SignedIn{}, err
	}
	if account.User != nil {
		hash, err := s.raise(ctx, c, *account.User, password)
		switch {
		case err != nil:
			return SignedIn{}, err
		case hash == "": // another sign-in raised it, or it was changed
			return s.SignIn(ctx, c, email, password)
		}
		return s.startSession(ctx, c, account.User.ID, hash)
	}
	return s.goOn(ctx, c, account.SignUps[match].ID)
}

// goOn leads back to a sign-up whose password was right.
func (s *Service) goOn(ctx context.Context, c Caller, signUpID string) (SignedIn, error) {
	state, err := s.takeOver(ctx, c, signUpID)
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Pending: &state}, nil
}

// signInTry is a try to sign in with an address. A browser in which its person
// signed in before is counted by itself: strangers who guess make their own
// browsers wait, not the owner's (OWASP's device cookies).
func (s *Service) signInTry(ctx context.Context, c Caller, emailNorm string) (Try, error) {
	try := s.try(c, GuardSignIn, s.Keys.Hash(c.BillerID, emailNorm))
	device := s.device(c)
	known, err := s.Store.KnowsDevice(ctx, c.BillerID, emailNorm, device)
	if err != nil {
		return Try{}, err
	}
	if known {
		try.Account += " " + device.Hash
	}
	return try, nil
}

// refuse keeps that a try was wrong and returns ErrWrongSignIn. Where the delays
// begin, the owner of the address is told; a notice to nobody goes nowhere.
func (s *Service) refuse(ctx context.Context, c Caller, account Account, emailNorm string, taken Taken) error {
	a := s.activity(c, ActionSignInRefused, "")
	blocked := s.activity(c, ActionSignInBlocked, "")
	a.Detail = map[string]string{"account": account.kind()}
	if u := account.User; u != nil {
		a.UserID, blocked.UserID = u.ID, u.ID
		if u.State == UserActive {
			blocked.NoticeTo = u.Email
		}
	}
	blocked.Detail = map[string]string{"account": account.kind()}
	r := Refusal{Activity: a, BlockedKey: "blocked:" + s.Keys.Hash(c.BillerID, emailNorm)}
	if taken.Wrong == SignInDelays().Free {
		r.Blocked = &blocked
	}
	if err := s.Store.RefuseSignIn(ctx, c.BillerID, r); err != nil {
		return err
	}
	return ErrWrongSignIn
}

// kind says what an address stands for, for the audit log.
func (a Account) kind() string {
	switch {
	case a.User != nil:
		return string(a.User.State)
	case len(a.SignUps) > 0:
		return "signing up"
	}
	return "unknown"
}

// raise hashes a right password anew if its hash has become too cheap, and returns
// the hash the user has now; empty if it is another meanwhile.
func (s *Service) raise(ctx context.Context, c Caller, u User, password string) (string, error) {
	if !s.Passwords.Outdated(u.PasswordHash) {
		return u.PasswordHash, nil
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	raised, err := s.Store.RaisePassword(ctx, c.BillerID, u.ID, u.PasswordHash, hash)
	if err != nil || !raised {
		return "", err
	}
	return hash, nil
}

// passwordHashes are those a sign-in is compared with; the rest are empty, which
// cost as much and never match.
func (a Account) passwordHashes() (hashes [SignUpsTried]string) {
	if a.User != nil {
		hashes[0] = a.User.PasswordHash
		return hashes
	}
	for i, su := range a.SignUps[:min(len(a.SignUps), SignUpsTried)] {
		hashes[i] = su.PasswordHash
	}
	return hashes
}

// verify compares with all hashes, a match or not, and returns the first that
// matches or -1.
func (s *Service) verify(ctx context.Context, hashes [SignUpsTried]string, password string) (match int, err error) {
	match = -1
	for i, hash := range hashes {
		ok, err := s.Passwords.Verify(ctx, hash, password)
		if err != nil {
			return -1, err
		}
		if ok && match < 0 {
			match = i
		}
	}
	return match, nil
}

func (s *Service) startSession(ctx context.Context, c Caller, userID, passwordHash string) (SignedIn, error) {
	token, session := s.newSession(c, userID)
	session.Typed = s.typed(c)
	a := s.activity(c, ActionSessionStarted, userID)
	kept, err := s.Store.CreateSession(ctx, c.BillerID, passwordHash, session, a)
	if err != nil {
		return SignedIn{}, err
	}
	s.did(ctx, c, kept)
	view, err := s.Store.Session(ctx, c.BillerID, session.TokenHash, s.Now())
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{UserID: userID, Session: token, ExpiresAt: session.ExpiresAt, AgreementPending: view.AgreementPending}, nil
}

func (s *Service) newSession(c Caller, userID string) (token string, _ Session) {
	token = NewSecret()
	now := s.Now()
	return token, Session{
		TokenHash: s.Keys.Hash(c.BillerID, token),
		UserID:    userID,
		CreatedAt: now,
		SeenAt:    now,
		ExpiresAt: now.Add(SessionLife),
		IP:        c.ip(),
		Agent:     text(c.Agent, 256),
		Device:    s.device(c),
	}
}

func (c Caller) ip() string {
	if !c.IP.IsValid() {
		return ""
	}
	return c.IP.String()
}

// Session tells who is signed in. ErrSignedOut for an empty, unknown, idle or
// expired token.
func (s *Service) Session(ctx context.Context, c Caller, token string) (SessionView, error) {
	if token == "" {
		return SessionView{}, ErrSignedOut
	}
	return s.Store.Session(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), s.Now())
}

// SignOut ends the session; it does nothing for one that is over.
func (s *Service) SignOut(ctx context.Context, c Caller, token string) error {
	did, err := s.Store.DeleteSession(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token), s.activity(c, ActionSignedOut, ""))
	if err == nil && did.UserID != "" {
		s.did(ctx, c, did)
	}
	return err
}
