package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// auditRow is a record as it is kept. Every field counts for its hash.
type auditRow struct {
	BillerID   string    `db:"biller_id"`
	ID         string    `db:"id"`
	At         time.Time `db:"at"`
	AddonID    string    `db:"addon_id"`
	StaffID    string    `db:"staff_id"`
	PortalUser string    `db:"portal_user"`
	Action     string    `db:"action"`
	Object     string    `db:"object"`
	CustomerID string    `db:"customer_id"`
	RequestID  string    `db:"request_id"`
	RemoteIP   string    `db:"remote_ip"`
	Detail     string    `db:"detail"`
	RecordKey  string    `db:"record_key"`
	Seq        int64     `db:"seq"`
	PrevHash   string    `db:"prev_hash"`
	Hash       string    `db:"hash"`
}

// RecordAudit appends to the biller's audit. A record whose key the add-on used
// before is kept already. What the record leaves open, the books.Actor of the
// context fills. The biller's chain grows by one record at a time: concurrent
// callers wait for each other, whatever process they are in.
func (s *Store) RecordAudit(ctx context.Context, biller string, r addon.AuditRecord) error {
	if r.Key != "" {
		kept, err := s.auditKept(ctx, biller, r)
		if err != nil || kept {
			return err
		}
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	if err := s.audit(ctx, tx, biller, r); err != nil {
		return err
	}
	return tx.Commit()
}

// auditKept spares what a job repeats the chain's lock.
func (s *Store) auditKept(ctx context.Context, biller string, r addon.AuditRecord) (bool, error) {
	var kept bool
	err := s.db.R.GetContext(ctx, &kept, `
		SELECT EXISTS (
			SELECT 1
			FROM audit
			WHERE biller_id = $1
				AND addon_id = $2
				AND record_key = $3
				AND record_key <> ''
		)`, biller, r.AddonID, r.Key)
	if err != nil {
		return false, fmt.Errorf("look for audit record: %w", err)
	}
	return kept, nil
}

// audit appends in the transaction of what is recorded. It is the transaction's
// last statement where it can be, for it holds the biller's chain until the end.
func (s *Store) audit(ctx context.Context, tx *sqlx.Tx, biller string, r addon.AuditRecord) error {
	row, err := s.newAuditRow(ctx, biller, r)
	if err != nil {
		return err
	}
	head, err := s.lockHead(ctx, tx, biller)
	if err != nil {
		return err
	}
	row.Seq, row.PrevHash = head.Seq+1, head.Hash
	row.Hash = s.hashRecord(row)
	done, err := tx.ExecContext(ctx, `
		INSERT INTO audit (
			biller_id, id, at, addon_id, staff_id, portal_user, action, object,
			customer_id, request_id, remote_ip, detail, record_key, seq, prev_hash, hash
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (biller_id, addon_id, record_key) WHERE record_key <> '' DO NOTHING`,
		row.BillerID, row.ID, row.At, row.AddonID, row.StaffID, row.PortalUser, row.Action, row.Object,
		row.CustomerID, row.RequestID, row.RemoteIP, row.Detail, row.RecordKey, row.Seq, row.PrevHash, row.Hash)
	if err != nil {
		return fmt.Errorf("insert audit: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return s.moveHead(ctx, tx, biller, books.AuditHead{Seq: row.Seq, Hash: row.Hash})
}

// newAuditRow fills what the record leaves open.
func (s *Store) newAuditRow(ctx context.Context, biller string, r addon.AuditRecord) (auditRow, error) {
	id, err := newID()
	if err != nil {
		return auditRow{}, err
	}
	if r.At.IsZero() {
		r.At = s.now()
	}
	by := books.ActorFrom(ctx)
	if r.StaffID == "" && r.PortalUserClaim == "" {
		r.StaffID = by.StaffID
	}
	if r.StaffID == books.CommandLine && by.Name != "" {
		r.Detail = maps.Clone(r.Detail)
		if r.Detail == nil {
			r.Detail = map[string]string{}
		}
		r.Detail["by"] = by.Name
	}
	if r.RequestID == "" {
		r.RequestID = by.RequestID
	}
	if r.RemoteIP == "" {
		r.RemoteIP = by.IP
	}
	detail, err := json.Marshal(r.Detail)
	if err != nil {
		return auditRow{}, fmt.Errorf("marshal audit detail: %w", err)
	}
	return auditRow{
		BillerID: biller, ID: id, At: sqldb.Time(r.At), AddonID: keep(r.AddonID), StaffID: keep(r.StaffID),
		PortalUser: keep(r.PortalUserClaim), Action: keep(r.Action), Object: keep(r.Object), CustomerID: keep(r.CustomerID),
		RequestID: keep(r.RequestID), RemoteIP: keep(r.RemoteIP), Detail: string(detail), RecordKey: keep(r.Key),
	}, nil
}

// keep makes text of what an add-on wrote: a record is never lost for a byte
// that the database does not take.
func keep(s string) string {
	if text(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
