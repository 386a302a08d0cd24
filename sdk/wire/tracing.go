package wire

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// handedAtOnce is how many traces a process may be working in at a time; spans of
// older ones are no longer taken.
const handedAtOnce = 4096

// TracingConfig is what a host's Tracing is made of; all of it is required.
type TracingConfig struct {
	// Provider begins the spans of the host's services.
	Provider trace.TracerProvider
	// Ratio is the share, 0 to 1, of the traces that the add-on begins itself, in
	// its jobs, that are recorded.
	Ratio float64
	// Spans takes finished spans of the add-on, sound ones in traces that it may
	// add to, and returns how many it drops. It must not block.
	Spans func(spans []Span) (dropped int)
	// Refused hears how many spans were not even offered to Spans.
	Refused func(n int)
}

// Tracing joins the spans of one process of an add-on with those of its host: the
// host hands it traces, and takes back what it did in them. The process cannot
// add to any trace that it was not handed, nor follow one. Make one for each
// process; nil is a process that is not traced.
type Tracing struct {
	config TracingConfig
	prefix [8]byte

	mu     sync.Mutex
	handed map[trace.TraceID]bool
	order  []trace.TraceID
	oldest int
}

// NewTracing returns the tracing of a process that has not started yet.
func NewTracing(c TracingConfig) *Tracing {
	t := &Tracing{config: c, handed: map[trace.TraceID]bool{}}
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(t.prefix[:])
	return t
}

// DialOptions makes the host's connection to the process the one that is traced.
func (t *Tracing) DialOptions() []grpc.DialOption {
	if t == nil {
		return nil
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(traceUnaryClient(t.hand)),
		grpc.WithChainStreamInterceptor(traceStreamClient(t.hand)),
	}
}

func (t *Tracing) toPB() *pb.Tracing {
	if t == nil {
		return nil
	}
	return &pb.Tracing{Prefix: t.prefix[:], Ratio: t.config.Ratio}
}

// hand remembers a trace that the process is told of.
func (t *Tracing) hand(sc trace.SpanContext) {
	if !sc.IsSampled() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id := sc.TraceID()
	if t.handed[id] {
		return
	}
	t.handed[id] = true
	if len(t.order) < handedAtOnce {
		t.order = append(t.order, id)
		return
	}
	delete(t.handed, t.order[t.oldest])
	t.order[t.oldest] = id
	t.oldest = (t.oldest + 1) % handedAtOnce
}

// may tells whether the process may add to the trace.
func (t *Tracing) may(id trace.TraceID) bool {
	if bytes.HasPrefix(id[:], t.prefix[:]) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handed[id]
}

// join is the join of the host's services.
func (t *Tracing) join(ctx context.Context, caller trace.SpanContext) context.Context {
	if t == nil {
		return ctx
	}
	if !t.may(caller.TraceID()) {
		caller = trace.SpanContext{}
	}
	if !caller.IsValid() {
		return ctx // a call of nobody's trace begins none
	}
	return telemetry.WithProvider(ctx, t.config.Provider, caller)
}

// telemetryServer takes the spans of one process.
type telemetryServer struct {
	pb.UnimplementedTelemetryServer
	tracing *Tracing
}

func (s telemetryServer) Spans(_ context.Context, r *pb.SpansRequest) (*pb.SpansResponse, error) {
	if s.tracing == nil {
		return &pb.SpansResponse{Dropped: int32Of(len(r.GetSpans()))}, nil
	}
	sound := make([]Span, 0, min(len(r.GetSpans()), spansAtOnce))
	for _, p := range r.GetSpans() {
		if span, ok := spanFromPB(p); ok && len(sound) < spansAtOnce && s.tracing.may(span.TraceID) {
			sound = append(sound, span)
		}
	}
	refused := len(r.GetSpans()) - len(sound)
	if refused > 0 {
		s.tracing.config.Refused(refused)
	}
	return &pb.SpansResponse{Dropped: int32Of(refused + s.tracing.config.Spans(sound))}, nil
}
