package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk/pb"
)

// bodyReader reads the request's body when the handler asks for it. After the
// first message a goroutine receives, so that a read can have a deadline; it
// ends with the stream.
type bodyReader struct {
	ctx    context.Context
	stream pageStream
	chunks chan chunk
	start  sync.Once

	rest []byte
	err  error

	deadline deadline
}

type chunk struct {
	data []byte
	err  error
}

func newBodyReader(ctx context.Context, stream pageStream, first *pb.HTTPIn) *bodyReader {
	b := &bodyReader{ctx: ctx, stream: stream, rest: first.GetBody()}
	if first.GetEnd() {
		b.err = io.EOF
	}
	return b
}

func (b *bodyReader) empty() bool { return len(b.rest) == 0 && b.err != nil }

// Read returns io.EOF at the end of the body, os.ErrDeadlineExceeded after the
// read deadline, and the context's error when the client is gone.
func (b *bodyReader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.start.Do(func() {
			b.chunks = make(chan chunk)
			go b.receive()
		})
		select {
		case c := <-b.chunks:
			b.rest, b.err = c.data, c.err
		case <-b.deadline.passed():
			return 0, os.ErrDeadlineExceeded
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close makes later reads fail.
func (b *bodyReader) Close() error {
	b.rest, b.err = nil, http.ErrBodyReadAfterClose
	return nil
}

func (b *bodyReader) receive() {
	for {
		in, err := b.stream.Recv()
		c := chunk{data: in.GetBody(), err: err}
		switch {
		case errors.Is(err, io.EOF):
			c.err = io.ErrUnexpectedEOF
		case err == nil && in.GetEnd():
			c.err = io.EOF
		}
		select {
		case b.chunks <- c:
		case <-b.ctx.Done():
			return
		}
		if c.err != nil {
			return
		}
	}
}

// deadline is a moment that may be moved while somebody waits for it.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

// passed is closed at the deadline that is set now.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

// set moves the deadline for waits that begin later; the zero time removes it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer, d.done = nil, nil
	}
	if t.IsZero() {
		return
	}
	done := make(chan struct{})
	d.done = done
	d.timer = time.AfterFunc(time.Until(t), func() { close(done) })
}
