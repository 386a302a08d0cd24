// Package telemetry joins what several processes do for one request or job: the
// spans of its trace, and the ids that stand in its log lines.
//
// Whether something is traced follows from the context. There is no global
// provider: without one in the context, Start costs a look into it and no more.
// Names and attributes of spans hold no secrets and no data of customers: never a
// path, a query or a value that is bound in a statement.
package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Scope is the instrumentation scope of all spans of this module.
const Scope = "github.com/billing-addons/customer-portal"

// header is the name under which W3C Trace Context travels.
const header = "traceparent"

// carrier stands in a context for a provider whose span has not begun, and for
// the span of another process that it will follow.
type carrier struct {
	noop.Span
	provider trace.TracerProvider
	parent   trace.SpanContext
}

// SpanContext implements trace.Span.
func (c carrier) SpanContext() trace.SpanContext { return c.parent }

// TracerProvider implements trace.Span.
func (c carrier) TracerProvider() trace.TracerProvider { return c.provider }

// WithProvider returns a context whose next span begins at the provider: as a
// child of parent where that is valid, else as a new trace. Nil changes nothing.
func WithProvider(ctx context.Context, p trace.TracerProvider, parent trace.SpanContext) context.Context {
	if p == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, carrier{provider: p, parent: parent})
}

// Start begins a span as a child of what ctx holds. Where nothing is traced it
// returns ctx itself and a span that does nothing: set attributes only if the
// span IsRecording. End it with End or its own method.
func Start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if _, ok := parent.(carrier); !ok && !parent.IsRecording() {
		return ctx, noop.Span{}
	}
	return parent.TracerProvider().Tracer(Scope).Start(ctx, name, trace.WithSpanKind(kind))
}

// End ends a span. An error that is nobody's fault but ours marks it as failed;
// other coded errors stand in the attribute error.type.
func End(span trace.Span, err error) {
	defer span.End()
	if err == nil || !span.IsRecording() {
		return
	}
	code := apperr.CodeOf(err)
	if errors.Is(err, context.Canceled) {
		code = "canceled"
	}
	span.SetAttributes(attribute.String("error.type", string(code)))
	if code == apperr.Internal || code == apperr.Unavailable {
		span.SetStatus(otelcodes.Error, string(code))
	}
}

// Traceparent returns the span of ctx as W3C Trace Context, or "" without one.
func Traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	return m[header]
}

// Parse reads W3C Trace Context; what is malformed is not valid.
func Parse(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{header: traceparent})
	return trace.SpanContextFromContext(ctx)
}

// TraceID returns the id of the trace that ctx is recorded in, or "".
func TraceID(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsSampled() {
		return ""
	}
	return sc.TraceID().String()
}

type jobKey struct{}

// WithJob returns a context of the job with the id; Job reads it.
func WithJob(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, jobKey{}, id)
}

// Job returns the id of the job that ctx belongs to, or "".
func Job(ctx context.Context) string {
	id, _ := ctx.Value(jobKey{}).(string)
	return id
}
