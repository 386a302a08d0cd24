package wire

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const (
	// traceKey is the metadata key of W3C Trace Context, in both directions.
	traceKey = "traceparent"
	// jobKey is the metadata key of the job that an add-on makes a host call for.
	jobKey = "addon-job"
)

// join returns the context of a call that another process makes, with the
// provider of its spans and the span they follow; ctx itself where it is off.
type join func(ctx context.Context, caller trace.SpanContext) context.Context

func traceUnaryServer(begin join) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if !traceable(info.FullMethod) {
			return next(ctx, req)
		}
		ctx, span := startServer(ctx, info.FullMethod, begin)
		res, err := next(ctx, req)
		endCall(span, err, true)
		return res, err
	}
}

func traceStreamServer(begin join) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if !traceable(info.FullMethod) {
			return next(srv, stream)
		}
		ctx, span := startServer(stream.Context(), info.FullMethod, begin)
		if !span.SpanContext().IsValid() {
			return next(srv, stream)
		}
		err := next(srv, tracedStream{stream, ctx})
		endCall(span, err, true)
		return err
	}
}

// observeServer tells of each call of our services.
func observeServer(called func(method, code string, took time.Duration)) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if called == nil || !ours(info.FullMethod) {
			return next(ctx, req)
		}
		began := time.Now()
		res, err := next(ctx, req)
		called(strings.TrimPrefix(info.FullMethod, "/addon.v1."), status.Code(err).String(), time.Since(began))
		return res, err
	}
}

// tracedStream is a stream whose context holds the span.
type tracedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s tracedStream) Context() context.Context { return s.ctx }

func startServer(ctx context.Context, method string, begin join) (context.Context, trace.Span) {
	var caller trace.SpanContext
	if found := metadata.ValueFromIncomingContext(ctx, traceKey); len(found) == 1 {
		caller = telemetry.Parse(found[0])
	}
	ctx, span := telemetry.Start(begin(ctx, caller), strings.TrimPrefix(method, "/"), trace.SpanKindServer)
	describe(span, method)
	return ctx, span
}

// traceUnaryClient makes a call a span and tells the other process of it. told
// hears which span that is, where it is recorded.
func traceUnaryClient(told func(trace.SpanContext)) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if !traceable(method) {
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		ctx, span := telemetry.Start(ctx, strings.TrimPrefix(method, "/"), trace.SpanKindClient)
		describe(span, method)
		err := invoke(outgoing(ctx, told), method, req, reply, cc, opts...)
		endCall(span, err, false)
		return err
	}
}

// traceStreamClient tells the other process of the caller's span.
func traceStreamClient(told func(trace.SpanContext)) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		if traceable(method) {
			ctx = outgoing(ctx, told)
		}
		return open(ctx, desc, cc, method, opts...)
	}
}

// traceable leaves out what would trace itself, and go-plugin's own.
func traceable(method string) bool {
	return ours(method) && method != pb.Telemetry_Spans_FullMethodName
}

func outgoing(ctx context.Context, told func(trace.SpanContext)) context.Context {
	if parent := telemetry.Traceparent(ctx); parent != "" {
		told(trace.SpanContextFromContext(ctx))
		ctx = metadata.AppendToOutgoingContext(ctx, traceKey, parent)
	}
	if job := telemetry.Job(ctx); validID(job) {
		ctx = metadata.AppendToOutgoingContext(ctx, jobKey, job)
	}
	return ctx
}

func describe(span trace.Span, method string) {
	if !span.IsRecording() {
		return
	}
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	span.SetAttributes(
		attribute.String("rpc.system.name", "grpc"),
		attribute.String("rpc.service", service),
		attribute.String("rpc.method", name),
	)
}

// endCall ends the span of a call. For its server only its own failures are
// errors, for a client every one.
func endCall(span trace.Span, err error, server bool) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	code := status.Code(err)
	span.SetAttributes(attribute.String("rpc.response.status_code", code.String()))
	switch code {
	case codes.OK, codes.Canceled:
		return
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
	default:
		if server {
			return
		}
	}
	span.SetStatus(otelcodes.Error, code.String())
}

// jobOf returns ctx with the job that an add-on says it works at.
func jobOf(ctx context.Context) context.Context {
	if found := metadata.ValueFromIncomingContext(ctx, jobKey); len(found) == 1 && validID(found[0]) {
		return telemetry.WithJob(ctx, found[0])
	}
	return ctx
}

// validID reports whether s may stand in a log as an id: 8 to 64 letters, digits
// and hyphens.
func validID(s string) bool {
	return len(s) >= 8 && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-'
	})
}
