// Package store keeps notices in SQLite or PostgreSQL: the only place with SQL.
// Each statement names the biller.
package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// maxNotices bounds what one page shows.
const maxNotices = 100

// Store is safe for concurrent use.
type Store struct{ db *sqldb.DB }

// New returns a store on a migrated database.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

//go:embed migrations
var files embed.FS

// Migrations returns the set to hand to sqldb.Migrate.
func Migrations() sqldb.Migrations {
	dialects, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the embedded folder has that name
	}
	return sqldb.Migrations{Name: "notices", Files: dialects, Program: 1}
}

// List returns the biller's notices that are not over, the next to end first,
// 100 at most.
func (s *Store) List(ctx context.Context, biller, today string) ([]notice.Notice, error) {
	var rows []struct {
		ID        string `db:"id"`
		Text      string `db:"text"`
		FirstDay  string `db:"first_day"`
		LastDay   string `db:"last_day"`
		WrittenBy string `db:"written_by"`
	}
	if err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			id,
			text,
			first_day,
			last_day,
			written_by
		FROM notices
		WHERE biller_id = $1
			AND last_day >= $2
		ORDER BY
			last_day,
			id
		LIMIT $3`, biller, today, maxNotices); err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	list := make([]notice.Notice, len(rows))
	for i, r := range rows {
		list[i] = notice.Notice(r)
	}
	return list, nil
}

// Add keeps a notice. Conflict if its id is taken.
func (s *Store) Add(ctx context.Context, biller string, n notice.Notice) error {
	_, err := s.db.W.ExecContext(ctx, `
		INSERT INTO notices (
			biller_id,
			id,
			text,
			first_day,
			last_day,
			written_by
		)
		VALUES ($1, $2, $3, $4, $5, $6)`, biller, n.ID, n.Text, n.FirstDay, n.LastDay, n.WrittenBy)
	switch {
	case sqldb.IsUnique(err):
		return apperr.Wrap(apperr.Conflict, "This notice is there already.", err)
	case err != nil:
		return fmt.Errorf("add notice: %w", err)
	}
	return nil
}

// Remove deletes a notice. NotFound if the biller has none with this id.
func (s *Store) Remove(ctx context.Context, biller, id string) error {
	res, err := s.db.W.ExecContext(ctx, `
		DELETE FROM notices
		WHERE biller_id = $1
			AND id = $2`, biller, id)
	if err != nil {
		return fmt.Errorf("remove notice: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("count removed notices: %w", err)
	}
	if n == 0 {
		return apperr.Errorf(apperr.NotFound, "This notice is not there any more.")
	}
	return nil
}

// Purge deletes all notices of the biller.
func (s *Store) Purge(ctx context.Context, biller string) error {
	if _, err := s.db.W.ExecContext(ctx, `
		DELETE FROM notices
		WHERE biller_id = $1`, biller); err != nil {
		return fmt.Errorf("purge notices: %w", err)
	}
	return nil
}
