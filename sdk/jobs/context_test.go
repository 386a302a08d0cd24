package jobs_test

import (
	"context"
	"errors"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// A handler's context names the job, for log lines, and each try is a trace.
func TestHandlersKnowTheirJob(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		kept := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
		w := mustWorker(t, jobs.Config{DB: db, Handlers: map[string]jobs.Handler{"mail": func(ctx context.Context, j jobs.Job) error {
			if j.ID == "" || telemetry.Job(ctx) != j.ID {
				t.Errorf("the context names %q, not %q", telemetry.Job(ctx), j.ID)
			}
			return jobs.Permanent(errors.New("no"))
		}}})
		mustEnqueue(t, db, mail("acme", "1"), mail("other", "1"))
		if err := w.RunDue(telemetry.WithProvider(t.Context(), provider, trace.SpanContext{})); err != nil {
			t.Fatal(err)
		}
		roots := map[trace.TraceID]bool{}
		for _, s := range kept.GetSpans() {
			if s.Name == "job mail" {
				roots[s.SpanContext.TraceID()] = !s.Parent.IsValid()
			}
		}
		if len(roots) != 2 {
			t.Errorf("%d traces of 2 jobs", len(roots))
		}
	})
}
