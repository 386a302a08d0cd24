package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// invited is an invitation to an address of the person, and who made use of it.
type invited struct {
	invitationRow
	// Mine and Theirs tell that the person, and that somebody else, signed up with it;
	// Granted that the person has or had access to the customer, Others that somebody
	// else has who signs in with the address.
	Mine    bool `db:"mine"`
	Theirs  bool `db:"theirs"`
	Granted bool `db:"granted"`
	Others  bool `db:"others"`
}

// of tells whether the invitation was to the person.
func (i invited) of(held holdings) bool {
	at, norm := i.CreatedAt.Time, i.EmailNorm
	switch {
	case i.Mine:
		return true
	case i.Theirs, i.Others:
		return false
	case portal.InvitationState(i.State).Open():
		return held.offered(norm, at)
	}
	return i.Granted || held.at(norm, at)
}

func (b *belongings) findInvitations(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	query, args, err := sqlx.In(`
		SELECT
			i.id,
			i.customer_id,
			i.email,
			i.email_norm,
			i.state,
			i.generation,
			i.created_at,
			EXISTS (
				SELECT 1
				FROM signups s
				WHERE s.biller_id = i.biller_id AND s.invitation_id = i.id AND s.user_id = ?
			) AS mine,
			EXISTS (
				SELECT 1
				FROM signups s
				WHERE s.biller_id = i.biller_id AND s.invitation_id = i.id AND s.user_id <> '' AND s.user_id <> ?
			) AS theirs,
			EXISTS (
				SELECT 1
				FROM grants g
				WHERE g.biller_id = i.biller_id AND g.customer_id = i.customer_id AND g.user_id = ?
			) AS granted,
			EXISTS (
				SELECT 1
				FROM grants g
				JOIN users o ON o.biller_id = g.biller_id AND o.id = g.user_id
				WHERE g.biller_id = i.biller_id AND g.customer_id = i.customer_id AND o.email_norm = i.email_norm AND o.id <> ?
			) AS others
		FROM invitations i
		WHERE i.biller_id = ? AND i.email_norm IN (?)`, u.ID, u.ID, u.ID, u.ID, biller, b.norms())
	if err != nil {
		return fmt.Errorf("find invitations: %w", err)
	}
	var rows []invited
	if err := selectAll(ctx, tx, &rows, tx.Rebind(query), args...); err != nil {
		return fmt.Errorf("find invitations: %w", err)
	}
	for _, r := range rows {
		if r.of(b.held) {
			b.invitations = append(b.invitations, r.invitation())
			b.customers = append(b.customers, r.CustomerID)
			b.spell(r.Email, r.EmailNorm)
		}
	}
	return nil
}
