package observe

import (
	"context"
	"log/slog"

	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// The attributes that LogHandler adds.
const (
	requestKey = "request_id"
	jobKey     = "job_id"
	traceKey   = "trace_id"
)

// LogHandler returns a handler that adds to each line what its context belongs to:
// request_id, or job_id in a job, and trace_id where that is recorded. A handler
// that does so already comes back as it is.
func LogHandler(next slog.Handler) slog.Handler {
	if _, ok := next.(*logHandler); ok {
		return next
	}
	return &logHandler{next}
}

type logHandler struct{ next slog.Handler }

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Time = r.Time.UTC()
	if job := telemetry.Job(ctx); job != "" {
		r.AddAttrs(slog.String(jobKey, job))
	} else if id := web.RequestID(ctx); id != "" {
		r.AddAttrs(slog.String(requestKey, id))
	}
	if id := telemetry.TraceID(ctx); id != "" {
		r.AddAttrs(slog.String(traceKey, id))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler { return &logHandler{h.next.WithGroup(name)} }
