package wire_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// mustTelemetry serves the host's half to a process that may be any program. The
// channel gets what the host took.
func mustTelemetry(tb testing.TB) (*wire.Tracing, pb.TelemetryClient, <-chan []wire.Span) {
	tb.Helper()
	taken := make(chan []wire.Span, 100)
	tracing := wire.NewTracing(wire.TracingConfig{
		Provider: noop.NewTracerProvider(), Ratio: 1,
		Spans:   func(s []wire.Span) int { taken <- s; return 0 },
		Refused: func(int) {},
	})
	listener, err := net.Listen("unix", filepath.Join(tb.TempDir(), "s"))
	if err != nil {
		tb.Fatal(err)
	}
	server := wire.NewServicesServer(wire.StartRequest{Tracing: tracing})
	go func() { _ = server.Serve(listener) }() // ends with the test
	tb.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // the server may be gone
	return tracing, pb.NewTelemetryClient(conn), taken
}

// traceID makes an id of a trace; the first 8 bytes are the prefix.
func traceID(prefix []byte, n uint64) (id trace.TraceID) {
	copy(id[:], prefix)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func span(id trace.TraceID, change ...func(*pb.Span)) *pb.Span {
	now := time.Now()
	s := &pb.Span{TraceId: id[:], SpanId: []byte("12345678"), Name: "work", Start: timestamppb.New(now.Add(-time.Second)), End: timestamppb.New(now)}
	for _, f := range change {
		f(s)
	}
	return s
}

// A process adds to the traces it was handed and to its own, never to another's.
func TestSpansOfForeignTraces(t *testing.T) {
	t.Parallel()
	tracing, client, taken := mustTelemetry(t)
	handed, foreign, own := traceID([]byte("handed.."), 1), traceID([]byte("foreign."), 1), traceID(tracing.Prefix(), 1)
	unsampled := traceID([]byte("notkept."), 1)
	tracing.Hand(trace.NewSpanContext(trace.SpanContextConfig{TraceID: handed, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled}))
	tracing.Hand(trace.NewSpanContext(trace.SpanContextConfig{TraceID: unsampled, SpanID: trace.SpanID{1}}))
	res, err := client.Spans(t.Context(), &pb.SpansRequest{Spans: []*pb.Span{span(foreign), span(handed), span(unsampled), span(own)}})
	if err != nil || res.GetDropped() != 2 {
		t.Fatal(res, err)
	}
	if got := <-taken; len(got) != 2 || got[0].TraceID != handed || got[1].TraceID != own {
		t.Errorf("took %+v", got)
	}
}

// Old traces are forgotten, so that what the host remembers has a bound.
func TestHandedTracesAreBounded(t *testing.T) {
	t.Parallel()
	tracing, client, taken := mustTelemetry(t)
	for n := range uint64(wire.HandedAtOnce + 1) {
		tracing.Hand(trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID(nil, n+1), SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled}))
	}
	res, err := client.Spans(t.Context(), &pb.SpansRequest{Spans: []*pb.Span{span(traceID(nil, 1)), span(traceID(nil, 2))}})
	if err != nil || res.GetDropped() != 1 {
		t.Fatal(res, err)
	}
	if got := <-taken; len(got) != 1 || got[0].TraceID != traceID(nil, 2) {
		t.Errorf("took %+v", got)
	}
}

func TestSpansThatAreNotSound(t *testing.T) {
	t.Parallel()
	tracing, client, taken := mustTelemetry(t)
	own := traceID(tracing.Prefix(), 1)
	for name, change := range map[string]func(*pb.Span){
		"no span id":         func(s *pb.Span) { s.SpanId = nil },
		"zero span id":       func(s *pb.Span) { s.SpanId = make([]byte, 8) },
		"long trace id":      func(s *pb.Span) { s.TraceId = append(s.TraceId, 0) },
		"short parent":       func(s *pb.Span) { s.ParentId = []byte{1} },
		"no start":           func(s *pb.Span) { s.Start = nil },
		"ends before":        func(s *pb.Span) { s.End = timestamppb.New(s.Start.AsTime().Add(-1)) },
		"takes for ages":     func(s *pb.Span) { s.End = timestamppb.New(s.Start.AsTime().Add(48 * time.Hour)) },
		"year of the Caesar": func(s *pb.Span) { s.Start = &timestamppb.Timestamp{Seconds: -1 << 60} },
	} {
		res, err := client.Spans(t.Context(), &pb.SpansRequest{Spans: []*pb.Span{span(own, change)}})
		if err != nil || res.GetDropped() != 1 || len(<-taken) != 0 {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
	large := span(own, func(s *pb.Span) {
		s.Name, s.Status, s.Failed = strings.Repeat("n", 1000), strings.Repeat("s", 1000), true
		for range 100 {
			s.Attributes = append(s.Attributes, &pb.SpanAttribute{
				Key: strings.Repeat("k", 1000), Value: &pb.SpanAttribute_Text{Text: strings.Repeat("ü", 10_000)},
			})
		}
	})
	if _, err := client.Spans(t.Context(), &pb.SpansRequest{Spans: []*pb.Span{large}}); err != nil {
		t.Fatal(err)
	}
	got := (<-taken)[0]
	if len(got.Name) != 200 || len(got.Status) != 200 || len(got.Attributes) != 32 || len(got.Attributes[0].Key) != 100 || len(got.Attributes[0].Value.AsString()) > 2000 {
		t.Errorf("kept %d, %d, %d", len(got.Name), len(got.Status), len(got.Attributes))
	}
}

// A message holds 512 spans at most; the rest is dropped.
func TestSpansAtOnce(t *testing.T) {
	t.Parallel()
	tracing, client, taken := mustTelemetry(t)
	flood := &pb.SpansRequest{}
	for n := range uint64(5000) {
		flood.Spans = append(flood.Spans, span(traceID(tracing.Prefix(), n+1)))
	}
	res, err := client.Spans(t.Context(), flood)
	if err != nil || res.GetDropped() != 5000-512 || len(<-taken) != 512 {
		t.Error(res, err)
	}
	if bytes.Equal(tracing.Prefix(), make([]byte, 8)) {
		t.Error("the prefix is not random")
	}
}

// Where the host does not trace, what a program sends all the same is dropped.
func TestSpansWithoutTracing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := wire.NewServicesServer(wire.StartRequest{})
	go func() { _ = server.Serve(listener) }() // ends with the test
	defer server.Stop()
	conn, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	res, err := pb.NewTelemetryClient(conn).Spans(t.Context(), &pb.SpansRequest{Spans: []*pb.Span{span(traceID(nil, 1))}})
	if err != nil || res.GetDropped() != 1 {
		t.Error(res, err)
	}
}
