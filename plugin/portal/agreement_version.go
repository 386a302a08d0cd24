package portal

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// AgreementState says where a version stands.
type AgreementState string

// States of versions.
const (
	AgreementScheduled AgreementState = "scheduled"
	AgreementInForce   AgreementState = "in_force"
	AgreementPast      AgreementState = "past"
	AgreementWithdrawn AgreementState = "withdrawn"
)

// AgreementStanding says how the people of a customer stand to the version in
// force; empty while nobody has accepted any.
type AgreementStanding string

// Standings of customers. Pending means that somebody accepted an earlier version
// only: still registered, but the portal asks for the new one first.
const (
	AgreementUpToDate AgreementStanding = "up_to_date"
	AgreementPending  AgreementStanding = "pending"
)

// AgreementVersion is a version as staff see it.
type AgreementVersion struct {
	Agreement
	State AgreementState
	// Accepted is how many people accepted it.
	Accepted int
	// PublishedAt and PublishedBy are zero for the platform's default.
	PublishedAt time.Time
	PublishedBy Actor
	// WithdrawnAt is set for a version that was withdrawn before it was in force.
	WithdrawnAt time.Time
}

// AgreementDraft is a version to be published.
type AgreementDraft struct {
	Text string
	// On is the day from which it counts, as 2006-01-02 in Zone.
	On   string
	Zone *time.Location
	// Base is the highest version there was when the text was begun.
	Base string
}

// AgreementVersionStore keeps versions.
type AgreementVersionStore interface {
	// AgreementVersions returns all, newest first; State is left empty.
	AgreementVersions(ctx context.Context, biller string) ([]AgreementVersion, error)
	// AgreementVersion returns one, ErrNoAgreement for an unknown one.
	AgreementVersion(ctx context.Context, biller, version string) (AgreementVersion, error)
	// PublishAgreement keeps the version and the activity, if check, which is given
	// all versions there are, agrees. ErrAgreementRaced if there is one of that number.
	PublishAgreement(ctx context.Context, biller string, v AgreementVersion, check func([]AgreementVersion) error, did Activity) error
	// WithdrawAgreement withdraws a version that takes effect after the time, and
	// keeps the activity. ErrNoAgreement, ErrAgreementGone or ErrAgreementInForce.
	WithdrawAgreement(ctx context.Context, biller, version string, now time.Time, did Activity) error
}

// AgreementVersions lists all versions to staff who may configure, newest first.
func (s *Service) AgreementVersions(ctx context.Context, c Caller) ([]AgreementVersion, error) {
	if err := c.need(AbilityConfigure); err != nil {
		return nil, err
	}
	versions, err := s.Store.AgreementVersions(ctx, c.BillerID)
	if err != nil {
		return nil, err
	}
	setStates(versions, s.Now())
	return versions, nil
}

// setStates says where each version stands. Versions are newest first, and none
// takes effect before an older one.
func setStates(versions []AgreementVersion, now time.Time) {
	found := false
	for i := range versions {
		v := &versions[i]
		switch {
		case !v.WithdrawnAt.IsZero():
			v.State = AgreementWithdrawn
		case v.EffectiveOn.After(now):
			v.State = AgreementScheduled
		case !found:
			v.State, found = AgreementInForce, true
		default:
			v.State = AgreementPast
		}
	}
}

// Publish makes a new version and returns it. Fields "text" and "on" of an
// Invalid error say what is wrong; ErrAgreementRaced if there are versions after
// d.Base. Of parallel calls with one Base one wins.
func (s *Service) Publish(ctx context.Context, c Caller, d AgreementDraft) (Agreement, error) {
	if err := c.need(AbilityConfigure); err != nil {
		return Agreement{}, err
	}
	now := s.Now()
	a, err := d.agreement(now)
	if err != nil {
		return Agreement{}, err
	}
	did := s.activity(c, ActionAgreementPublished, "")
	did.Object = a.Version
	did.Detail = map[string]string{"version": a.Version, "effective": a.EffectiveOn.Format(time.RFC3339), "text_sha256": a.TextHash}
	v := AgreementVersion{Agreement: a, PublishedAt: now, PublishedBy: c.Actor}
	if err := s.Store.PublishAgreement(ctx, c.BillerID, v, a.follows, did); err != nil {
		return Agreement{}, err
	}
	s.did(ctx, c, did)
	return a, nil
}

// CheckAgreement returns what is wrong with a draft by itself, as Publish does.
func (s *Service) CheckAgreement(d AgreementDraft) error {
	_, err := d.agreement(s.Now())
	return err
}

// agreement is the draft as the version after Base.
func (d AgreementDraft) agreement(now time.Time) (Agreement, error) {
	text := cleanAgreement(d.Text)
	if err := CheckAgreementText(text); err != nil {
		return Agreement{}, err
	}
	at, err := d.effective(now)
	if err != nil {
		return Agreement{}, err
	}
	base, err := strconv.Atoi(d.Base)
	if err != nil || base < 1 || base >= 1e6 {
		return Agreement{}, ErrAgreementRaced // no form of ours was sent
	}
	return Agreement{Version: strconv.Itoa(base + 1), EffectiveOn: at, Text: text, TextHash: AgreementHash(text)}, nil
}

// effective is the moment from which the draft counts: the first of its day, or
// now on the present day.
func (d AgreementDraft) effective(now time.Time) (time.Time, error) {
	zone := d.Zone
	if zone == nil {
		zone = time.UTC
	}
	day, err := time.ParseInLocation(time.DateOnly, d.On, zone)
	if err != nil {
		return time.Time{}, ErrAgreementDay
	}
	today := now.In(zone).Format(time.DateOnly)
	switch {
	case d.On < today:
		return time.Time{}, ErrAgreementPast
	case d.On == today:
		return now, nil
	case day.After(now.AddDate(2, 0, 1)):
		return time.Time{}, ErrAgreementFar
	}
	return day.UTC(), nil
}

// follows checks that a may be the next of the versions, newest first.
func (a Agreement) follows(versions []AgreementVersion) error {
	if len(versions) == 0 || a.number() != versions[0].number()+1 {
		return ErrAgreementRaced
	}
	standing := slices.IndexFunc(versions, func(v AgreementVersion) bool { return v.WithdrawnAt.IsZero() })
	switch {
	case standing < 0:
		return nil
	case versions[standing].EffectiveOn.After(a.EffectiveOn):
		return ErrAgreementOrder
	case cleanAgreement(versions[standing].Text) == a.Text:
		return ErrAgreementSame
	}
	return nil
}

// number is the version as a number, 0 for what is none.
func (a Agreement) number() int {
	n, err := strconv.Atoi(a.Version)
	if err != nil {
		return 0
	}
	return n
}

// Withdraw takes back a version before it is in force. ErrNoAgreement,
// ErrAgreementGone or ErrAgreementInForce; of parallel calls one wins.
func (s *Service) Withdraw(ctx context.Context, c Caller, version string) error {
	if err := c.need(AbilityConfigure); err != nil {
		return err
	}
	if !Knowable(version) {
		return ErrNoAgreement
	}
	did := s.activity(c, ActionAgreementWithdrawn, "")
	did.Object, did.Detail = version, map[string]string{"version": version}
	if err := s.Store.WithdrawAgreement(ctx, c.BillerID, version, s.Now(), did); err != nil {
		return err
	}
	s.did(ctx, c, did)
	return nil
}
