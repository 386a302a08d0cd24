package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// openCustomersAtOnce is how many customers of one address are offered.
const openCustomersAtOnce = 100

// OpenCustomers implements portal.OpenStore.
func (s *Store) OpenCustomers(ctx context.Context, biller, emailNorm string) (portal.OpenCustomers, error) {
	return openCustomers(ctx, s.db.R, biller, emailNorm)
}

func openCustomers(ctx context.Context, q querier, biller, emailNorm string) (portal.OpenCustomers, error) {
	var user userRow
	known, err := get(ctx, q, &user, selectUser+` AND email_norm = $2`, biller, emailNorm)
	if err != nil {
		return portal.OpenCustomers{}, fmt.Errorf("find user: %w", err)
	}
	var rows []customerRow
	if err := selectAll(ctx, q, &rows, `
		SELECT
			id,
			number,
			name,
			display_name,
			address
		FROM customers
		WHERE biller_id = $1 AND email_norm = $2 AND email_norm <> '' AND NOT archived AND status <> $3
		ORDER BY
			display_key || '',
			id
		LIMIT $4`, biller, emailNorm, string(portal.StatusDisabled), openCustomersAtOnce); err != nil {
		return portal.OpenCustomers{}, fmt.Errorf("find customers of address: %w", err)
	}
	out := portal.OpenCustomers{HasAccount: known, Disabled: known && user.State != string(portal.UserActive)}
	for _, r := range rows {
		c := r.customer()
		out.Profiles = append(out.Profiles, portal.Profile{CustomerID: c.ID, Name: c.Label(), Number: c.Number, Address: c.Address})
	}
	return out, nil
}

// FinishProof implements portal.OpenStore.
func (s *Store) FinishProof(ctx context.Context, biller string, in portal.FinishProof, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, err := heldProof(ctx, tx, biller, in.HandleHash, now, "")
	if err != nil {
		return err
	}
	p := row.proof()
	if _, ok := p.Step.Next(portal.ProofFinish); !ok {
		return portal.ErrWrongStep
	}
	if err := s.lockOpen(ctx, tx, biller, p, in.CustomerIDs); err != nil {
		return err
	}
	in.SignUp.Email, in.SignUp.EmailNorm = p.Email, p.EmailNorm
	created, err := insertUser(ctx, tx, biller, in.SignUp, in.UserID, now)
	if err != nil {
		return err
	}
	// Others may have been faster until the customers were locked.
	if row, err = heldProof(ctx, tx, biller, in.HandleHash, now, s.db.ForUpdate()); err != nil {
		return err
	}
	p = row.proof()
	if _, ok := p.Step.Next(portal.ProofFinish); !ok {
		return portal.ErrWrongStep
	}
	if !created {
		if err := moveProof(ctx, tx, biller, p, portal.ProofEnd); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		return portal.ErrHasAccount
	}
	if err := s.finish(ctx, tx, biller, p, in, now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// lockOpen locks the customers chosen; ErrNoProfile if one is not open to the
// address of the proof any more.
func (s *Store) lockOpen(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, customerIDs []string) error {
	if err := s.lockCustomers(ctx, tx, biller, slices.Sorted(slices.Values(customerIDs))); err != nil {
		return err
	}
	found, err := openCustomers(ctx, tx, biller, p.EmailNorm)
	if err != nil {
		return err
	}
	for _, id := range customerIDs {
		if !slices.ContainsFunc(found.Profiles, func(c portal.Profile) bool { return c.CustomerID == id }) {
			return portal.ErrNoProfile
		}
	}
	if len(customerIDs) == 0 {
		return portal.ErrNoProfile
	}
	return nil
}

// finish makes what follows from a proven address and a choice: an accepted
// invitation and a grant of each customer, and the sign-up at the agreement.
func (s *Store) finish(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, in portal.FinishProof, now time.Time) error {
	var first portal.Invitation
	for n, id := range in.CustomerIDs {
		inv, err := s.selfInvitation(ctx, tx, biller, p, id, now)
		if err != nil {
			return err
		}
		if n == 0 {
			first, in.SignUp.InvitationID = inv, inv.ID
			if err := insertSignUp(ctx, tx, biller, in.SignUp); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO signup_customers (biller_id, signup_id, customer_id)
			VALUES ($1, $2, $3)`, biller, in.SignUp.ID, id); err != nil {
			return fmt.Errorf("insert choice: %w", err)
		}
	}
	if err := grantChosen(ctx, tx, biller, in.SignUp.ID, in.UserID, first, now); err != nil {
		return err
	}
	if err := toAgreement(ctx, tx, biller, in); err != nil {
		return err
	}
	if err := moveProof(ctx, tx, biller, p, portal.ProofFinish); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE proofs
		SET user_id = $1
		WHERE biller_id = $2 AND id = $3`, in.UserID, biller, p.ID); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistorySelf, Detail: p.Email + " signed up by themselves through the portal link. The user agreement is next."}
	if err := tellCustomers(ctx, tx, biller, in.CustomerIDs, entry); err != nil {
		return err
	}
	return s.record(ctx, tx, biller, in.Activity)
}

// selfInvitation closes the customer's open invitation to the proven address, or
// one that the person gave themselves, as accepted.
func (s *Store) selfInvitation(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, customerID string, now time.Time) (portal.Invitation, error) {
	inv, found, err := newestInvitation(ctx, tx, biller, customerID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if found && inv.State.Open() && (inv.EmailNorm != p.EmailNorm || !inv.Live(now)) {
		if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationExpire); err != nil {
			return portal.Invitation{}, err
		}
		inv.State = portal.InvitationExpired
	}
	if !found || !inv.State.Open() {
		inv, err = insertSelf(ctx, tx, biller, p, customerID, now)
		if err != nil {
			return portal.Invitation{}, err
		}
	}
	if err := voidSignUps(ctx, tx, biller, inv.ID); err != nil {
		return portal.Invitation{}, err
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationAccept); err != nil {
		return portal.Invitation{}, err
	}
	return inv, nil
}

// insertSelf makes an invitation that nobody sent: of generation 0, without a link
// and without a mail.
func insertSelf(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, customerID string, now time.Time) (portal.Invitation, error) {
	id, err := newID()
	if err != nil {
		return portal.Invitation{}, err
	}
	inv, err := insertInvitation(ctx, tx, biller, portal.Invitation{
		ID: id, CustomerID: customerID, Email: p.Email, EmailNorm: p.EmailNorm,
		CreatedAt: now, ExpiresAt: now, Right: portal.RightPayer,
	})
	if err != nil {
		return portal.Invitation{}, err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE invitations
		SET source = $1
		WHERE biller_id = $2 AND id = $3`, portal.SourceSelf, biller, inv.ID); err != nil {
		return portal.Invitation{}, fmt.Errorf("set source: %w", err)
	}
	return inv, nil
}

// toAgreement takes the sign-up through the steps that the proof has done.
func toAgreement(ctx context.Context, tx *sqlx.Tx, biller string, in portal.FinishProof) error {
	su := in.SignUp
	for _, e := range []portal.SignUpEvent{portal.SignUpChoose, portal.SignUpConfirm} {
		if err := moveSignUp(ctx, tx, biller, su, e); err != nil {
			return err
		}
		su.Step, _ = su.Step.Next(e)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE signups
		SET user_id = $1
		WHERE biller_id = $2 AND id = $3`, in.UserID, biller, su.ID); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	return nil
}
