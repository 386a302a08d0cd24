package serve_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// A line says what it belongs to: a request or a job, and a trace that is recorded.
func TestLogLinesSayWhatTheyBelongTo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(serve.NewLogHandler(&out, slog.LevelDebug))
	call := sdk.WithCall(t.Context(), sdk.Call{BillerID: "northwind", RequestID: "r1"})
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})

	log.InfoContext(trace.ContextWithSpanContext(call, sampled), "request")
	log.InfoContext(telemetry.WithJob(call, "j1"), "job")
	log.InfoContext(trace.ContextWithSpanContext(call, sampled.WithTraceFlags(0)), "not recorded")
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		`"biller_id":"northwind","request_id":"r1","trace_id":"01000000000000000000000000000000"}`,
		`"biller_id":"northwind","job_id":"j1"}`,
		`"biller_id":"northwind","request_id":"r1"}`,
	} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("%s does not end in %s", lines[i], want)
		}
	}
}
