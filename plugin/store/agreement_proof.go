package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

type acceptanceRow struct {
	UserID     string `db:"user_id"`
	Version    string `db:"version"`
	TextHash   string `db:"text_hash"`
	AcceptedAt when   `db:"accepted_at"`
	IP         string `db:"ip"`
	Agent      string `db:"agent"`
	Email      string `db:"email"`
}

func (r acceptanceRow) acceptance() portal.Acceptance {
	return portal.Acceptance{
		UserID: r.UserID, Version: r.Version, TextHash: r.TextHash, At: r.AcceptedAt.Time,
		IP: r.IP, Agent: r.Agent, Email: r.Email,
	}
}

const selectAcceptances = `
	SELECT
		a.user_id,
		a.version,
		a.text_hash,
		a.accepted_at,
		a.ip,
		a.agent,
		a.email
	FROM acceptances a
	WHERE a.biller_id = $1`

// Acceptances implements portal.AgreementProofStore.
func (s *Store) Acceptances(ctx context.Context, biller, userID string) ([]portal.Acceptance, error) {
	return acceptances(ctx, s.db.R, selectAcceptances+` AND a.user_id = $2
		ORDER BY CAST(a.version AS INTEGER) DESC`, biller, userID)
}

// CustomerAcceptances implements portal.AgreementProofStore.
func (s *Store) CustomerAcceptances(ctx context.Context, biller, customerID string) ([]portal.Acceptance, error) {
	return acceptances(ctx, s.db.R, selectAcceptances+` AND a.user_id IN (
			SELECT g.user_id
			FROM grants g
			WHERE g.biller_id = $1 AND g.customer_id = $2 AND g.state <> 'dismissed')
		ORDER BY CAST(a.version AS INTEGER) DESC, a.user_id`, biller, customerID)
}

func acceptances(ctx context.Context, q querier, query string, args ...any) ([]portal.Acceptance, error) {
	var rows []acceptanceRow
	if err := selectAll(ctx, q, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("read acceptances: %w", err)
	}
	out := make([]portal.Acceptance, len(rows))
	for i, r := range rows {
		out[i] = r.acceptance()
	}
	return out, nil
}

// AgreementProof implements portal.AgreementProofStore.
func (s *Store) AgreementProof(ctx context.Context, biller, customerID, userID, version string) (portal.AgreementProof, error) {
	var row struct {
		acceptanceRow
		Present     string `db:"present"`
		EffectiveOn when   `db:"effective_on"`
		Text        string `db:"text"`
		Hash        string `db:"agreement_hash"`
	}
	query, args := `
		SELECT
			a.user_id,
			a.version,
			a.text_hash,
			a.accepted_at,
			a.ip,
			a.agent,
			a.email,
			u.email AS present,
			v.effective_on,
			v.text,
			v.text_hash AS agreement_hash
		FROM acceptances a
		JOIN users u ON u.biller_id = a.biller_id AND u.id = a.user_id
		JOIN agreements v ON v.biller_id = a.biller_id AND v.version = a.version
		WHERE a.biller_id = $1 AND u.biller_id = $1 AND v.biller_id = $1
			AND a.user_id = $2 AND a.version = $3`, []any{biller, userID, version}
	if customerID != "" {
		query += ` AND EXISTS (
				SELECT 1
				FROM grants g
				WHERE g.biller_id = $1 AND g.user_id = $2 AND g.customer_id = $4 AND g.state <> 'dismissed')`
		args = append(args, customerID)
	}
	found, err := get(ctx, s.db.R, &row, query, args...)
	if err != nil {
		return portal.AgreementProof{}, fmt.Errorf("find acceptance: %w", err)
	}
	if !found {
		return portal.AgreementProof{}, portal.ErrNoAcceptance
	}
	return portal.AgreementProof{
		Acceptance: row.acceptance(), Present: row.Present,
		Agreement: portal.Agreement{Version: row.Version, EffectiveOn: row.EffectiveOn.Time, Text: row.Text, TextHash: row.Hash},
	}, nil
}

// LastAccepted implements portal.AgreementProofStore.
func (s *Store) LastAccepted(ctx context.Context, biller string, holder portal.HolderHash, now time.Time) (a portal.Agreement, at time.Time, found bool, err error) {
	held, err := findHolder(ctx, s.db.R, biller, holder, now)
	if err != nil {
		return portal.Agreement{}, time.Time{}, false, err
	}
	var row struct {
		agreementRow
		AcceptedAt when `db:"accepted_at"`
	}
	found, err = get(ctx, s.db.R, &row, `
		SELECT
			v.version,
			v.effective_on,
			v.text,
			v.text_hash,
			a.accepted_at
		FROM acceptances a
		JOIN agreements v ON v.biller_id = a.biller_id AND v.version = a.version
		WHERE a.biller_id = $1 AND v.biller_id = $1 AND a.user_id = $2
		ORDER BY CAST(a.version AS INTEGER) DESC
		LIMIT 1`, biller, held.UserID)
	if err != nil {
		return portal.Agreement{}, time.Time{}, false, fmt.Errorf("find accepted agreement: %w", err)
	}
	return row.agreement(), row.AcceptedAt.Time, found, nil
}

// agreementStates tells, by customer, whether the people with access who accepted
// any version accepted the one in force. Customers without such people are left out.
func agreementStates(ctx context.Context, db *sqlx.DB, biller string, customerIDs []string, now time.Time) (map[string]portal.AgreementStanding, error) {
	var current string
	if _, err := get(ctx, db, &current, `
		SELECT version`+inForce, biller, us(now)); err != nil {
		return nil, fmt.Errorf("find agreement: %w", err)
	}
	query, args, err := sqlx.In(`
		SELECT
			g.customer_id,
			MIN(CASE WHEN EXISTS (
				SELECT 1
				FROM acceptances a
				WHERE a.biller_id = g.biller_id AND a.user_id = g.user_id AND a.version = ?) THEN 1 ELSE 0 END) AS up_to_date
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		WHERE g.biller_id = ? AND u.biller_id = ? AND g.customer_id IN (?) AND g.state = 'active' AND u.state = 'active'
			AND EXISTS (
				SELECT 1
				FROM acceptances o
				WHERE o.biller_id = g.biller_id AND o.user_id = g.user_id)
		GROUP BY g.customer_id`, current, biller, biller, customerIDs)
	if err != nil {
		return nil, fmt.Errorf("read agreements of customers: %w", err)
	}
	var rows []struct {
		CustomerID string `db:"customer_id"`
		UpToDate   bool   `db:"up_to_date"`
	}
	if err := db.SelectContext(ctx, &rows, db.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("read agreements of customers: %w", err)
	}
	states := map[string]portal.AgreementStanding{}
	for _, r := range rows {
		states[r.CustomerID] = portal.AgreementPending
		if r.UpToDate {
			states[r.CustomerID] = portal.AgreementUpToDate
		}
	}
	return states, nil
}
