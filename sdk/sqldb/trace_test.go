package sqldb_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// Statements of a traced context are spans with their text, never with a value;
// those of other contexts are none.
func TestStatementsAreSpans(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		kept := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
		quiet := t.Context()
		mustExecOn(t, db, quiet, `CREATE TABLE notes (biller_id TEXT, body TEXT)`)
		ctx, root := telemetry.Start(telemetry.WithProvider(quiet, provider, trace.SpanContext{}), "root", trace.SpanKindInternal)

		tx, err := db.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, `INSERT INTO notes (biller_id, body) VALUES ($1, $2)`, "acme", "a secret"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var bodies []string
		if err := db.R.SelectContext(ctx, &bodies, "\n\t\tSELECT body\n\t\tFROM notes\n\t\tWHERE biller_id = $1", "acme"); err != nil || len(bodies) != 1 {
			t.Fatal(bodies, err)
		}
		if err := db.R.GetContext(ctx, new(string), `SELECT body FROM notes WHERE biller_id = $1`, "nobody"); err != sql.ErrNoRows {
			t.Fatal(err)
		}
		if _, err := db.W.ExecContext(ctx, `DELETE FROM nowhere WHERE body = $1`, "a secret"); err == nil {
			t.Fatal("deleted from nowhere")
		}
		mustExecOn(t, db, quiet, `DELETE FROM notes`)
		root.End()
		checkSpans(t, kept.GetSpans(), root.SpanContext())
	})
}

func checkSpans(tb testing.TB, spans tracetest.SpanStubs, root trace.SpanContext) {
	tb.Helper()
	var got []string
	for _, s := range spans {
		if s.Name == "root" {
			continue
		}
		line := s.Name
		for _, kv := range s.Attributes {
			switch kv.Key {
			case "db.query.text", "db.response.returned_rows":
				line += "|" + kv.Value.String()
			}
			if strings.Contains(kv.Value.String(), "secret") || strings.Contains(s.Status.Description, "secret") {
				tb.Errorf("%s holds a value", s.Name)
			}
		}
		if s.Parent.SpanID() != root.SpanID() {
			tb.Errorf("%s is no child of the caller", s.Name)
		}
		got = append(got, line+"|"+s.Status.Code.String())
	}
	want := []string{
		"BEGIN|BEGIN|Unset",
		"INSERT|INSERT INTO notes (biller_id, body) VALUES ($1, $2)|Unset",
		"COMMIT|COMMIT|Unset",
		"SELECT|SELECT body FROM notes WHERE biller_id = $1|1|Unset",
		"SELECT|SELECT body FROM notes WHERE biller_id = $1|0|Unset",
		"DELETE|DELETE FROM nowhere WHERE body = $1|Error",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Error(diff)
	}
}

func mustExecOn(tb testing.TB, db *sqldb.DB, ctx context.Context, statement string) {
	tb.Helper()
	if _, err := db.W.ExecContext(ctx, statement); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkUntraced shows what a statement costs that nobody traces.
func BenchmarkUntraced(b *testing.B) {
	db := dbtest.MustOpen(b, dbtest.SQLite(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := db.R.GetContext(b.Context(), new(int), `SELECT 1`); err != nil {
			b.Fatal(err)
		}
	}
}
