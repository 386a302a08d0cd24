package wire

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

type pageStream = grpc.BidiStreamingServer[pb.HTTPIn, pb.HTTPOut]

type pagesServer struct {
	pb.UnimplementedPagesServer
	addon *AddonServer
}

func (p pagesServer) Serve(stream pageStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	head := first.GetHead()
	if head == nil {
		return apperr.Errorf(apperr.Invalid, "The request has no head.")
	}
	handler := p.addon.handler(head.GetSurface())
	if handler == nil {
		return unimplemented()
	}
	ctx := withBiller(p.addon.withCall(stream.Context(), head.GetCall()), head.GetBiller())
	body := newBodyReader(ctx, stream, first)
	r, err := request(ctx, head, body)
	if err != nil {
		return err
	}
	buffer := p.addon.buffers.Get().(*[bodySize]byte)
	w := &responseWriter{stream: stream, ctx: ctx, body: body, buf: buffer[:0], method: r.Method, header: http.Header{}}
	handler.ServeHTTP(w, r)
	err = w.finish()
	describePage(trace.SpanFromContext(ctx), r, w)
	p.addon.log.DebugContext(ctx, "page answered", "method", r.Method, "status", w.status)
	w.buf, w.err = nil, http.ErrHandlerTimeout
	if !w.lent {
		p.addon.buffers.Put(buffer)
	}
	return err
}

// request builds what the add-on's handler gets. Its RemoteAddr has port 0.
func request(ctx context.Context, head *pb.RequestHead, body *bodyReader) (*http.Request, error) {
	u, err := url.ParseRequestURI(head.GetPath())
	if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		return nil, apperr.Errorf(apperr.Invalid, "The address of the page is malformed.")
	}
	u.RawQuery = head.GetRawQuery()
	r := (&http.Request{
		Method:        head.GetMethod(),
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        headerFromPB(head.GetHeaders()),
		Body:          body,
		ContentLength: head.GetContentLength(),
		Host:          head.GetAuthority(),
		RequestURI:    u.RequestURI(),
	}).WithContext(ctx)
	if ip := sdk.CallFrom(ctx).RemoteIP; ip.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(ip, 0).String()
	}
	if head.GetScheme() == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	if body.empty() {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return r, nil
}

// describePage adds to the span of a page what it was; the route, never the path,
// which may hold the token of a link.
func describePage(span trace.Span, r *http.Request, w *responseWriter) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("http.request.method", r.Method),
		attribute.Int("http.response.status_code", w.status),
	)
	if r.Pattern != "" {
		span.SetAttributes(attribute.String("http.route", r.Pattern))
	}
}
