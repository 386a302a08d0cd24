package portal

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// DeviceLife is how long a browser that is not used is remembered.
const DeviceLife = 400 * 24 * time.Hour

// Device is a browser that somebody signed in with before, known by a cookie.
type Device struct{ Hash string }

// SignedInBrowser is a session as its owner sees it.
type SignedInBrowser struct {
	// ID names the session for EndSession; it opens nothing.
	ID                string
	IP, Agent         string
	CreatedAt, SeenAt time.Time
	// Current is the session that asks.
	Current bool
}

// SecurityStore keeps what people see and end on their security page.
type SecurityStore interface {
	// Sessions returns a person's sessions that are good at the time, the one used
	// last first.
	Sessions(ctx context.Context, biller, userID string, now time.Time) ([]Session, error)
	// EndSessions ends those of a person's sessions; if none is named all but keep,
	// and the way back into a sign-up that waits for the agreement. It tells how many
	// it ended and keeps the activity if there were any.
	EndSessions(ctx context.Context, biller, userID, keepHash string, hashes []string, a Activity) (ended int, err error)
}

// SignedInBrowsers lists where a person is signed in.
func (s *Service) SignedInBrowsers(ctx context.Context, c Caller, sessionToken string) ([]SignedInBrowser, error) {
	view, err := s.Session(ctx, c, sessionToken)
	if err != nil {
		return nil, err
	}
	sessions, err := s.Store.Sessions(ctx, c.BillerID, view.UserID, s.Now())
	if err != nil {
		return nil, err
	}
	mine := s.Keys.Hash(c.BillerID, sessionToken)
	list := make([]SignedInBrowser, len(sessions))
	for i, session := range sessions {
		list[i] = SignedInBrowser{
			ID: s.sessionID(c, session), IP: session.IP, Agent: session.Agent,
			CreatedAt: session.CreatedAt, SeenAt: session.SeenAt, Current: SameHash(session.TokenHash, mine),
		}
	}
	return list, nil
}

// sessionID names a session without telling what is kept of its cookie.
func (s *Service) sessionID(c Caller, session Session) string {
	return s.Keys.Hash(c.BillerID, "session id "+session.TokenHash)[:24]
}

// EndSession signs another browser of the person out. An empty password is enough
// for who typed it within TypedLife. NotFound if it is not signed in; ErrAgain,
// ErrWrongCurrent, TooManyRequests, ErrSignedOut.
func (s *Service) EndSession(ctx context.Context, c Caller, sessionToken, password, id string) error {
	view, err := s.again(ctx, c, sessionToken, password)
	if err != nil {
		return err
	}
	sessions, err := s.Store.Sessions(ctx, c.BillerID, view.UserID, s.Now())
	if err != nil {
		return err
	}
	for _, session := range sessions {
		if s.sessionID(c, session) == id {
			_, err := s.endSessions(ctx, c, view.UserID, "", []string{session.TokenHash})
			return err
		}
	}
	return apperr.Errorf(apperr.NotFound, "This browser is not signed in any more.")
}

// EndOtherSessions signs the person out everywhere but here, and tells how often.
// It asks for the password like EndSession.
func (s *Service) EndOtherSessions(ctx context.Context, c Caller, sessionToken, password string) (ended int, err error) {
	view, err := s.again(ctx, c, sessionToken, password)
	if err != nil {
		return 0, err
	}
	return s.endSessions(ctx, c, view.UserID, s.Keys.Hash(c.BillerID, sessionToken), nil)
}

func (s *Service) endSessions(ctx context.Context, c Caller, userID, keep string, hashes []string) (int, error) {
	a := s.activity(c, ActionSessionEnded, userID)
	ended, err := s.Store.EndSessions(ctx, c.BillerID, userID, keep, hashes, a)
	if err == nil && ended > 0 {
		s.did(ctx, c, a)
	}
	return ended, err
}

// device is what is kept of the browser's cookie; empty without one, as in
// sign-ups that no page of ours does.
func (s *Service) device(c Caller) Device {
	if c.Device == "" {
		return Device{}
	}
	return Device{Hash: s.Keys.Hash(c.BillerID, "device "+c.Device)}
}
