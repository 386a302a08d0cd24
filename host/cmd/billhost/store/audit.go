package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// RecordAudit appends to the biller's audit log.
func (s *Store) RecordAudit(ctx context.Context, biller string, r addon.AuditRecord) error {
	detail, err := json.Marshal(r.Detail)
	if err != nil {
		return fmt.Errorf("marshal audit detail: %w", err)
	}
	id, err := newID()
	if err != nil {
		return err
	}
	if r.At.IsZero() {
		r.At = s.now()
	}
	_, err = s.db.W.ExecContext(ctx, `
		INSERT INTO audit (
			biller_id, id, at, addon_id, staff_id, portal_user, action,
			object, customer_id, request_id, remote_ip, detail
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		biller, id, sqldb.Time(r.At), r.AddonID, r.StaffID, r.PortalUserClaim, r.Action,
		r.Object, r.CustomerID, r.RequestID, r.RemoteIP, string(detail))
	if err != nil {
		return fmt.Errorf("insert audit: %w", err)
	}
	return nil
}
