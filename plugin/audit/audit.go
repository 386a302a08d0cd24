// Package audit carries what the portal keeps of activities to the biller's audit
// log: at once, while the platform knows for itself who asks, and again by a job.
package audit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// Trail implements portal.Trail.
type Trail struct {
	Host sdk.Host
	Log  *slog.Logger
}

var _ portal.Trail = Trail{}

// Write implements portal.Trail. A failure is logged; it undoes nothing.
func (t Trail) Write(ctx context.Context, c portal.Caller, a portal.Activity) error {
	err := t.Host.Audit.Write(ctx, sdk.AuditEvent{
		Key: a.ID, Action: string(a.Action), Object: object(a), CustomerID: a.CustomerID, PortalUser: a.UserID, Detail: detail(c, a),
	})
	if err != nil {
		t.Log.WarnContext(ctx, "audit event not written yet", "action", string(a.Action), "activity", a.ID, "error", err.Error())
	}
	return err
}

// object is what it happened to.
func object(a portal.Activity) string {
	if a.Object != "" {
		return a.Object
	}
	return a.UserID
}

// detail adds what the platform cannot know for itself when a job writes: who
// acted, from where and when, on the portal's word.
func detail(c portal.Caller, a portal.Activity) map[string]string {
	if c.IP.IsValid() {
		return a.Detail
	}
	d := map[string]string{"at": a.At.UTC().Format(time.RFC3339Nano)}
	maps.Copy(d, a.Detail)
	for name, value := range map[string]string{"ip": a.IP, "staff": a.By.ID} {
		if value != "" {
			d[name] = value
		}
	}
	return d
}

// Writer does the jobs of portal.JobAudit.
type Writer struct {
	Service *portal.Service
	Host    sdk.Host
	Now     func() time.Time
}

// Write is the handler.
func (w *Writer) Write(ctx context.Context, j jobs.Job) error {
	var ref portal.AuditRef
	if err := j.Decode(&ref); err != nil {
		return jobs.Permanent(err)
	}
	ctx, err := caller.ForJob(ctx, w.Host, j, w.Now())
	if err != nil {
		return err
	}
	if err := w.Service.Audit(ctx, caller.Of(sdk.CallFrom(ctx), ""), ref.ID); err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return nil
}
