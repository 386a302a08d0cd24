package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// RecordAudit appends to the biller's audit log. A record whose key the add-on
// used before is kept already.
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
			object, customer_id, request_id, remote_ip, detail, record_key
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (biller_id, addon_id, record_key) WHERE record_key <> '' DO NOTHING`,
		biller, id, sqldb.Time(r.At), r.AddonID, r.StaffID, r.PortalUserClaim, r.Action,
		r.Object, r.CustomerID, r.RequestID, r.RemoteIP, string(detail), r.Key)
	if err != nil {
		return fmt.Errorf("insert audit: %w", err)
	}
	return nil
}
