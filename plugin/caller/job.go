package caller

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// whileClosed is how long a job waits that has begun just when its biller
// switched the add-on off.
const whileClosed = time.Minute

// Here tells whether the biller has the add-on, as far as this process was told
// (jobs.Config.Ready).
func Here(host sdk.Host) func(biller string) bool {
	return func(biller string) bool {
		_, err := host.Billers.As(context.Background(), biller)
		return !apperr.Is(err, apperr.NotFound)
	}
}

// ForJob returns ctx with the rights of the job's biller. A biller that switched
// the add-on off keeps its jobs until it comes back.
func ForJob(ctx context.Context, host sdk.Host, j jobs.Job, now time.Time) (context.Context, error) {
	as, err := host.Billers.As(ctx, j.Biller)
	if apperr.Is(err, apperr.NotFound) {
		return ctx, jobs.RetryAt(err, now.Add(whileClosed))
	}
	return as, err
}
