package observe

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Requests gives each request its id and, where it is traced, its span.
type Requests struct {
	// Trusted tells whether the peer is a proxy whose headers count.
	Trusted func(r *http.Request) bool
	// NewID returns the id of a request that has none.
	NewID func(r *http.Request) string
	// Provider begins the spans; nil for none.
	Provider trace.TracerProvider
}

// Wrap makes the handler one whose requests have an id, which the answer says too,
// and a span. It leaves alone what an outer one, or the platform, has given.
func (q Requests) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		id := web.RequestID(ctx)
		if id == "" {
			id = q.NewID(r)
			ctx = web.WithRequestID(ctx, id)
		}
		w.Header().Set("X-Request-Id", id)
		if trace.SpanContextFromContext(ctx).IsValid() || q.Provider == nil {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		var parent trace.SpanContext
		if q.Trusted(r) {
			parent = telemetry.Parse(r.Header.Get("Traceparent"))
		}
		ctx, span := telemetry.Start(telemetry.WithProvider(ctx, q.Provider, parent), r.Method, trace.SpanKindServer)
		defer span.End()
		if !span.IsRecording() {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		serve(span, id, next, w, r.WithContext(ctx))
	})
}

// serve answers a request whose span is recorded. Neither path nor query stands in
// it: they may hold the token of a link.
func serve(span trace.Span, id string, next http.Handler, w http.ResponseWriter, r *http.Request) {
	span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("request.id", id))
	rec := &recorder{ResponseWriter: w}
	ended := false
	defer func() {
		if !ended {
			span.SetStatus(codes.Error, "answer was cut off")
		}
		if rec.status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", rec.status))
		}
		if rec.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}()
	next.ServeHTTP(rec, r)
	ended = true
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
