package telemetry_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestNothingIsTracedWithoutAProvider(t *testing.T) { // not parallel: it counts allocations
	ctx, span := telemetry.Start(t.Context(), "work", trace.SpanKindInternal)
	telemetry.End(span, errors.New("x"))
	if ctx != t.Context() || span.IsRecording() || telemetry.Traceparent(ctx) != "" || telemetry.TraceID(ctx) != "" {
		t.Error("something is traced")
	}
	if telemetry.WithProvider(ctx, nil, trace.SpanContext{}) != ctx {
		t.Error("no provider changes the context")
	}
	if n := testing.AllocsPerRun(100, func() {
		_, span := telemetry.Start(ctx, "work", trace.SpanKindInternal)
		telemetry.End(span, nil)
	}); n > 0 {
		t.Errorf("it costs %v allocations", n)
	}
}

func TestSpansFollowTheContext(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx := telemetry.WithProvider(t.Context(), provider, telemetry.Parse(parent))
	ctx, outer := telemetry.Start(ctx, "outer", trace.SpanKindServer)
	if telemetry.TraceID(ctx) != "0af7651916cd43dd8448eb211c80319c" || telemetry.Parse(telemetry.Traceparent(ctx)).SpanID() != outer.SpanContext().SpanID() {
		t.Error(telemetry.Traceparent(ctx))
	}
	_, inner := telemetry.Start(ctx, "inner", trace.SpanKindInternal)
	telemetry.End(inner, apperr.Errorf(apperr.NotFound, "gone"))
	telemetry.End(outer, errors.New("the password is hush"))
	spans := kept.GetSpans()
	if len(spans) != 2 || spans[0].Parent.SpanID() != outer.SpanContext().SpanID() || spans[1].Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Fatalf("%+v", spans)
	}
	for i, want := range []struct {
		code   string
		status codes.Code
	}{{"not_found", codes.Unset}, {"internal", codes.Error}} {
		set := attribute.NewSet(spans[i].Attributes...)
		if v, _ := set.Value("error.type"); v.AsString() != string(apperr.Code(want.code)) || spans[i].Status.Code != want.status {
			t.Errorf("%s: %v %v", spans[i].Name, v, spans[i].Status)
		}
	}
}

func TestWhatIsNotSampledCostsNothing(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx := telemetry.WithProvider(t.Context(), provider, telemetry.Parse(parent[:len(parent)-1]+"0"))
	ctx, outer := telemetry.Start(ctx, "outer", trace.SpanKindServer)
	_, inner := telemetry.Start(ctx, "inner", trace.SpanKindInternal)
	inner.End()
	outer.End()
	if len(kept.GetSpans()) > 0 || telemetry.TraceID(ctx) != "" || telemetry.Traceparent(ctx) == "" {
		t.Error("recorded, or not told on", kept.GetSpans(), telemetry.Traceparent(ctx))
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "x", parent[1:], parent + "0", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff" + parent[2:]} {
		if telemetry.Parse(s).IsValid() {
			t.Errorf("%q is valid", s)
		}
	}
}

func TestJob(t *testing.T) {
	t.Parallel()
	if telemetry.Job(context.Background()) != "" || telemetry.Job(telemetry.WithJob(t.Context(), "j")) != "j" {
		t.Error("the job is lost")
	}
}
