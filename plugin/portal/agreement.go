package portal

import (
	"context"
	"time"
)

// Holder is how a person who may accept or decline is known: by the handle of a
// confirmed sign-up, or by a session. Exactly one is set.
type Holder struct{ Handle, Session string }

// HolderHash is a Holder as the store knows it.
type HolderHash struct{ Handle, Session string }

// AgreementStore keeps agreements and who accepted them.
type AgreementStore interface {
	AgreementVersionStore
	AgreementProofStore
	// Agreement returns the version in force at the time. Every enabled biller
	// has one; NotFound otherwise.
	Agreement(ctx context.Context, biller string, at time.Time) (Agreement, error)
	// AcceptAgreement keeps the acceptance and the activity, ends the sign-up or
	// session that holder names and starts session; both get their UserID here. A
	// session that follows another keeps its ExpiresAt and Typed: it was begun with
	// that one's password. A new browser is kept and told as in CreateSession. Of
	// parallel calls one wins, the others get ErrSignUpEnded or ErrSignedOut.
	AcceptAgreement(ctx context.Context, biller string, holder HolderHash, a Acceptance, session Session, did Activity) (Session, error)
	// DeclineAgreement ends the session, or lets go of the handle, and keeps the
	// activity (its UserID is filled in here): the person can come back by signing
	// in. It returns that user, empty for a holder that does not stand for anybody.
	DeclineAgreement(ctx context.Context, biller string, holder HolderHash, did Activity) (userID string, err error)
}

// Agreement returns the version in force, to anybody.
func (s *Service) Agreement(ctx context.Context, c Caller) (Agreement, error) {
	return s.Store.Agreement(ctx, c.BillerID, s.Now())
}

// Accept keeps the acceptance of the version and signs the person in with a new
// session, which lives no longer than the one before. ErrAgreementChanged if version is not the one in force,
// ErrSignUpEnded or ErrSignedOut if holder does not stand for anybody.
func (s *Service) Accept(ctx context.Context, c Caller, holder Holder, version string) (SignedIn, error) {
	now := s.Now()
	current, err := s.Store.Agreement(ctx, c.BillerID, now)
	if err != nil {
		return SignedIn{}, err
	}
	if version != current.Version {
		return SignedIn{}, ErrAgreementChanged
	}
	accepted := Acceptance{Version: version, TextHash: current.TextHash, At: now, IP: c.ip(), Agent: text(c.Agent, 256)}
	token, session := s.newSession(c, "")
	did := s.activity(c, ActionAgreementAccepted, "")
	did.Detail = map[string]string{"version": version}
	session, err = s.Store.AcceptAgreement(ctx, c.BillerID, s.holderHash(c, holder), accepted, session, did)
	if err != nil {
		return SignedIn{}, err
	}
	did.UserID = session.UserID
	s.did(ctx, c, did)
	return SignedIn{UserID: session.UserID, Session: token, ExpiresAt: session.ExpiresAt}, nil
}

// Decline signs the person out; signing in again leads back to the agreement.
// It does nothing for a holder that does not stand for anybody.
func (s *Service) Decline(ctx context.Context, c Caller, holder Holder) error {
	current, err := s.Store.Agreement(ctx, c.BillerID, s.Now())
	if err != nil {
		return err
	}
	did := s.activity(c, ActionAgreementDeclined, "")
	did.Detail = map[string]string{"version": current.Version}
	did.UserID, err = s.Store.DeclineAgreement(ctx, c.BillerID, s.holderHash(c, holder), did)
	if err == nil && did.UserID != "" {
		s.did(ctx, c, did)
	}
	return err
}

func (s *Service) holderHash(c Caller, h Holder) HolderHash {
	if h.Session != "" {
		return HolderHash{Session: s.Keys.Hash(c.BillerID, h.Session)}
	}
	return HolderHash{Handle: s.Keys.Hash(c.BillerID, h.Handle)}
}
