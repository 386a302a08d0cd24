package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// insertTerms writes the words a search finds the customers by.
func insertTerms(ctx context.Context, tx *sqlx.Tx, biller string, customers []portal.Customer) error {
	var args []any
	for _, c := range customers {
		for _, term := range portal.Terms(c) {
			args = append(args, biller, term, c.ID)
		}
	}
	for part := range slices.Chunk(args, 3*1000) {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO customer_terms (biller_id, term, customer_id)
			VALUES `+values(len(part)/3, 3)+`
			ON CONFLICT (biller_id, term, customer_id) DO NOTHING`, part...); err != nil {
			return fmt.Errorf("insert terms: %w", err)
		}
	}
	return nil
}
