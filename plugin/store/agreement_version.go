package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type versionRow struct {
	agreementRow
	PublishedAt   when   `db:"published_at"`
	PublishedByID string `db:"published_by_id"`
	PublishedBy   string `db:"published_by"`
	WithdrawnAt   when   `db:"withdrawn_at"`
	Accepted      int    `db:"accepted"`
}

func (r versionRow) version() portal.AgreementVersion {
	return portal.AgreementVersion{
		Agreement: r.agreement(), Accepted: r.Accepted, PublishedAt: r.PublishedAt.Time,
		PublishedBy: portal.Actor{ID: r.PublishedByID, Name: r.PublishedBy}, WithdrawnAt: r.WithdrawnAt.Time,
	}
}

const selectVersions = `
	SELECT
		g.version,
		g.effective_on,
		g.text,
		g.text_hash,
		g.published_at,
		g.published_by_id,
		g.published_by,
		g.withdrawn_at,
		(SELECT COUNT(*)
			FROM acceptances a
			WHERE a.biller_id = $1 AND a.version = g.version) AS accepted
	FROM agreements g
	WHERE g.biller_id = $1`

// AgreementVersions implements portal.AgreementVersionStore.
func (s *Store) AgreementVersions(ctx context.Context, biller string) ([]portal.AgreementVersion, error) {
	return agreementVersions(ctx, s.db.R, biller)
}

func agreementVersions(ctx context.Context, q querier, biller string) ([]portal.AgreementVersion, error) {
	var rows []versionRow
	if err := selectAll(ctx, q, &rows, selectVersions+`
		ORDER BY CAST(g.version AS INTEGER) DESC`, biller); err != nil {
		return nil, fmt.Errorf("read agreements: %w", err)
	}
	out := make([]portal.AgreementVersion, len(rows))
	for i, r := range rows {
		out[i] = r.version()
	}
	return out, nil
}

// AgreementVersion implements portal.AgreementVersionStore.
func (s *Store) AgreementVersion(ctx context.Context, biller, version string) (portal.AgreementVersion, error) {
	return agreementVersion(ctx, s.db.R, biller, version)
}

func agreementVersion(ctx context.Context, q querier, biller, version string) (portal.AgreementVersion, error) {
	var row versionRow
	found, err := get(ctx, q, &row, selectVersions+` AND g.version = $2`, biller, version)
	if err != nil {
		return portal.AgreementVersion{}, fmt.Errorf("find agreement: %w", err)
	}
	if !found {
		return portal.AgreementVersion{}, portal.ErrNoAgreement
	}
	return row.version(), nil
}

// PublishAgreement implements portal.AgreementVersionStore.
func (s *Store) PublishAgreement(ctx context.Context, biller string, v portal.AgreementVersion, check func([]portal.AgreementVersion) error, did portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	known, err := s.lockBiller(ctx, tx, biller)
	if err != nil {
		return err
	}
	if !known {
		return apperr.Errorf(apperr.NotFound, "The portal is not installed.")
	}
	versions, err := agreementVersions(ctx, tx, biller)
	if err != nil {
		return err
	}
	if err := check(versions); err != nil {
		return err
	}
	kept, err := insertAgreement(ctx, tx, biller, v)
	if err != nil {
		return err
	}
	if !kept {
		return portal.ErrAgreementRaced
	}
	if err := s.record(ctx, tx, biller, did); err != nil {
		return err
	}
	return tx.Commit()
}

// WithdrawAgreement implements portal.AgreementVersionStore.
func (s *Store) WithdrawAgreement(ctx context.Context, biller, version string, now time.Time, did portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockBiller(ctx, tx, biller); err != nil {
		return err
	}
	v, err := agreementVersion(ctx, tx, biller, version)
	switch {
	case err != nil:
		return err
	case !v.WithdrawnAt.IsZero():
		return portal.ErrAgreementGone
	case !v.EffectiveOn.After(now) || v.Accepted > 0:
		return portal.ErrAgreementInForce
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE agreements
		SET withdrawn_at = $1
		WHERE biller_id = $2 AND version = $3`, us(now), biller, version); err != nil {
		return fmt.Errorf("withdraw agreement: %w", err)
	}
	if err := s.record(ctx, tx, biller, did); err != nil {
		return err
	}
	return tx.Commit()
}
