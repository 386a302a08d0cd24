package pages

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// begin judges the head of an answer and returns where its body goes.
type begin func(status int, header http.Header) (io.Writer, error)

// gate lets an add-on's answer through once begin has agreed, and keeps the
// add-on from pausing for too long.
type gate struct {
	begin    begin
	patience *time.Timer
	idle     time.Duration
	body     io.Writer // nil until the head was let through
}

var _ wire.ResponseBody = (*gate)(nil)

// open is a wire.OnHead.
func (g *gate) open(status int, header http.Header) (wire.ResponseBody, error) {
	g.patience.Reset(g.idle)
	if status < 200 || status > 599 {
		return nil, apperr.Errorf(apperr.Internal, "add-on answered status %d", status)
	}
	body, err := g.begin(status, header)
	if err != nil {
		return nil, err
	}
	g.body = body
	return g, nil
}

// begun reports whether the head was let through.
func (g *gate) begun() bool { return g.body != nil }

// Write implements io.Writer.
func (g *gate) Write(p []byte) (int, error) {
	g.patience.Reset(g.idle)
	return g.body.Write(p)
}

// Flush implements wire.ResponseBody.
func (g *gate) Flush() error {
	w, ok := g.body.(http.ResponseWriter)
	if !ok {
		return nil
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && (status < 300 || status >= 400)
}

// capped is a buffer that refuses to grow beyond maxFragment.
type capped struct{ bytes.Buffer }

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxFragment {
		return 0, apperr.Errorf(apperr.Internal, "fragment is larger than %d bytes", maxFragment)
	}
	return c.Buffer.Write(p)
}
