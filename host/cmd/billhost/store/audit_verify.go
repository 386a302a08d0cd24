package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// verifyAtOnce is how many records a check holds in memory.
const verifyAtOnce = 1000

// selectAudit reads records with everything that counts for their hash.
const selectAudit = `
		SELECT
			a.biller_id,
			a.id,
			a.at,
			a.addon_id,
			a.staff_id,
			a.portal_user,
			a.action,
			a.object,
			a.customer_id,
			a.request_id,
			a.remote_ip,
			a.detail,
			a.record_key,
			COALESCE(a.seq, 0) AS seq,
			a.prev_hash,
			a.hash
		FROM audit a
		WHERE a.biller_id = $1`

// VerifyAudit checks every record of the biller's chain and its head, while
// others go on recording. kept are heads that were noted elsewhere: the chain
// must still contain each. A chain that does not hold is no error but a Break.
func (s *Store) VerifyAudit(ctx context.Context, biller string, kept ...books.AuditHead) (books.AuditReport, error) {
	v := verification{store: s, biller: biller, kept: kept}
	for done := false; !done && v.report.Break == nil; {
		if err := v.walk(ctx); err != nil {
			return books.AuditReport{}, err
		}
		if v.report.Break != nil {
			break
		}
		var err error
		if done, err = v.arrive(ctx); err != nil {
			return books.AuditReport{}, err
		}
	}
	if v.report.Break == nil {
		v.compareKept()
	}
	if v.report.Break == nil {
		if err := v.outside(ctx); err != nil {
			return books.AuditReport{}, err
		}
	}
	return v.report, nil
}

// verification is one check on its way along the chain.
type verification struct {
	store  *Store
	biller string
	kept   []books.AuditHead
	// promised is how far a head went that was read before the last walk.
	promised int64
	report   books.AuditReport
}

func (v *verification) fail(seq int64, id, problem string) {
	v.report.Break = &books.AuditBreak{Seq: seq, ID: id, Problem: problem}
}

// walk checks the records behind the last one, until there are no more.
func (v *verification) walk(ctx context.Context) error {
	for {
		var rows []auditRow
		err := v.store.db.R.SelectContext(ctx, &rows, selectAudit+`
			AND a.seq > $2
		ORDER BY a.seq
		LIMIT $3`, v.biller, v.report.Head.Seq, verifyAtOnce)
		if err != nil {
			return fmt.Errorf("read audit: %w", err)
		}
		for _, r := range rows {
			if !v.follows(r) {
				return nil
			}
		}
		if len(rows) < verifyAtOnce {
			return nil
		}
	}
}

// follows checks one record against the one before it.
func (v *verification) follows(r auditRow) bool {
	next := v.report.Head.Seq + 1
	switch {
	case r.Seq != next:
		v.fail(next, "", "the record is missing")
	case !same(r.Hash, v.store.hashRecord(r)):
		v.fail(r.Seq, r.ID, "the record was changed")
	case !same(r.PrevHash, v.report.Head.Hash):
		v.fail(r.Seq, r.ID, "the record does not follow the one before it")
	default:
		v.report.Head = books.AuditHead{Seq: r.Seq, Hash: r.Hash}
		v.report.Records++
		for _, k := range v.kept {
			if k.Seq == r.Seq && !same(k.Hash, r.Hash) {
				v.fail(r.Seq, r.ID, "the record is another one than the head that was kept")
			}
		}
	}
	return v.report.Break == nil
}

// arrive compares the end of the walk with the head; false if records were added
// meanwhile, so that the walk must go on.
func (v *verification) arrive(ctx context.Context) (bool, error) {
	var row headRow
	err := v.store.db.R.GetContext(ctx, &row, selectHead, v.biller)
	if errors.Is(err, sql.ErrNoRows) {
		v.fail(v.report.Head.Seq+1, "", "the head of the chain is missing")
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read audit head: %w", err)
	}
	last, head := v.report.Head, books.AuditHead{Seq: row.Seq, Hash: row.Hash}
	switch {
	case !same(row.Mac, v.store.hashHead(v.biller, head)):
		v.fail(last.Seq+1, "", "the head of the chain was changed")
	case head.Seq > last.Seq && v.promised > last.Seq:
		v.fail(last.Seq+1, "", "the newest records are missing")
	case head.Seq > last.Seq:
		v.promised = head.Seq
		return false, nil
	case head.Seq < last.Seq:
		v.fail(head.Seq+1, "", "the record is newer than the head of the chain")
	case head.Hash != last.Hash:
		v.fail(last.Seq, "", "the head of the chain belongs to another record")
	}
	return true, nil
}

func (v *verification) compareKept() {
	for _, k := range v.kept {
		if k.Seq > v.report.Head.Seq {
			v.fail(v.report.Head.Seq+1, "", "the chain ends before the head that was kept")
			return
		}
	}
}

// outside looks for records that no chain holds.
func (v *verification) outside(ctx context.Context) error {
	var id string
	err := v.store.db.R.GetContext(ctx, &id, `
		SELECT id
		FROM audit
		WHERE biller_id = $1
			AND (seq IS NULL OR seq < 1)
		ORDER BY id
		LIMIT 1`, v.biller)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for records outside the chain: %w", err)
	}
	v.fail(0, id, "the record is not in the chain: somebody inserted it, or a program from before the chain wrote it (billhost migrate chains those)")
	return nil
}
