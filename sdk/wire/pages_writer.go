package wire

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/billing-addons/customer-portal/sdk/pb"
)

// responseWriter is the http.ResponseWriter of an add-on's handler. It keeps up
// to one chunk, so that a small page is one message.
type responseWriter struct {
	stream pageStream
	ctx    context.Context
	body   *bodyReader
	method string

	header http.Header
	status int
	head   *pb.ResponseHead
	sent   bool
	buf    []byte
	err    error

	writeBy time.Time
	// lent is true once a send was given up that may still read buf.
	lent bool
}

var (
	_ http.Flusher    = (*responseWriter)(nil)
	_ io.StringWriter = (*responseWriter)(nil)
)

// Header returns the headers that WriteHeader will send.
func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader fixes status and headers. Statuses below 200 are ignored, as the
// wire has no interim answers.
func (w *responseWriter) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if status < 200 || status > 599 {
		panic(fmt.Sprintf("invalid WriteHeader code %d", status))
	}
	if w.status != 0 {
		return
	}
	w.status = status
	w.head = &pb.ResponseHead{Status: int32(status), Headers: headerToPB(w.header)}
}

func (w *responseWriter) hasBody() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write sends full chunks and keeps the rest. Its error says that the client is
// gone or the write deadline has passed.
func (w *responseWriter) Write(p []byte) (int, error) {
	return write(w, p)
}

// WriteString is Write without a copy.
func (w *responseWriter) WriteString(s string) (int, error) {
	return write(w, s)
}

func write[T []byte | string](w *responseWriter, p T) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.method == http.MethodHead {
		return len(p), nil
	}
	total := len(p)
	for len(p) > 0 {
		if w.err != nil {
			return total - len(p), w.err
		}
		n := min(len(p), bodySize-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
		if len(w.buf) == bodySize {
			if err := w.send(false, false); err != nil {
				return total - len(p), err
			}
		}
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	return total, w.err
}

// Flush sends what was written and asks the host to pass it on.
func (w *responseWriter) Flush() {
	// The error stays in w and shows at the next Write.
	_ = w.FlushError()
}

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.send(true, false)
}

// SetReadDeadline is for http.ResponseController.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	w.body.deadline.set(t)
	return nil
}

// SetWriteDeadline is for http.ResponseController.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	w.writeBy = t
	return nil
}

// EnableFullDuplex is for http.ResponseController; requests are full duplex.
func (w *responseWriter) EnableFullDuplex() error { return nil }

// finish sends the rest and the end.
func (w *responseWriter) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.send(false, true)
}

func (w *responseWriter) send(flush, end bool) error {
	if w.err != nil {
		return w.err
	}
	out := &pb.HTTPOut{Body: w.buf, Flush: flush, End: end}
	if !w.sent {
		w.completeHead(end)
		out.Head = w.head
		w.sent = true
	}
	w.err = w.sendBy(out)
	w.buf = w.buf[:0]
	return w.err
}

// completeHead adds what net/http would: the type and the length of the body.
func (w *responseWriter) completeHead(end bool) {
	has := func(key string) bool {
		for _, h := range w.head.Headers {
			if h.Key == key {
				return true
			}
		}
		return false
	}
	if !w.hasBody() || w.method == http.MethodHead {
		return
	}
	if len(w.buf) > 0 && !has("Content-Type") && !has("Content-Encoding") {
		w.head.Headers = append(w.head.Headers, &pb.Header{
			Key:    "Content-Type",
			Values: []string{http.DetectContentType(w.buf)},
		})
	}
	if end && !has("Content-Length") {
		w.head.Headers = append(w.head.Headers, &pb.Header{
			Key:    "Content-Length",
			Values: []string{fmt.Sprint(len(w.buf))},
		})
	}
}

// sendBy sends, no longer than until the write deadline. A send that is given
// up ends with the stream.
func (w *responseWriter) sendBy(out *pb.HTTPOut) error {
	if w.writeBy.IsZero() {
		return w.stream.Send(out)
	}
	timer := time.NewTimer(time.Until(w.writeBy))
	defer timer.Stop()
	sent := make(chan error, 1)
	go func() { sent <- w.stream.Send(out) }()
	select {
	case err := <-sent:
		return err
	case <-timer.C:
		w.lent = true
		return os.ErrDeadlineExceeded
	}
}
