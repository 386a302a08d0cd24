package observe

import (
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	// spansPerSecond and spanBurst bound what one add-on sends.
	spansPerSecond = 1000
	spanBurst      = 4000
	// spanAge is how old a span may be when it arrives.
	spanAge = 25 * time.Hour
)

// Tracing says where spans go. It belongs to the platform, which ends it after
// the host.
type Tracing struct {
	// Provider begins the host's spans, unless a request's context holds a span of
	// the platform's already.
	Provider trace.TracerProvider
	// Addons takes the finished spans of add-ons, and must not block: a batch
	// processor with a queue of its own, so that no add-on crowds out the host.
	Addons sdktrace.SpanProcessor
	// Ratio is the share, 0 to 1, of the traces that add-ons begin themselves, in
	// their jobs, that are recorded; 0 means none.
	Ratio float64
}

// Tracer makes the tracing of add-ons' processes.
type Tracer struct {
	tracing Tracing
	metrics *Metrics
	now     func() time.Time

	mu     sync.Mutex
	meters map[string]*meter
}

// NewTracer returns a tracer that counts in m.
func NewTracer(t Tracing, m *Metrics, now func() time.Time) *Tracer {
	return &Tracer{tracing: t, metrics: m, now: now, meters: map[string]*meter{}}
}

// Process returns the tracing of one process of an add-on; nil, which is none, of
// a nil Tracer.
func (t *Tracer) Process(addonID, version string) *wire.Tracing {
	if t == nil {
		return nil
	}
	// Whose spans they are is not the add-on's to say.
	who := resource.NewSchemaless(
		attribute.String("service.name", addonID),
		attribute.String("service.version", version),
		attribute.String("service.namespace", "add-on"),
	)
	return wire.NewTracing(wire.TracingConfig{
		Provider: t.tracing.Provider,
		Ratio:    t.tracing.Ratio,
		Spans:    func(list []wire.Span) int { return t.take(addonID, who, list) },
		Refused:  func(n int) { t.metrics.Spans(addonID, 0, n) },
	})
}

func (t *Tracer) take(addonID string, who *resource.Resource, list []wire.Span) (dropped int) {
	now := t.now()
	fit := t.meter(addonID).take(now, len(list))
	for i, s := range list {
		if i >= fit || s.Start.Before(now.Add(-spanAge)) || s.End.After(now.Add(time.Minute)) {
			dropped++
			continue
		}
		t.tracing.Addons.OnEnd(stamped(addonID, who, s))
	}
	t.metrics.Spans(addonID, len(list)-dropped, dropped)
	return dropped
}

// stamped is the span as the host lets it out.
func stamped(addonID string, who *resource.Resource, s wire.Span) sdktrace.ReadOnlySpan {
	attrs := []attribute.KeyValue{attribute.String("addon.id", addonID)}
	for _, kv := range s.Attributes {
		if !claim(string(kv.Key)) {
			attrs = append(attrs, kv)
		}
	}
	stub := tracetest.SpanStub{
		Name: s.Name, SpanKind: s.Kind, StartTime: s.Start, EndTime: s.End, Attributes: attrs, Resource: who,
		SpanContext:          trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.TraceID, SpanID: s.SpanID, TraceFlags: trace.FlagsSampled}),
		Parent:               trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.TraceID, SpanID: s.Parent, TraceFlags: trace.FlagsSampled}),
		InstrumentationScope: instrumentation.Scope{Name: telemetry.Scope},
	}
	if s.Failed {
		stub.Status = sdktrace.Status{Code: codes.Error, Description: s.Status}
	}
	return stub.Snapshot()
}

// claim tells whether an attribute says what only the host says.
func claim(key string) bool {
	for _, prefix := range []string{"service.", "addon.", "telemetry.", "process.", "host.", "os.", "deployment.", "cloud.", "k8s."} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

func (t *Tracer) meter(addonID string) *meter {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.meters[addonID]
	if m == nil {
		m = &meter{left: spanBurst, seen: t.now()}
		t.meters[addonID] = m
	}
	return m
}

// meter is a bucket of spans that fills with time.
type meter struct {
	mu   sync.Mutex
	left float64
	seen time.Time
}

// take returns how many of n fit.
func (m *meter) take(now time.Time, n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rest := now.Sub(m.seen); rest > 0 {
		m.left = min(spanBurst, m.left+rest.Seconds()*spansPerSecond)
		m.seen = now
	}
	n = min(n, int(m.left))
	m.left -= float64(n)
	return n
}
