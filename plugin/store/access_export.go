package store

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type exportAccessRequest struct {
	ID         string   `db:"id" json:"id"`
	CustomerID string   `db:"customer_id" json:"customer_id"`
	Name       string   `db:"name" json:"name"`
	Email      string   `db:"email" json:"email"`
	Message    string   `db:"message" json:"message"`
	State      string   `db:"state" json:"state"`
	CreatedAt  exported `db:"created_at" json:"created_at"`
	ExpiresAt  exported `db:"expires_at" json:"expires_at"`
	DecidedAt  exported `db:"decided_at" json:"decided_at"`
}

type exportErased struct {
	Person     string   `db:"person" json:"person"`
	Version    string   `db:"version" json:"version"`
	TextHash   string   `db:"text_hash" json:"text_sha256"`
	AcceptedAt exported `db:"accepted_at" json:"accepted_at"`
}

func exportAccess(ctx context.Context, db *sqldb.DB, biller string, send func(string, any) error) error {
	if err := exportRows[exportAccessRequest](ctx, db, biller, "access_requests", send, `
		SELECT
			id,
			customer_id,
			name,
			email,
			message,
			state,
			created_at,
			expires_at,
			decided_at
		FROM access_requests
		WHERE biller_id = $1
		ORDER BY id`); err != nil {
		return err
	}
	return exportRows[exportErased](ctx, db, biller, "erased_agreements_accepted", send, `
		SELECT
			person,
			version,
			text_hash,
			accepted_at
		FROM erased_acceptances
		WHERE biller_id = $1
		ORDER BY
			person,
			version`)
}
