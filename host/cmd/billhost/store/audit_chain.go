package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// adoptAtOnce is how many records are read at a time.
const adoptAtOnce = 500

// hashRecord is the HMAC over every field of a record but its hash.
func (s *Store) hashRecord(r auditRow) string {
	return s.seal("billhost audit record 1",
		r.BillerID, strconv.FormatInt(r.Seq, 10), r.PrevHash, r.ID, strconv.FormatInt(r.At.UnixMicro(), 10),
		r.AddonID, r.StaffID, r.PortalUser, r.Action, r.Object, r.CustomerID, r.RequestID, r.RemoteIP, r.Detail, r.RecordKey)
}

// hashHead is the HMAC over a biller's head.
func (s *Store) hashHead(biller string, h books.AuditHead) string {
	return s.seal("billhost audit head 1", biller, strconv.FormatInt(h.Seq, 10), h.Hash)
}

// seal is the HMAC-SHA-256 over fields, each with its length before it, so that
// no two lists of fields are written alike.
func (s *Store) seal(fields ...string) string {
	mac := hmac.New(sha256.New, s.auditKey)
	for _, f := range fields {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f))))
		mac.Write([]byte(f))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

type headRow struct {
	Seq  int64  `db:"seq"`
	Hash string `db:"hash"`
	Mac  string `db:"mac"`
}

const selectHead = `
		SELECT
			seq,
			hash,
			mac
		FROM audit_heads
		WHERE biller_id = $1`

// lockHead holds the end of the biller's chain until the transaction ends. A head
// that is gone or was changed is replaced by one behind a gap: recording goes on,
// and every check from then on finds the gap.
func (s *Store) lockHead(ctx context.Context, tx *sqlx.Tx, biller string) (books.AuditHead, error) {
	for range 2 {
		var row headRow
		err := tx.GetContext(ctx, &row, selectHead+s.db.ForUpdate(), biller)
		head := books.AuditHead{Seq: row.Seq, Hash: row.Hash}
		switch {
		case err == nil:
			return s.trusted(ctx, tx, biller, head, row.Mac)
		case !errors.Is(err, sql.ErrNoRows):
			return books.AuditHead{}, fmt.Errorf("lock audit head: %w", err)
		}
		if err := s.beginChain(ctx, tx, biller); err != nil {
			return books.AuditHead{}, err
		}
	}
	return books.AuditHead{}, errors.New("audit head does not stay")
}

// beginChain makes a head where there is none. Every biller has one from the
// start, and `billhost migrate` gave one to those from before: after it, a
// missing head was deleted.
func (s *Store) beginChain(ctx context.Context, tx *sqlx.Tx, biller string) error {
	var chained bool
	err := tx.GetContext(ctx, &chained, `
		SELECT EXISTS (
			SELECT 1
			FROM platform
			WHERE name = 'audit_chained'
		)`)
	if err != nil {
		return fmt.Errorf("look for chains: %w", err)
	}
	head := books.AuditHead{}
	if chained {
		last, err := s.lastPlace(ctx, tx, biller)
		if err != nil {
			return err
		}
		head.Seq = last + 1
	}
	return s.insertHead(ctx, tx, biller, head)
}

func (s *Store) insertHead(ctx context.Context, tx *sqlx.Tx, biller string, h books.AuditHead) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit_heads (biller_id, seq, hash, mac)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (biller_id) DO NOTHING`, biller, h.Seq, h.Hash, s.hashHead(biller, h))
	if err != nil {
		return fmt.Errorf("insert audit head: %w", err)
	}
	return nil
}

// trusted returns the head, or one behind a gap if somebody changed it or
// inserted records behind it.
func (s *Store) trusted(ctx context.Context, tx *sqlx.Tx, biller string, head books.AuditHead, mac string) (books.AuditHead, error) {
	last, err := s.lastPlace(ctx, tx, biller)
	if err != nil {
		return books.AuditHead{}, err
	}
	if !same(mac, s.hashHead(biller, head)) || last > head.Seq {
		return books.AuditHead{Seq: last + 1}, nil // that place stays empty
	}
	return head, nil
}

func (s *Store) lastPlace(ctx context.Context, tx *sqlx.Tx, biller string) (last int64, err error) {
	err = tx.GetContext(ctx, &last, `
		SELECT COALESCE(MAX(seq), 0)
		FROM audit
		WHERE biller_id = $1`, biller)
	if err != nil {
		return 0, fmt.Errorf("find last audit record: %w", err)
	}
	return last, nil
}

func (s *Store) moveHead(ctx context.Context, tx *sqlx.Tx, biller string, h books.AuditHead) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE audit_heads
		SET
			seq = $2,
			hash = $3,
			mac = $4
		WHERE biller_id = $1`, biller, h.Seq, h.Hash, s.hashHead(biller, h))
	if err != nil {
		return fmt.Errorf("move audit head: %w", err)
	}
	return nil
}

// ChainAudit chains the records that programs without the chain have written,
// oldest first, and says so in a record of its own: `billhost migrate` does this.
// Doing it again does nothing.
func (s *Store) ChainAudit(ctx context.Context) error {
	billers, err := s.Billers(ctx)
	if err != nil {
		return err
	}
	for _, b := range billers {
		if err := s.adopt(ctx, b.ID); err != nil {
			return fmt.Errorf("chain audit of %s: %w", b.Slug, err)
		}
	}
	_, err = s.db.W.ExecContext(ctx, `
		INSERT INTO platform (name, value)
		VALUES ('audit_chained', 'yes')
		ON CONFLICT (name) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("keep that audits are chained: %w", err)
	}
	return nil
}

// adopt is ChainAudit for one biller.
func (s *Store) adopt(ctx context.Context, biller string) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	head, err := s.lockHead(ctx, tx, biller)
	if err != nil {
		return err
	}
	adopted := 0
	for {
		var rows []auditRow
		err := tx.SelectContext(ctx, &rows, selectAudit+`
			AND a.seq IS NULL
		ORDER BY a.id
		LIMIT $2`, biller, adoptAtOnce)
		if err != nil {
			return fmt.Errorf("read audit: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		if head, err = s.chain(ctx, tx, head, rows); err != nil {
			return err
		}
		adopted += len(rows)
	}
	if adopted > 0 {
		if err := s.moveHead(ctx, tx, biller, head); err != nil {
			return err
		}
		record := addon.AuditRecord{Action: books.AuditAdopted, Detail: map[string]string{"records": strconv.Itoa(adopted)}}
		if err := s.audit(ctx, tx, biller, record); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// chain appends rows that are kept already and returns the head behind them.
func (s *Store) chain(ctx context.Context, tx *sqlx.Tx, head books.AuditHead, rows []auditRow) (books.AuditHead, error) {
	for _, r := range rows {
		r.Seq, r.PrevHash = head.Seq+1, head.Hash
		r.Hash = s.hashRecord(r)
		_, err := tx.ExecContext(ctx, `
			UPDATE audit
			SET
				seq = $3,
				prev_hash = $4,
				hash = $5
			WHERE biller_id = $1
				AND id = $2`, r.BillerID, r.ID, r.Seq, r.PrevHash, r.Hash)
		if err != nil {
			return books.AuditHead{}, fmt.Errorf("chain audit record: %w", err)
		}
		head = books.AuditHead{Seq: r.Seq, Hash: r.Hash}
	}
	return head, nil
}
