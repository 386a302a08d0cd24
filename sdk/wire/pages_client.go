package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
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
	// Biller spares the add-on asking for it; nil if it may not know it.
	Biller *sdk.Biller
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
		defer upload(stream, body, cancel, p.StopBody)()
	} else if err := stream.CloseSend(); err != nil {
		return &PageError{err: fromStatus(ctx, err)}
	}
	a := answer{stream: stream, onHead: onHead}
	if err := a.copy(ctx); err != nil {
		return &PageError{Started: a.started, err: err}
	}
	return nil
}

// upload sends the body meanwhile. The result ends that and waits for it, so
// that nobody reads the body after the request.
func upload(stream grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut], body io.Reader, cancel context.CancelCauseFunc, stopBody func()) (end func()) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := sendBody(stream, body); err != nil {
			cancel(err)
		}
	}()
	return func() {
		cancel(nil)
		select {
		case <-sent:
			return
		default:
		}
		if stopBody != nil {
			stopBody()
		}
		<-sent
	}
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
