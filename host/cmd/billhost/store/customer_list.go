package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// FindCustomers returns a page of the list, ordered by display name. A page
// before another that would be short is the first page. Invalid for a cursor
// that is none.
func (s *Store) FindCustomers(ctx context.Context, biller string, f books.CustomerFilter) (books.CustomerList, error) {
	limit, err := limited(f.Limit, 50, 200)
	if err != nil {
		return books.CustomerList{}, err
	}
	if f.Search != "" && len(searchWords(f.Search)) == 0 { // signs only begin no word
		return books.CustomerList{}, nil
	}
	var rows []customerRow
	if f.Before != "" {
		if rows, err = s.customersBefore(ctx, biller, f, limit); err != nil {
			return books.CustomerList{}, err
		}
	}
	if len(rows) < limit {
		if rows, err = s.customersAfter(ctx, biller, f, limit); err != nil {
			return books.CustomerList{}, err
		}
	}
	return s.placed(ctx, biller, f, rows)
}

func (s *Store) customersAfter(ctx context.Context, biller string, f books.CustomerFilter, limit int) (rows []customerRow, err error) {
	after := []string{"", ""}
	if f.After != "" {
		if after, err = uncursor(f.After, 2); err != nil {
			return nil, err
		}
	}
	where, args := searchSQL(f.Search, 6)
	err = s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND c.archived = $2
			AND (c.sort_key, c.id) > ($3, $4)`+where+`
		ORDER BY c.sort_key, c.id
		LIMIT $5`, append([]any{biller, f.Archived, after[0], after[1], limit}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("find customers: %w", err)
	}
	return rows, nil
}

func (s *Store) customersBefore(ctx context.Context, biller string, f books.CustomerFilter, limit int) (rows []customerRow, err error) {
	before, err := uncursor(f.Before, 2)
	if err != nil {
		return nil, err
	}
	where, args := searchSQL(f.Search, 6)
	err = s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND c.archived = $2
			AND (c.sort_key, c.id) < ($3, $4)`+where+`
		ORDER BY c.sort_key DESC, c.id DESC
		LIMIT $5`, append([]any{biller, f.Archived, before[0], before[1], limit}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("find customers before: %w", err)
	}
	slices.Reverse(rows)
	return rows, nil
}

// placed counts where the page stands in the whole list.
func (s *Store) placed(ctx context.Context, biller string, f books.CustomerFilter, rows []customerRow) (books.CustomerList, error) {
	list := books.CustomerList{Customers: customers(rows), Searched: searchWords(f.Search)}
	if len(rows) == 0 {
		return list, nil
	}
	first, last := rows[0], rows[len(rows)-1]
	var counts struct {
		Total  int `db:"total"`
		Before int `db:"before"`
	}
	where, args := searchSQL(f.Search, 5)
	err := s.db.R.GetContext(ctx, &counts, `
		SELECT
			COUNT(*) AS total,
			COUNT(CASE WHEN (c.sort_key, c.id) < ($3, $4) THEN 1 END) AS before
		FROM customers c
		WHERE c.biller_id = $1
			AND c.archived = $2`+where, append([]any{biller, f.Archived, first.SortKey, first.ID}, args...)...)
	if err != nil {
		return books.CustomerList{}, fmt.Errorf("count customers: %w", err)
	}
	list.First, list.Total = counts.Before+1, counts.Total
	if counts.Before > 0 {
		list.Prev = cursor(first.SortKey, first.ID)
	}
	if counts.Before+len(rows) < counts.Total {
		list.Next = cursor(last.SortKey, last.ID)
	}
	return list, nil
}
