package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
)

// distribute hands the schema's tables to Citus: first the reference tables,
// whole on every node, then every other table with a biller_id, sharded by it,
// referenced tables before those that refer to them. Tables that are distributed
// already stay as they are.
func distribute(ctx context.Context, db sqlx.ExtContext, reference []string) error {
	tables, err := undistributed(ctx, db, reference)
	if err != nil {
		return err
	}
	for _, t := range tables {
		query := `SELECT create_distributed_table(CAST(quote_ident($1) AS regclass), 'biller_id')`
		if slices.Contains(reference, t) {
			query = `SELECT create_reference_table(CAST(quote_ident($1) AS regclass))`
		}
		if _, err := db.ExecContext(ctx, query, t); err != nil {
			return fmt.Errorf("distribute table %s: %w", t, err)
		}
	}
	return nil
}

// undistributed lists the tables distribute has to handle, in its order.
func undistributed(ctx context.Context, db sqlx.ExtContext, reference []string) ([]string, error) {
	var known []string
	if err := sqlx.SelectContext(ctx, db, &known, `
		SELECT c.relname
		FROM pg_dist_partition AS p
		JOIN pg_class AS c ON c.oid = p.logicalrelid
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema()`); err != nil {
		return nil, fmt.Errorf("list distributed tables: %w", err)
	}
	var keyed []string
	if err := sqlx.SelectContext(ctx, db, &keyed, `
		SELECT c.relname
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE n.nspname = current_schema()
			AND c.relkind IN ('r', 'p')
			AND NOT c.relispartition
			AND a.attname = 'biller_id'
			AND NOT a.attisdropped
		ORDER BY c.relname`); err != nil {
		return nil, fmt.Errorf("list tables with biller_id: %w", err)
	}
	var edges []struct {
		Child  string `db:"child"`
		Parent string `db:"parent"`
	}
	if err := sqlx.SelectContext(ctx, db, &edges, `
		SELECT
			c.relname AS child,
			p.relname AS parent
		FROM pg_constraint AS f
		JOIN pg_class AS c ON c.oid = f.conrelid
		JOIN pg_class AS p ON p.oid = f.confrelid
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE f.contype = 'f' AND n.nspname = current_schema()
		ORDER BY child, parent`); err != nil {
		return nil, fmt.Errorf("list foreign keys: %w", err)
	}
	parents := map[string][]string{}
	for _, e := range edges {
		parents[e.Child] = append(parents[e.Child], e.Parent)
	}
	return parentsFirst(slices.Concat(reference, keyed), parents, known), nil
}

// parentsFirst returns wanted without duplicates and without known, each table
// after its parents; tables outside wanted are not added.
func parentsFirst(wanted []string, parents map[string][]string, known []string) []string {
	var order []string
	seen := map[string]bool{}
	var visit func(table string)
	visit = func(table string) {
		if seen[table] || slices.Contains(known, table) || !slices.Contains(wanted, table) {
			return
		}
		seen[table] = true
		for _, p := range parents[table] {
			visit(p)
		}
		order = append(order, table)
	}
	for _, t := range wanted {
		visit(t)
	}
	return order
}
