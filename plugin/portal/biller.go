package portal

import (
	"context"
	"time"
)

// Kinds of the jobs that keep a biller's data true; they have no payload.
const (
	// JobSync reads all customers of the biller into the projection, at enable
	// and daily.
	JobSync = "sync"
	// JobRefresh runs Service.RefreshDue, hourly.
	JobRefresh = "refresh"
)

// BillerStore follows which billers use the portal.
type BillerStore interface {
	// EnableBiller makes the biller known, tells whether it was new, gives it the
	// agreement if it has none, and
	// schedules JobSync and JobRefresh for now.
	EnableBiller(ctx context.Context, biller string, agreement Agreement, now time.Time) (first bool, err error)
	// DisableBiller ends every session at its next request. Data stays.
	DisableBiller(ctx context.Context, biller string) error
	// PurgeBiller deletes everything of the biller.
	PurgeBiller(ctx context.Context, biller string) error
	// Schedule adds a job of JobSync or JobRefresh, once per kind and time; none
	// for a biller that was purged.
	Schedule(ctx context.Context, biller, kind string, at time.Time) error
}

// Enable opens the portal for a biller and tells whether it is the first time. It
// may be repeated.
func (s *Service) Enable(ctx context.Context, c Caller) (first bool, err error) {
	now := s.Now()
	return s.Store.EnableBiller(ctx, c.BillerID, DefaultAgreement(now), now)
}

// Disable closes the portal; everything comes back with Enable.
func (s *Service) Disable(ctx context.Context, c Caller) error {
	return s.Store.DisableBiller(ctx, c.BillerID)
}

// Purge deletes everything of the biller, for good.
func (s *Service) Purge(ctx context.Context, c Caller) error {
	return s.Store.PurgeBiller(ctx, c.BillerID)
}

// Schedule has a job of the kind run at the next full interval; workers call it
// when one is done. All calls within one interval make one job, so restarts do
// not multiply it.
func (s *Service) Schedule(ctx context.Context, c Caller, kind string, every time.Duration) error {
	return s.Store.Schedule(ctx, c.BillerID, kind, s.Now().Truncate(every).Add(every))
}
