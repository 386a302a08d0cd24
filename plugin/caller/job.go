package caller

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// whileClosed is how long a job waits for a biller that has switched the add-on off.
const whileClosed = time.Hour

// ForJob returns ctx with the rights of the job's biller. A biller that switched
// the add-on off keeps its jobs until it comes back.
func ForJob(ctx context.Context, host sdk.Host, j jobs.Job, now time.Time) (context.Context, error) {
	as, err := host.Billers.As(ctx, j.Biller)
	if apperr.Is(err, apperr.NotFound) {
		return ctx, jobs.RetryAt(err, now.Add(whileClosed))
	}
	return as, err
}
