package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Transactions that meet lock in one order, so that no two wait for each other
// (TestEveryTwoActionsMeet):
//
//  1. the biller's row,
//  2. customers, by id (lockCustomer, lockCustomers),
//  3. users (lockUser),
//  4. what belongs to them: invitations, sign-ups, proofs, grants, sessions,
//     devices, changes of address, requests for access, askings for passwords (by
//     id, lockResets),
//  5. tokens,
//  6. counts of tries, by name.
//
// Whoever needs an earlier lock than it can know of reads first, locks, and reads
// again. Rows that are only added, of histories, activities and jobs, and counts
// before nothing but such rows, may come anywhere. A sweep passes over what others
// hold.

// errOvertaken (Conflict) is a transaction that began with what was true no more once
// it had its locks. Callers begin again.
var errOvertaken = apperr.Errorf(apperr.Conflict, "This is being changed right now. Try again.")

// againAfterMoves is how often a transaction begins again after errOvertaken.
const againAfterMoves = 5

// again runs a transaction until it does not end with errOvertaken.
func again(transaction func() error) (err error) {
	for range againAfterMoves {
		if err = transaction(); !errors.Is(err, errOvertaken) {
			break
		}
	}
	return err
}

// lockCustomers locks several customers; ErrNoCustomer if one is unknown.
func (s *Store) lockCustomers(ctx context.Context, tx *sqlx.Tx, biller string, ids []string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return nil
	}
	query, args, err := sqlx.In(`
		SELECT id
		FROM customers
		WHERE biller_id = ? AND id IN (?)
		ORDER BY id`, biller, ids)
	if err != nil {
		return fmt.Errorf("lock customers: %w", err)
	}
	var locked []string
	if err := selectAll(ctx, tx, &locked, tx.Rebind(query)+s.db.ForUpdate(), args...); err != nil {
		return fmt.Errorf("lock customers: %w", err)
	}
	if len(locked) < len(ids) {
		return portal.ErrNoCustomer
	}
	return nil
}

// lockUser reads a user and keeps others from changing anything about it until
// the transaction ends. ErrNoPerson for an unknown one.
func lockUser(ctx context.Context, tx *sqlx.Tx, biller, userID, forUpdate string) (portal.User, error) {
	var row userRow
	found, err := get(ctx, tx, &row, selectUser+` AND id = $2`+forUpdate, biller, userID)
	if err != nil {
		return portal.User{}, fmt.Errorf("lock user: %w", err)
	}
	if !found {
		return portal.User{}, portal.ErrNoPerson
	}
	return row.user(), nil
}

// lockResets locks the open askings of an address.
func (s *Store) lockResets(ctx context.Context, tx *sqlx.Tx, biller, emailNorm string) error {
	var ids []string
	if err := selectAll(ctx, tx, &ids, `
		SELECT id
		FROM resets
		WHERE biller_id = $1 AND email_norm = $2 AND used_at = 0
		ORDER BY id || ''`+s.db.ForUpdate(), biller, emailNorm); err != nil {
		return fmt.Errorf("lock resets: %w", err)
	}
	return nil
}

// within tells whether every one of ids is among locked.
func within(ids, locked []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(locked, id) })
}
