package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// staffAfter is how long a mail to staff waits for what happens at the same time,
// whose transactions have not ended.
const staffAfter = 3 * time.Second

// tellStaff plans the mail to staff about an activity, in its transaction. The row
// that it locks is the last one that any transaction locks.
func tellStaff(ctx context.Context, tx *sqlx.Tx, biller string, a portal.Activity) error {
	kind := a.StaffKind()
	if kind == "" {
		return nil
	}
	name, planned := "staff:"+string(kind), when{}
	_, err := get(ctx, tx, &planned, `
		INSERT INTO throttles (biller_id, name, tries, ends_at, open_at, refused)
		VALUES ($1, $2, 0, 0, 0, 0)
		ON CONFLICT (biller_id, name) DO UPDATE SET name = excluded.name
		RETURNING open_at`, biller, name)
	if err != nil {
		return fmt.Errorf("lock plan: %w", err)
	}
	ref := portal.StaffRef{Kind: kind, At: portal.PlanStaff(planned.Time, a.At)}
	_, err = tx.ExecContext(ctx, `
		UPDATE throttles
		SET
			open_at = $3,
			ends_at = $4
		WHERE biller_id = $1 AND name = $2`, biller, name, us(ref.At), us(ref.At.Add(portal.StaffEvery)))
	if err != nil {
		return fmt.Errorf("plan mail to staff: %w", err)
	}
	payload, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("encode job: %w", err)
	}
	return jobs.Enqueue(ctx, tx, jobs.Job{
		Biller: biller, Kind: portal.JobStaff, Payload: string(payload), IdemKey: ref.Key(), RunAt: ref.At.Add(staffAfter),
	})
}

// StaffNotice implements portal.StaffStore.
func (s *Store) StaffNotice(ctx context.Context, biller string, ref portal.StaffRef) (portal.StaffNotice, error) {
	n := portal.StaffNotice{Ref: ref}
	about, err := s.matters(ctx, biller, ref)
	if err != nil {
		return portal.StaffNotice{}, err
	}
	n.Count = len(about)
	var seen []string
	for _, id := range slices.Concat(about...) {
		if id == "" || slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		if len(n.Customers) == portal.StaffNames {
			n.More++
			continue
		}
		row, err := findCustomer(ctx, s.db.R, biller, id)
		if errors.Is(err, portal.ErrNoCustomer) {
			continue
		}
		if err != nil {
			return portal.StaffNotice{}, err
		}
		n.Customers = append(n.Customers, row.customer())
	}
	return n, nil
}

// matters returns what happened, each by the customers it is about.
func (s *Store) matters(ctx context.Context, biller string, ref portal.StaffRef) ([][]string, error) {
	since, until := us(ref.At.Add(-portal.StaffEvery)), us(ref.At)
	var about [][]string
	if ref.Kind == portal.StaffAccess {
		var customers []string
		err := selectAll(ctx, s.db.R, &customers, `
			SELECT customer_id
			FROM access_requests
			WHERE biller_id = $1 AND state = 'open' AND created_at > $2 AND created_at <= $3
			ORDER BY created_at, id`, biller, since, until)
		if err != nil {
			return nil, fmt.Errorf("read requests: %w", err)
		}
		for _, id := range customers {
			about = append(about, []string{id})
		}
		return about, nil
	}
	var rows []activityRow
	err := selectAll(ctx, s.db.R, &rows, selectActivity+`
		AND at > $2 AND at <= $3 AND action = $4
		ORDER BY at, id`, biller, since, until, string(portal.ActionDisowned))
	if err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	for _, r := range rows {
		a, err := r.activity()
		if err != nil {
			return nil, err
		}
		if a.StaffKind() != ref.Kind {
			continue
		}
		customers := []string{a.CustomerID}
		if a.CustomerID == "" && a.UserID != "" {
			if customers, err = grantedCustomers(ctx, s.db.R, biller, a.UserID); err != nil {
				return nil, err
			}
		}
		about = append(about, customers)
	}
	return about, nil
}
