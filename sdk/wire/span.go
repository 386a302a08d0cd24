package wire

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/pb"
)

const (
	// spansAtOnce is how many spans one message may hold.
	spansAtOnce   = 512
	maxSpanName   = 200
	maxAttributes = 32
	maxAttrKey    = 100
	// maxSpanTime is how long a span may take.
	maxSpanTime = 24 * time.Hour
)

// Span is a finished span of an add-on. The add-on wrote all of it.
type Span struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
	// Parent is not valid for the first span of a trace.
	Parent     trace.SpanID
	Name       string
	Kind       trace.SpanKind
	Start, End time.Time
	Attributes []attribute.KeyValue
	// Failed spans may say why in Status.
	Failed bool
	Status string
}

func spanToPB(s sdktrace.ReadOnlySpan) *pb.Span {
	sc, parent := s.SpanContext(), s.Parent()
	traceID, spanID := sc.TraceID(), sc.SpanID()
	p := &pb.Span{
		TraceId: traceID[:], SpanId: spanID[:], Name: clipTo(s.Name(), maxSpanName), Kind: int32Of(int(s.SpanKind())),
		Start: timeToPB(s.StartTime()), End: timeToPB(s.EndTime()),
		Failed: s.Status().Code == codes.Error, Status: clipTo(s.Status().Description, maxSpanName),
	}
	if parent.HasSpanID() {
		id := parent.SpanID()
		p.ParentId = id[:]
	}
	for _, kv := range s.Attributes() {
		if len(p.Attributes) < maxAttributes {
			p.Attributes = append(p.Attributes, attributeToPB(kv))
		}
	}
	return p
}

func attributeToPB(kv attribute.KeyValue) *pb.SpanAttribute {
	a := &pb.SpanAttribute{Key: clipTo(string(kv.Key), maxAttrKey)}
	switch kv.Value.Type() {
	case attribute.BOOL:
		a.Value = &pb.SpanAttribute_Flag{Flag: kv.Value.AsBool()}
	case attribute.INT64:
		a.Value = &pb.SpanAttribute_Number{Number: kv.Value.AsInt64()}
	case attribute.FLOAT64:
		a.Value = &pb.SpanAttribute_Real{Real: kv.Value.AsFloat64()}
	default:
		a.Value = &pb.SpanAttribute_Text{Text: clip(kv.Value.String())}
	}
	return a
}

// spanFromPB reads a span that an add-on sent; false for one that is not sound.
func spanFromPB(p *pb.Span) (s Span, ok bool) {
	if len(p.GetTraceId()) != len(s.TraceID) || len(p.GetSpanId()) != len(s.SpanID) ||
		len(p.GetParentId()) != 0 && len(p.GetParentId()) != len(s.Parent) {
		return Span{}, false
	}
	copy(s.TraceID[:], p.GetTraceId())
	copy(s.SpanID[:], p.GetSpanId())
	copy(s.Parent[:], p.GetParentId())
	s.Name, s.Status, s.Failed = clipTo(p.GetName(), maxSpanName), clipTo(p.GetStatus(), maxSpanName), p.GetFailed()
	s.Start, s.End = timeFromPB(p.GetStart()), timeFromPB(p.GetEnd())
	s.Kind = trace.ValidateSpanKind(trace.SpanKind(p.GetKind()))
	for _, a := range p.GetAttributes() {
		if kv, ok := attributeFromPB(a); ok && len(s.Attributes) < maxAttributes {
			s.Attributes = append(s.Attributes, kv)
		}
	}
	took := s.End.Sub(s.Start)
	return s, s.TraceID.IsValid() && s.SpanID.IsValid() && !s.Start.IsZero() && took >= 0 && took <= maxSpanTime
}

func attributeFromPB(a *pb.SpanAttribute) (attribute.KeyValue, bool) {
	key := attribute.Key(clipTo(a.GetKey(), maxAttrKey))
	switch v := a.GetValue().(type) {
	case *pb.SpanAttribute_Text:
		return key.String(clip(v.Text)), key != ""
	case *pb.SpanAttribute_Number:
		return key.Int64(v.Number), key != ""
	case *pb.SpanAttribute_Real:
		return key.Float64(v.Real), key != ""
	case *pb.SpanAttribute_Flag:
		return key.Bool(v.Flag), key != ""
	}
	return attribute.KeyValue{}, false
}

// clipTo is clip with another limit, in bytes.
func clipTo(s string, most int) string {
	if s = clip(s); len(s) <= most {
		return s
	}
	return text(s[:most])
}
