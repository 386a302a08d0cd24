package portal

import (
	"context"
	"time"
)

// Acceptance is that a person accepted a version.
type Acceptance struct {
	UserID, Version, TextHash string
	At                        time.Time
	IP, Agent                 string
	// Email is the address that signed in then; empty if it was not kept yet.
	Email string
}

// AgreementProof is everything that proves an acceptance.
type AgreementProof struct {
	Acceptance
	// Present is the person's address now.
	Present   string
	Agreement Agreement
}

// Intact tells whether the kept text is the one that was accepted.
func (p AgreementProof) Intact() bool { return AgreementHash(p.Agreement.Text) == p.TextHash }

// Person is the address that accepted.
func (p AgreementProof) Person() string {
	if p.Email == "" {
		return p.Present
	}
	return p.Email
}

// AgreementProofStore reads acceptances.
type AgreementProofStore interface {
	// Acceptances returns a person's, newest version first.
	Acceptances(ctx context.Context, biller, userID string) ([]Acceptance, error)
	// CustomerAcceptances returns those of all people with a grant on the customer,
	// newest version first.
	CustomerAcceptances(ctx context.Context, biller, customerID string) ([]Acceptance, error)
	// AgreementProof returns ErrNoAcceptance for an unknown one and, unless customerID is
	// empty, for that of a person without a grant on the customer.
	AgreementProof(ctx context.Context, biller, customerID, userID, version string) (AgreementProof, error)
	// LastAccepted returns the newest version that the person behind holder accepted.
	LastAccepted(ctx context.Context, biller string, holder HolderHash, now time.Time) (a Agreement, at time.Time, found bool, err error)
}

// Acceptances lists what the signed-in person accepted.
func (s *Service) Acceptances(ctx context.Context, c Caller, view SessionView) ([]Acceptance, error) {
	return s.Store.Acceptances(ctx, c.BillerID, view.UserID)
}

// MyProof is the proof of the signed-in person's acceptance of a version.
func (s *Service) MyProof(ctx context.Context, c Caller, view SessionView, version string) (AgreementProof, error) {
	if !Knowable(version) {
		return AgreementProof{}, ErrNoAcceptance
	}
	return s.Store.AgreementProof(ctx, c.BillerID, "", view.UserID, version)
}

// CustomerAcceptances lists to staff what the people of a customer accepted.
func (s *Service) CustomerAcceptances(ctx context.Context, c Caller, customerID string) ([]Acceptance, error) {
	if err := c.need(AbilityInvite); err != nil {
		return nil, err
	}
	return s.Store.CustomerAcceptances(ctx, c.BillerID, customerID)
}

// CustomerProof is the proof, for staff, of an acceptance by one of a customer's
// people.
func (s *Service) CustomerProof(ctx context.Context, c Caller, customerID, userID, version string) (AgreementProof, error) {
	if err := c.need(AbilityInvite); err != nil {
		return AgreementProof{}, err
	}
	if !Knowable(customerID) || !Knowable(userID) || !Knowable(version) {
		return AgreementProof{}, ErrNoAcceptance
	}
	return s.Store.AgreementProof(ctx, c.BillerID, customerID, userID, version)
}

// LastAccepted returns the newest version that the person behind holder accepted,
// and when, for the differences from the one in force.
func (s *Service) LastAccepted(ctx context.Context, c Caller, holder Holder) (a Agreement, at time.Time, found bool, err error) {
	return s.Store.LastAccepted(ctx, c.BillerID, s.holderHash(c, holder), s.Now())
}
