package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// bodyAhead is how much of a request's body is here before the request takes a
// place, in bytes: all of a usual form.
const bodyAhead = 64 << 10

// unsent is the failure of a request's body to arrive: its sender's, not the
// add-on's.
type unsent struct{ err error }

// Error implements error.
func (e *unsent) Error() string { return "request body: " + e.err.Error() }

// Unwrap returns why.
func (e *unsent) Unwrap() error { return e.err }

func isUnsent(err error) bool {
	_, ok := errors.AsType[*unsent](err)
	return ok
}

// outlasting is the request without its end: that of a sender who is too slow has
// come, and it is still told so.
func outlasting(r *http.Request) *http.Request {
	return r.WithContext(context.WithoutCancel(r.Context()))
}

// upload is the body of a request as its sender sends it.
type upload struct {
	io.ReadCloser
	// waits tells that a Read waits for the sender.
	waits atomic.Bool
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	u.waits.Store(true)
	n, err := u.ReadCloser.Read(p)
	u.waits.Store(false)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &unsent{err}
	}
	return n, err
}

// whoIsSlow blames the sender of a body of which the rest is awaited; the add-on
// otherwise.
func whoIsSlow(body io.ReadCloser) error {
	if u, ok := body.(*upload); ok && u.waits.Load() {
		return &unsent{errors.New("the rest is late")}
	}
	return errSlow
}

// readAhead waits for the beginning of the request's body: who sends it slowly, or
// never, takes no place of the add-on meanwhile. more tells that there is more of
// it. Every error is *unsent.
func (h *Handler) readAhead(p wire.PageRequest) (more bool, err error) {
	r := p.Request
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return false, nil
	}
	if p.StopBody != nil {
		patience := time.AfterFunc(h.HeadTimeout, p.StopBody)
		defer patience.Stop()
	}
	body := &upload{ReadCloser: r.Body}
	first, err := io.ReadAll(io.LimitReader(body, bodyAhead))
	if err != nil {
		return false, err
	}
	if len(first) < bodyAhead {
		if n := r.ContentLength; n >= 0 && n != int64(len(first)) {
			return false, &unsent{fmt.Errorf("%d of %d bytes", len(first), n)}
		}
		r.ContentLength, r.Body = int64(len(first)), io.NopCloser(bytes.NewReader(first))
		return false, nil
	}
	r.Body = &upload{ReadCloser: struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), body), body}}
	return true, nil
}
