package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// Surface is a group of an add-on's pages.
type Surface int

// The surfaces: sdk.Parts.Public, Staff and Slots.
const (
	Public Surface = iota + 1
	Staff
	Slot
)

// PageRequest is one HTTP request for an add-on.
type PageRequest struct {
	Surface Surface
	Call    sdk.Call
	// Token is the request token that the add-on's host calls will carry.
	Token string
	// Request is what the add-on may see: filtered headers, and in URL.Path the
	// path below the surface's mount, beginning with "/". Its context is not
	// used. Its body is not read after Serve has returned.
	Request *http.Request
	// StopBody makes a blocked Read of the request's body return, when the
	// add-on has answered without reading it all: a read deadline in the past.
	// Nil if Read cannot block.
	StopBody func()
}

// ResponseBody takes a response's body. Flush passes on at once what was
// written; http.ResponseController has it.
type ResponseBody interface {
	io.Writer
	Flush() error
}

// OnHead receives an answer's head, status 200 to 599, and returns where its
// body goes. It is called at most once. An error ends the request.
type OnHead func(status int, header http.Header) (ResponseBody, error)

// PageError says that a page could not be served.
type PageError struct {
	// Started is true once OnHead took the head: then the connection to the
	// browser has to be cut, before that an error page can be shown.
	Started bool
	err     error
}

// Error returns the cause's text, for the log.
func (e *PageError) Error() string { return "serve page: " + e.err.Error() }

// Unwrap returns the cause: a coded error of the add-on or of the connection
// (see Gone), an error of the request's body (*http.MaxBytesError), or that of
// OnHead or its ResponseBody.
func (e *PageError) Unwrap() error { return e.err }

// PagesClient calls an add-on's capability pages.
type PagesClient struct{ rpc pb.PagesClient }

// Serve sends the request to the add-on and its answer to onHead, and returns
// when the answer is complete; every error is a *PageError. The end of ctx
// ends the add-on's work. ctx should carry a deadline where a stream of events
// is not expected; none is set here.
func (c *PagesClient) Serve(ctx context.Context, p PageRequest, onHead OnHead) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := requestBody(p.Request)
	first, rest, err := firstMessage(p, body)
	if err != nil {
		return &PageError{err: err}
	}
	stream, err := c.rpc.Serve(ctx)
	if err != nil {
		return &PageError{err: fromStatus(ctx, err)}
	}
	if err := stream.Send(first); err != nil && !errors.Is(err, io.EOF) {
		return &PageError{err: fromStatus(ctx, err)}
	}
	if rest {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			if err := sendBody(stream, body); err != nil {
				cancel(err)
			}
		}()
		defer func() {
			cancel(nil)
			select {
			case <-sent:
				return
			default:
			}
			if p.StopBody != nil {
				p.StopBody()
			}
			<-sent
		}()
	} else if err := stream.CloseSend(); err != nil {
		return &PageError{err: fromStatus(ctx, err)}
	}
	a := answer{stream: stream, onHead: onHead}
	if err := a.copy(ctx); err != nil {
		return &PageError{Started: a.started, err: err}
	}
	return nil
}

func requestBody(r *http.Request) io.Reader {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	return r.Body
}

// firstMessage is the head, with the whole body if that is known to fit. rest
// tells whether more body follows.
func firstMessage(p PageRequest, body io.Reader) (first *pb.HTTPIn, rest bool, err error) {
	first = &pb.HTTPIn{Head: requestHead(p)}
	n := p.Request.ContentLength
	switch {
	case body == nil:
		first.Head.ContentLength = 0
		first.End = true
		return first, false, nil
	case n > 0 && n <= bodySize:
		first.Body = make([]byte, n)
		if _, err := io.ReadFull(body, first.Body); err != nil {
			return nil, false, fmt.Errorf("read request body: %w", err)
		}
		first.End = true
		return first, false, nil
	default:
		return first, true, nil
	}
}

func requestHead(p PageRequest) *pb.RequestHead {
	r := p.Request
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	scheme := r.URL.Scheme
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil || strings.HasPrefix(p.Call.BaseURL, "https:") {
			scheme = "https"
		}
	}
	return &pb.RequestHead{
		Surface:       pb.Surface(p.Surface),
		Call:          callToPB(p.Call, p.Token),
		Method:        r.Method,
		Path:          path,
		RawQuery:      escapeQuery(r.URL.RawQuery),
		Authority:     strings.ToValidUTF8(r.Host, "\uFFFD"),
		Scheme:        scheme,
		Headers:       headerToPB(r.Header),
		ContentLength: r.ContentLength,
	}
}

// escapeQuery percent-encodes bytes that a browser should have encoded.
func escapeQuery(q string) string {
	ascii := func(s string) bool {
		for i := range len(s) {
			if s[i] <= ' ' || s[i] >= 0x7f {
				return false
			}
		}
		return true
	}
	if ascii(q) {
		return q
	}
	var b strings.Builder
	for i := range len(q) {
		if ascii(q[i : i+1]) {
			b.WriteByte(q[i])
		} else {
			b.WriteString(url.QueryEscape(q[i : i+1]))
		}
	}
	return b.String()
}

func headerToPB(h http.Header) []*pb.Header {
	to := make([]*pb.Header, 0, len(h))
	for k, vs := range h {
		valid := make([]string, len(vs))
		for i, v := range vs {
			valid[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
		to = append(to, &pb.Header{Key: strings.ToValidUTF8(k, "\uFFFD"), Values: valid})
	}
	return to
}

func headerFromPB(hs []*pb.Header) http.Header {
	to := make(http.Header, len(hs))
	for _, h := range hs {
		k := http.CanonicalHeaderKey(h.GetKey())
		to[k] = append(to[k], h.GetValues()...)
	}
	return to
}

// sendBody sends what the client uploads. An error is the client's or the
// body's limit; that the add-on no longer listens is none.
func sendBody(stream grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut], body io.Reader) error {
	var chunk [bodySize]byte
	for {
		n, err := body.Read(chunk[:])
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read request body: %w", err)
		}
		if n > 0 || end {
			if stream.Send(&pb.HTTPIn{Body: chunk[:n], End: end}) != nil {
				return nil
			}
		}
		if end {
			// A failed CloseSend shows as the error of the answer.
			_ = stream.CloseSend()
			return nil
		}
	}
}

// answer copies what the add-on sends.
type answer struct {
	stream  grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut]
	onHead  OnHead
	body    ResponseBody
	started bool
}

func (a *answer) copy(ctx context.Context) error {
	for {
		out, err := a.stream.Recv()
		if errors.Is(err, io.EOF) {
			return apperr.Wrap(apperr.Internal, apperr.GenericMessage, errors.New("the answer has no end"))
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
				return cause
			}
			return fromStatus(ctx, err)
		}
		if err := a.pass(out); err != nil {
			return err
		}
		if out.GetEnd() {
			return nil
		}
	}
}

// pass hands one message on.
func (a *answer) pass(out *pb.HTTPOut) error {
	if a.started == (out.GetHead() != nil) || len(out.GetBody()) > ChunkSize {
		return apperr.Wrap(apperr.Internal, apperr.GenericMessage, errors.New("the answer breaks the protocol"))
	}
	if head := out.GetHead(); head != nil {
		status := int(head.GetStatus())
		if status < 200 || status > 599 {
			return apperr.Wrap(apperr.Internal, apperr.GenericMessage, fmt.Errorf("the answer has status %d", status))
		}
		body, err := a.onHead(status, headerFromPB(head.GetHeaders()))
		if err != nil {
			return fmt.Errorf("head: %w", err)
		}
		a.body, a.started = body, true
	}
	if len(out.GetBody()) > 0 {
		if _, err := a.body.Write(out.GetBody()); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
	if out.GetFlush() {
		if err := a.body.Flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("flush answer: %w", err)
		}
	}
	return nil
}
