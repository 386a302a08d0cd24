package wire

import (
	"log/slog"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// NewServicesServer is the host's half of one process's brokered connection.
func NewServicesServer(r StartRequest) *grpc.Server {
	return newServicesServer(r, slog.New(slog.DiscardHandler), nil)
}

// Hand tells the process of a trace.
func (t *Tracing) Hand(sc trace.SpanContext) { t.hand(sc) }

// Prefix begins the ids of the process's own traces.
func (t *Tracing) Prefix() []byte { return t.prefix[:] }

// HandedAtOnce is how many traces a process may be working in.
const HandedAtOnce = handedAtOnce
