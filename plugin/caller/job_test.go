package caller_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// billers answers As.
type billers struct {
	sdk.Billers
	as func(biller string) error
}

func (b billers) As(ctx context.Context, biller string) (context.Context, error) {
	return ctx, b.as(biller)
}

// TestHere: only a biller that is not there makes jobs wait; trouble is met by
// the job, which reports it.
func TestHere(t *testing.T) {
	t.Parallel()
	host := sdk.Host{Billers: billers{as: func(biller string) error {
		switch biller {
		case "gone":
			return apperr.Errorf(apperr.NotFound, "This biller does not have the add-on.")
		case "trouble":
			return errors.New("the line is cut")
		}
		return nil
	}}}
	here := caller.Here(host)
	for biller, want := range map[string]bool{"there": true, "gone": false, "trouble": true} {
		if got := here(biller); got != want {
			t.Errorf("Here(%s) = %t, want %t", biller, got, want)
		}
	}
	for biller, want := range map[string]apperr.Code{"there": "", "gone": apperr.NotFound, "trouble": apperr.Internal} {
		if _, err := caller.ForJob(t.Context(), host, jobs.Job{Biller: biller}, time.Now()); apperr.CodeOf(err) != want {
			t.Errorf("ForJob(%s): %v, want %q", biller, err, want)
		}
	}
}
