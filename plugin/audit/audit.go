// Package audit writes into the biller's audit log what the portal does.
package audit

import (
	"context"
	"log/slog"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Trail writes events that have happened. One that cannot be written is logged
// and does not undo what happened; the portal's own history has it too.
type Trail struct {
	Host sdk.Host
	Log  *slog.Logger
}

// Invited records an invitation that staff sent.
func (t Trail) Invited(ctx context.Context, inv portal.Invitation) {
	t.write(ctx, sdk.AuditEvent{Action: "invitation.sent", Object: inv.ID, CustomerID: inv.CustomerID})
}

// Linked records that staff were given a link to pass on.
func (t Trail) Linked(ctx context.Context, customerID string) {
	t.write(ctx, sdk.AuditEvent{Action: "invitation.linked", Object: customerID, CustomerID: customerID})
}

// Accepted records that a person accepted the agreement.
func (t Trail) Accepted(ctx context.Context, userID, version string) {
	t.write(ctx, sdk.AuditEvent{
		Action: "agreement.accepted", Object: userID, PortalUser: userID,
		Detail: map[string]string{"version": version},
	})
}

func (t Trail) write(ctx context.Context, e sdk.AuditEvent) {
	if err := t.Host.Audit.Write(ctx, e); err != nil {
		t.Log.ErrorContext(ctx, "audit event not written", "action", e.Action, "object", e.Object,
			"request", sdk.CallFrom(ctx).RequestID, "error", err.Error())
	}
}
