package observe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/host/observe"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func spanAt(at time.Time, attrs ...attribute.KeyValue) wire.Span {
	return wire.Span{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Parent: trace.SpanID{3}, Name: "work",
		Start: at.Add(-time.Second), End: at, Attributes: attrs, Failed: true, Status: "why",
	}
}

// Whose spans they are is what the host says, whatever the add-on says.
func TestSpansAreStamped(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	metrics, err := observe.NewMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	tracer := observe.NewTracer(observe.Tracing{Addons: sdktrace.NewSimpleSpanProcessor(kept)}, metrics, time.Now)
	dropped := tracer.Take("hello", []wire.Span{spanAt(time.Now(), attribute.String("service.name", "billhost"),
		attribute.String("addon.id", "customer-portal"), attribute.String("mine", "yes"))})
	got := kept.GetSpans()
	if dropped != 0 || len(got) != 1 {
		t.Fatal(dropped, got)
	}
	s := got[0]
	if s.Resource.String() != "service.name=hello" || s.Name != "work" || s.Status.Description != "why" || !s.SpanContext.IsSampled() || s.Parent.SpanID() != (trace.SpanID{3}) {
		t.Errorf("%+v", s)
	}
	set := attribute.NewSet(s.Attributes...)
	if set.Len() != 2 || set.Encoded(attribute.DefaultEncoder()) != "addon.id=hello,mine=yes" {
		t.Error(set.Encoded(attribute.DefaultEncoder()))
	}
}

// One add-on's flood is bounded, and is no other's loss.
func TestSpanFloodIsBounded(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	registry := prometheus.NewRegistry()
	metrics, err := observe.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tracer := observe.NewTracer(observe.Tracing{Addons: sdktrace.NewSimpleSpanProcessor(kept)}, metrics, func() time.Time { return now })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				tracer.Take("flood", []wire.Span{spanAt(now), spanAt(now), spanAt(now), spanAt(now), spanAt(now)})
			}
		})
	}
	wg.Wait()
	if n := len(kept.GetSpans()); n != observe.SpanBurst {
		t.Errorf("took %d of 8000", n)
	}
	if dropped := tracer.Take("quiet", []wire.Span{spanAt(now)}); dropped != 0 {
		t.Error("another add-on paid for it")
	}
	now = now.Add(time.Second)
	if dropped := tracer.Take("flood", []wire.Span{spanAt(now), spanAt(now.Add(-48 * time.Hour)), spanAt(now.Add(time.Hour))}); dropped != 2 {
		t.Errorf("dropped %d, want the old one and the one to come", dropped)
	}
	want := `
		# HELP addonhost_addon_spans_total Spans that an add-on sent, by outcome: taken, dropped.
		# TYPE addonhost_addon_spans_total counter
		addonhost_addon_spans_total{addon="flood",outcome="dropped"} 4002
		addonhost_addon_spans_total{addon="flood",outcome="taken"} 4001
		addonhost_addon_spans_total{addon="quiet",outcome="dropped"} 0
		addonhost_addon_spans_total{addon="quiet",outcome="taken"} 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "addonhost_addon_spans_total"); err != nil {
		t.Error(err)
	}
}

// Names follow Prometheus's conventions.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := observe.NewMetrics(registry, observe.Addons([]string{"healthy"}, func() []observe.Addon {
		return []observe.Addon{{ID: "hello", Version: "1.0.0", State: "healthy"}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	m.Page("hello", "public")(http.StatusTeapot)
	m.PageRefused("hello", "staff")
	m.Called("hello", "Mail/Send", "OK", time.Second)
	m.Mail("hello")(observe.MailDeferred)
	m.Version("hello", observe.RolledBack)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 10 {
		t.Errorf("%d metrics, %v", n, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 0 {
		t.Errorf("%d metrics left, %v", n, err)
	}
}

func TestMetricsCollide(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	if _, err := observe.NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := observe.NewMetrics(registry); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		t.Errorf("a second host in one registry: %v", err)
	}
}

func TestLogHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := observe.LogHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	log := slog.New(observe.LogHandler(h)).With("addon", "hello")
	request := web.WithRequestID(t.Context(), "R-7Q4K-0M2X")
	for _, tt := range []struct {
		ctx  context.Context
		want string
	}{
		{t.Context(), "msg=x addon=hello\n"},
		{request, "msg=x addon=hello request_id=R-7Q4K-0M2X\n"},
		{telemetry.WithJob(request, "0190-job"), "msg=x addon=hello job_id=0190-job\n"},
	} {
		out.Reset()
		log.InfoContext(tt.ctx, "x")
		if out.String() != tt.want {
			t.Errorf("%q, want %q", out.String(), tt.want)
		}
	}
}

// An id that the platform gave stays, and its own span is the parent.
func TestRequestsKeepWhatThePlatformGave(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	q := observe.Requests{
		Trusted: func(*http.Request) bool { return false }, NewID: func(*http.Request) string { return "made-here" }, Provider: provider,
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, span := telemetry.Start(r.Context(), "inner "+web.RequestID(r.Context()), trace.SpanKindInternal)
		span.End()
		w.WriteHeader(http.StatusInternalServerError)
	})
	w := httptest.NewRecorder()
	q.Wrap(q.Wrap(inner)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/token/secret?a=b", nil))
	got := kept.GetSpans()
	if len(got) != 2 || got[0].Name != "inner made-here" || got[1].Name != "GET" || got[0].Parent.SpanID() != got[1].SpanContext.SpanID() || got[1].Status.Code == 0 {
		t.Errorf("%+v", got)
	}
	for _, s := range got {
		for _, kv := range s.Attributes {
			if strings.Contains(kv.Value.String(), "secret") {
				t.Errorf("%s holds a token", kv.Key)
			}
		}
	}
	if w.Header().Get("X-Request-Id") != "made-here" {
		t.Error(w.Header())
	}
}
