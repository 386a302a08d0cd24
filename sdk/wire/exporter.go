package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const (
	// spanQueue is how many finished spans wait at most; more are dropped.
	spanQueue = 2048
	// spanWait is how long a finished span waits for others.
	spanWait = time.Second
	// lastSpans bounds the sending of what waits when the process ends.
	lastSpans = 500 * time.Millisecond
)

// newTracer returns the provider of an add-on's spans, which go to the host over
// the connection; nil if the host does not trace.
func newTracer(t *pb.Tracing, conn grpc.ClientConnInterface) *sdktrace.TracerProvider {
	if t == nil {
		return nil
	}
	ids := prefixed{}
	copy(ids.prefix[:], t.GetPrefix())
	return sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.Empty()), // the host says whose spans they are
		sdktrace.WithIDGenerator(ids),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(t.GetRatio()))),
		sdktrace.WithBatcher(exporter{pb.NewTelemetryClient(conn)},
			sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithMaxExportBatchSize(spansAtOnce/2),
			sdktrace.WithBatchTimeout(spanWait), sdktrace.WithExportTimeout(5*time.Second)),
	)
}

// exporter sends finished spans to the host.
type exporter struct{ rpc pb.TelemetryClient }

// ExportSpans implements sdktrace.SpanExporter. What cannot be sent is dropped:
// traces are worth no error and no second try.
func (e exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	r := &pb.SpansRequest{Spans: make([]*pb.Span, 0, len(spans))}
	for _, s := range spans {
		r.Spans = append(r.Spans, spanToPB(s))
	}
	_, _ = e.rpc.Spans(ctx, r)
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (exporter) Shutdown(context.Context) error { return nil }

// prefixed makes ids of traces that the host knows as this process's own.
type prefixed struct{ prefix [8]byte }

// NewIDs implements sdktrace.IDGenerator.
func (p prefixed) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	copy(id[:], p.prefix[:])
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(id[len(p.prefix):])
	return id, p.NewSpanID(ctx, id)
}

// NewSpanID implements sdktrace.IDGenerator.
func (prefixed) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		_, _ = rand.Read(id[:])
	}
	return id
}

// join is the join of an add-on's calls.
func (s *AddonServer) join(ctx context.Context, caller trace.SpanContext) context.Context {
	tracer := s.tracer.Load()
	if tracer == nil || !caller.IsValid() {
		return ctx
	}
	return telemetry.WithProvider(ctx, tracer, caller)
}

// endTracing sends the spans that wait.
func (s *AddonServer) endTracing() error {
	tracer := s.tracer.Load()
	if tracer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := tracer.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
