package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// exported is a time in a file: null for never.
type exported struct{ when }

// MarshalJSON implements json.Marshaler.
func (e exported) MarshalJSON() ([]byte, error) {
	if e.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(e.Time.UTC())
}

type exportUser struct {
	ID          string   `db:"id" json:"id"`
	Email       string   `db:"email" json:"email"`
	State       string   `db:"state" json:"state"`
	ConfirmedAt exported `db:"confirmed_at" json:"confirmed_at"`
	CreatedAt   exported `db:"created_at" json:"created_at"`
}

type exportGrant struct {
	UserID         string   `db:"user_id" json:"user_id"`
	CustomerID     string   `db:"customer_id" json:"customer_id"`
	CustomerNumber string   `db:"number" json:"customer_number"`
	CustomerName   string   `db:"name" json:"customer_name"`
	State          string   `db:"state" json:"state"`
	Right          string   `db:"access_right" json:"right"`
	Kept           string   `db:"kept" json:"kept_beside"`
	CreatedAt      exported `db:"created_at" json:"created_at"`
}

type exportSignUp struct {
	ID           string   `db:"id" json:"id"`
	InvitationID string   `db:"invitation_id" json:"invitation_id"`
	Email        string   `db:"email" json:"email"`
	Step         string   `db:"step" json:"step"`
	UserID       string   `db:"user_id" json:"user_id"`
	CreatedAt    exported `db:"created_at" json:"created_at"`
	ExpiresAt    exported `db:"expires_at" json:"expires_at"`
}

type exportSignUpCustomer struct {
	SignUpID   string `db:"signup_id" json:"sign_up_id"`
	CustomerID string `db:"customer_id" json:"customer_id"`
}

type exportInvitation struct {
	ID         string   `db:"id" json:"id"`
	CustomerID string   `db:"customer_id" json:"customer_id"`
	Email      string   `db:"email" json:"email"`
	State      string   `db:"state" json:"state"`
	Right      string   `db:"access_right" json:"right"`
	Source     string   `db:"source" json:"source"`
	RequestID  string   `db:"request_id" json:"request_id"`
	CreatedAt  exported `db:"created_at" json:"created_at"`
	QueuedAt   exported `db:"queued_at" json:"sent_for_at"`
	OpenedAt   exported `db:"opened_at" json:"opened_at"`
	ExpiresAt  exported `db:"expires_at" json:"expires_at"`
}

type exportHistory struct {
	CustomerID string   `db:"customer_id" json:"customer_id"`
	Kind       string   `db:"kind" json:"kind"`
	Detail     string   `db:"detail" json:"detail"`
	By         string   `db:"by_name" json:"by"`
	At         exported `db:"at" json:"at"`
}

type exportAgreement struct {
	Version     string   `db:"version" json:"version"`
	EffectiveOn exported `db:"effective_on" json:"effective_on"`
	Text        string   `db:"text" json:"text"`
	TextHash    string   `db:"text_hash" json:"text_sha256"`
	PublishedAt exported `db:"published_at" json:"published_at"`
	PublishedBy string   `db:"published_by" json:"published_by"`
	WithdrawnAt exported `db:"withdrawn_at" json:"withdrawn_at"`
}

type exportAcceptance struct {
	UserID     string   `db:"user_id" json:"user_id"`
	Email      string   `db:"email" json:"email"`
	Version    string   `db:"version" json:"version"`
	TextHash   string   `db:"text_hash" json:"text_sha256"`
	AcceptedAt exported `db:"accepted_at" json:"accepted_at"`
	IP         string   `db:"ip" json:"ip"`
	Agent      string   `db:"agent" json:"agent"`
}

// Export implements portal.ExportStore.
func (s *Store) Export(ctx context.Context, biller string, send func(kind string, row any) error) error {
	for _, kind := range []func(context.Context, *sqldb.DB, string, func(string, any) error) error{
		exportPeople, exportInvitations, exportAccess, exportAgreements, exportActivities,
	} {
		if err := kind(ctx, s.db, biller, send); err != nil {
			return err
		}
	}
	return nil
}

func exportPeople(ctx context.Context, db *sqldb.DB, biller string, send func(string, any) error) error {
	if err := exportRows[exportUser](ctx, db, biller, "users", send, `
		SELECT
			id,
			email,
			state,
			confirmed_at,
			created_at
		FROM users
		WHERE biller_id = $1
		ORDER BY id`); err != nil {
		return err
	}
	if err := exportRows[exportGrant](ctx, db, biller, "access", send, `
		SELECT
			g.user_id,
			g.customer_id,
			c.number,
			c.name,
			g.state,
			g.access_right,
			g.kept,
			g.created_at
		FROM grants g
		JOIN customers c
			ON c.biller_id = g.biller_id
			AND c.id = g.customer_id
		WHERE g.biller_id = $1
			AND c.biller_id = $1
		ORDER BY
			g.user_id,
			g.customer_id`); err != nil {
		return err
	}
	if err := exportRows[exportSignUp](ctx, db, biller, "sign_ups", send, `
		SELECT
			id,
			invitation_id,
			email,
			step,
			user_id,
			created_at,
			expires_at
		FROM signups
		WHERE biller_id = $1
		ORDER BY id`); err != nil {
		return err
	}
	return exportRows[exportSignUpCustomer](ctx, db, biller, "sign_up_customers", send, `
		SELECT
			signup_id,
			customer_id
		FROM signup_customers
		WHERE biller_id = $1
		ORDER BY
			signup_id,
			customer_id`)
}

func exportInvitations(ctx context.Context, db *sqldb.DB, biller string, send func(string, any) error) error {
	if err := exportRows[exportInvitation](ctx, db, biller, "invitations", send, `
		SELECT
			id,
			customer_id,
			email,
			state,
			access_right,
			source,
			request_id,
			created_at,
			queued_at,
			opened_at,
			expires_at
		FROM invitations
		WHERE biller_id = $1
		ORDER BY id`); err != nil {
		return err
	}
	return exportRows[exportHistory](ctx, db, biller, "history", send, `
		SELECT
			customer_id,
			kind,
			detail,
			by_name,
			at
		FROM history
		WHERE biller_id = $1
		ORDER BY id`)
}

func exportAgreements(ctx context.Context, db *sqldb.DB, biller string, send func(string, any) error) error {
	if err := exportRows[exportAgreement](ctx, db, biller, "agreements", send, `
		SELECT
			version,
			effective_on,
			text,
			text_hash,
			published_at,
			published_by,
			withdrawn_at
		FROM agreements
		WHERE biller_id = $1
		ORDER BY CAST(version AS INTEGER)`); err != nil {
		return err
	}
	return exportRows[exportAcceptance](ctx, db, biller, "agreements_accepted", send, `
		SELECT
			user_id,
			email,
			version,
			text_hash,
			accepted_at,
			ip,
			agent
		FROM acceptances
		WHERE biller_id = $1
		ORDER BY
			user_id,
			CAST(version AS INTEGER)`)
}

// exportRows sends the rows of a query that takes the biller, one at a time.
func exportRows[T any](ctx context.Context, db *sqldb.DB, biller, kind string, send func(string, any) error, query string) (err error) {
	rows, err := db.R.QueryxContext(ctx, query, biller)
	if err != nil {
		return fmt.Errorf("export %s: %w", kind, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row T
		if err := rows.StructScan(&row); err != nil {
			return fmt.Errorf("export %s: %w", kind, err)
		}
		if err := send(kind, row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("export %s: %w", kind, err)
	}
	return nil
}
