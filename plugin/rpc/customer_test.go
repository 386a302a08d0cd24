package rpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/rpc"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// plans is a store that keeps what is scheduled.
type plans struct {
	portal.Store
	err  error
	kept []string
}

func (p *plans) Schedule(_ context.Context, biller, kind string, at time.Time) error {
	p.kept = append(p.kept, biller+" "+kind+" "+at.Format(time.DateTime))
	return p.err
}

// TestUpkeepOutlivesAJobThatIsGivenUp: the next one follows at its hour or day,
// also if the last was given up.
func TestUpkeepOutlivesAJobThatIsGivenUp(t *testing.T) {
	t.Parallel()
	kept := &plans{}
	k := &rpc.Keeper{Service: &portal.Service{
		Store: kept, Now: func() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) },
	}}
	for _, kind := range []string{portal.JobSync, portal.JobRefresh, portal.JobMail} {
		if err := k.Failed(t.Context(), jobs.Job{Biller: "north", Kind: kind}, errors.New("the books are closed")); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	want := []string{"north sync 2026-11-22 00:00:00", "north refresh 2026-11-21 10:00:00"}
	if diff := cmp.Diff(want, kept.kept); diff != "" {
		t.Errorf("scheduled (-want +got):\n%s", diff)
	}
	kept.err = errors.New("no database")
	if err := k.Failed(t.Context(), jobs.Job{Biller: "north", Kind: portal.JobSync}, errors.New("x")); !errors.Is(err, kept.err) {
		t.Errorf("a failure: %v", err)
	}
}
