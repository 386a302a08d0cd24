package serve

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// NewLogHandler returns a handler that writes the JSON lines hosts understand:
// @timestamp, @level and @message, always strings, and the attributes beside
// them. Records of a call carry its biller and request, those of a job its id, and
// where it is recorded that of the trace.
func NewLogHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return &logHandler{next: slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level:       level,
		ReplaceAttr: builtIn,
	})}
}

// builtIn gives the record's own fields the host's names; attributes never
// have these keys, because logHandler renames them.
func builtIn(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("@timestamp", a.Value.Time().Format(timeFormat))
	case slog.LevelKey:
		return slog.String("@level", levelWord(a.Value))
	case slog.MessageKey:
		return slog.String("@message", a.Value.String())
	}
	return a
}

func levelWord(v slog.Value) string {
	level, _ := v.Any().(slog.Level)
	switch {
	case level < slog.LevelDebug:
		return "trace"
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	default:
		return "error"
	}
}

// logHandler renames attributes that would pass for the record's own fields.
type logHandler struct {
	next    slog.Handler
	grouped bool
}

// Enabled tells whether the level is logged.
func (h *logHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle writes one line.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	clean := slog.NewRecord(at.UTC(), r.Level, r.Message, 0)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.rename(a)...)
		return true
	})
	if call := sdk.CallFrom(ctx); call.BillerID != "" {
		clean.AddAttrs(slog.String("biller_id", call.BillerID))
	}
	clean.AddAttrs(belongs(ctx)...)
	return h.next.Handle(ctx, clean)
}

// belongs returns what the context belongs to: a job or else a request, and the
// trace that is recorded.
func belongs(ctx context.Context) []slog.Attr {
	var attrs []slog.Attr
	if job := telemetry.Job(ctx); job != "" {
		attrs = append(attrs, slog.String("job_id", job))
	} else if id := sdk.CallFrom(ctx).RequestID; id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	if id := telemetry.TraceID(ctx); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	return attrs
}

// WithAttrs returns a handler that adds the attributes to each line.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var renamed []slog.Attr
	for _, a := range attrs {
		renamed = append(renamed, h.rename(a)...)
	}
	return &logHandler{next: h.next.WithAttrs(renamed), grouped: h.grouped}
}

// WithGroup returns a handler that puts later attributes into a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	if !h.grouped {
		name = safeKey(name)
	}
	return &logHandler{next: h.next.WithGroup(name), grouped: true}
}

func (h *logHandler) rename(a slog.Attr) []slog.Attr {
	if h.grouped {
		return []slog.Attr{a}
	}
	a.Value = a.Value.Resolve()
	if a.Key == "" && a.Value.Kind() == slog.KindGroup {
		var inlined []slog.Attr
		for _, member := range a.Value.Group() {
			inlined = append(inlined, h.rename(member)...)
		}
		return inlined
	}
	a.Key = safeKey(a.Key)
	return []slog.Attr{a}
}

func safeKey(key string) string {
	if strings.HasPrefix(key, "@") || key == slog.TimeKey || key == slog.LevelKey || key == slog.MessageKey {
		return "_" + key
	}
	return key
}
