package store

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type billerRow struct {
	ID       string `db:"biller_id"`
	Slug     string `db:"slug"`
	Name     string `db:"name"`
	Brand    string `db:"brand"`
	OnBrand  string `db:"on_brand"`
	Email    string `db:"email"`
	Phone    string `db:"phone"`
	Hours    string `db:"hours"`
	Street   string `db:"street"`
	City     string `db:"city"`
	State    string `db:"state"`
	Zip      string `db:"zip"`
	Country  string `db:"country"`
	TimeZone string `db:"time_zone"`
	Locale   string `db:"locale"`
	Currency string `db:"currency"`
}

const selectBiller = `
		SELECT
			biller_id,
			slug,
			name,
			brand,
			on_brand,
			email,
			phone,
			hours,
			street,
			city,
			state,
			zip,
			country,
			time_zone,
			locale,
			currency
		FROM billers
		`

func (r billerRow) biller() sdk.Biller {
	return sdk.Biller{
		ID: r.ID, Slug: r.Slug, Name: r.Name, Brand: r.Brand, OnBrand: r.OnBrand,
		Email: r.Email, Phone: r.Phone, Hours: r.Hours,
		Address:  sdk.Address{Street: r.Street, City: r.City, State: r.State, Zip: r.Zip, Country: r.Country},
		TimeZone: r.TimeZone, Locale: r.Locale, Currency: r.Currency,
		CustomerPath: books.CustomerPath,
	}
}

const noBiller = "There is no such biller."

// AddBiller keeps a new biller and returns it with its id and what was filled
// in. Errors: Invalid, and Conflict if the slug is taken.
func (s *Store) AddBiller(ctx context.Context, b sdk.Biller) (sdk.Biller, error) {
	b, err := books.CheckBiller(b)
	if err != nil {
		return sdk.Biller{}, err
	}
	if b.ID, err = newID(); err != nil {
		return sdk.Biller{}, err
	}
	b.CustomerPath = books.CustomerPath
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return sdk.Biller{}, err
	}
	defer tx.Rollback()

	_, err = tx.ExecContext(ctx, `
		INSERT INTO billers (
			biller_id, slug, name, brand, on_brand, email, phone, hours,
			street, city, state, zip, country, time_zone, locale, currency, created_at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		b.ID, b.Slug, b.Name, b.Brand, b.OnBrand, b.Email, b.Phone, b.Hours,
		b.Address.Street, b.Address.City, b.Address.State, b.Address.Zip, b.Address.Country,
		b.TimeZone, b.Locale, b.Currency, s.now())
	if sqldb.IsUnique(err) {
		return sdk.Biller{}, apperr.Errorf(apperr.Conflict, "The slug %q is taken by another biller.", b.Slug)
	}
	if err != nil {
		return sdk.Biller{}, fmt.Errorf("insert biller: %w", err)
	}
	if err := s.insertHead(ctx, tx, b.ID, books.AuditHead{}); err != nil {
		return sdk.Biller{}, err
	}
	if err := s.audit(ctx, tx, b.ID, addon.AuditRecord{Action: books.AuditBillerAdded, Object: b.Slug}); err != nil {
		return sdk.Biller{}, err
	}
	return b, tx.Commit()
}

// Biller returns the biller, or NotFound.
func (s *Store) Biller(ctx context.Context, biller string) (sdk.Biller, error) {
	var row billerRow
	if err := s.db.R.GetContext(ctx, &row, selectBiller+`WHERE biller_id = $1`, biller); err != nil {
		return sdk.Biller{}, fmt.Errorf("get biller: %w", one(err, noBiller))
	}
	return row.biller(), nil
}

// BillerBySlug returns the biller with the slug, or NotFound.
func (s *Store) BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error) {
	if !text(slug) {
		return sdk.Biller{}, apperr.Errorf(apperr.NotFound, noBiller)
	}
	var row billerRow
	if err := s.db.R.GetContext(ctx, &row, selectBiller+`WHERE slug = $1`, slug); err != nil {
		return sdk.Biller{}, fmt.Errorf("get biller by slug: %w", one(err, noBiller))
	}
	return row.biller(), nil
}

// Billers returns every biller, by slug. For whoever runs the platform, never
// for a biller.
func (s *Store) Billers(ctx context.Context) ([]sdk.Biller, error) {
	var rows []billerRow
	if err := s.db.R.SelectContext(ctx, &rows, selectBiller+`ORDER BY slug`); err != nil {
		return nil, fmt.Errorf("list billers: %w", err)
	}
	out := make([]sdk.Biller, len(rows))
	for i, r := range rows {
		out[i] = r.biller()
	}
	return out, nil
}

// Empty tells whether there is no biller yet.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var found bool
	if err := s.db.R.GetContext(ctx, &found, `SELECT EXISTS (SELECT 1 FROM billers)`); err != nil {
		return false, fmt.Errorf("look for billers: %w", err)
	}
	return !found, nil
}
