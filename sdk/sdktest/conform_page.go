package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing/iotest"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	largeBody = 8 << 20
	atOnce    = 32
)

// entry is a page and who asks for it.
type entry struct {
	surface wire.Surface
	call    sdk.Call
	method  string
	path    string
}

// String names the page in a failure.
func (e entry) String() string {
	surface := map[wire.Surface]string{wire.Public: "public", wire.Staff: "staff", wire.Slot: "slot"}[e.surface]
	return fmt.Sprintf("%s %s of %s (%s)", e.method, e.path, e.call.BillerID, surface)
}

func (s *subject) publicEntry(biller string) entry {
	return entry{wire.Public, s.host.PublicCall(biller), http.MethodGet, "/"}
}

func (s *subject) staffEntry(biller, path, ability string) entry {
	return entry{wire.Staff, s.host.StaffCall(biller, ability), http.MethodGet, path}
}

func (s *subject) slotEntry(biller, path, ability string) entry {
	return entry{wire.Slot, s.host.StaffCall(biller, ability), http.MethodGet, path + "?customer=" + customer}
}

// page is what an add-on answered; it counts the body as it comes.
type page struct {
	status int
	size   int64
}

// Write implements wire.ResponseBody.
func (p *page) Write(b []byte) (int, error) {
	p.size += int64(len(b))
	return len(b), nil
}

// Flush implements wire.ResponseBody.
func (p *page) Flush() error { return nil }

// ask asks for a page within pageTime.
func (s *subject) ask(ctx context.Context, i *Instance, e entry) (*page, error) {
	token := s.host.Token(e.call)
	defer s.host.Revoke(token)
	return s.askWith(ctx, i, e, token, nil, 0)
}

func (s *subject) askWith(ctx context.Context, i *Instance, e entry, token string, body io.Reader, size int64) (*page, error) {
	limit := pageTime
	if body != nil {
		limit = s.patience
	}
	p := &page{}
	err := within(ctx, limit, e.String(), func(ctx context.Context) error { return s.serve(ctx, i, e, token, body, size, p) })
	return p, err
}

func (s *subject) serve(ctx context.Context, i *Instance, e entry, token string, body io.Reader, size int64, p *page) error {
	r := httptest.NewRequest(e.method, e.path, body)
	if body != nil {
		r.ContentLength = size
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return i.Client.ServePage(ctx, wire.PageRequest{Surface: e.surface, Call: e.call, Token: token, Request: r},
		func(status int, _ http.Header) (wire.ResponseBody, error) {
			p.status = status
			return p, nil
		})
}

// pagesAnswer fails for a page that is late or is an error of the add-on.
func (s *subject) pagesAnswer(ctx context.Context, i *Instance) error {
	var errs []error
	for _, biller := range []string{Northwind, contoso} {
		for _, e := range s.entries(biller) {
			p, err := s.ask(ctx, i, e)
			if err == nil {
				err = p.fine(e)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *page) fine(e entry) error {
	if p.status >= http.StatusInternalServerError {
		return fmt.Errorf("%s: status %d", e, p.status)
	}
	return nil
}

// paged starts an add-on that has pages.
func (s *subject) paged(ctx context.Context) (*Instance, []entry, error) {
	es := s.entries(Northwind)
	if len(es) == 0 {
		return nil, nil, fmt.Errorf("%w: the manifest has no pages", errNotApplicable)
	}
	i, err := s.serving(ctx)
	return i, es, err
}

// answersPages: each page of the manifest answers within pageTime.
func answersPages(ctx context.Context, s *subject) error {
	i, _, err := s.paged(ctx)
	if err != nil {
		return err
	}
	return s.pagesAnswer(ctx, i)
}

// knowsNoOther: a path that is nobody's is 404 in time, and then over.
func knowsNoOther(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	const path = "/no-such-page-7f3a/at-all"
	var abilities []string
	for _, a := range s.manifest.Abilities {
		abilities = append(abilities, a.Name)
	}
	staff := s.host.StaffCall(Northwind, abilities...)
	var errs []error
	for _, e := range []entry{
		{wire.Public, s.host.PublicCall(Northwind), http.MethodGet, path},
		{wire.Staff, staff, http.MethodGet, path},
		{wire.Slot, staff, http.MethodGet, path},
	} {
		p, err := s.ask(ctx, i, e)
		switch {
		case apperr.Is(err, apperr.NotFound): // the add-on has no such surface
		case err != nil:
			errs = append(errs, err)
		case p.status != http.StatusNotFound:
			errs = append(errs, fmt.Errorf("%s: status %d, want 404", e, p.status))
		}
	}
	return errors.Join(append(errs, s.inTime(ctx, "Drain after pages that are not there", i.Client.Drain))...)
}

// answersHead: HEAD answers like GET, without a body.
func answersHead(ctx context.Context, s *subject) error {
	i, es, err := s.paged(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range es {
		get, err := s.ask(ctx, i, e)
		if err != nil {
			return err
		}
		e.method = http.MethodHead
		head, err := s.ask(ctx, i, e)
		switch {
		case err != nil:
			errs = append(errs, err)
		case head.status != get.status || head.size != 0:
			errs = append(errs, fmt.Errorf("%s: status %d and %d bytes; GET has status %d", e, head.status, head.size, get.status))
		}
	}
	return errors.Join(errs...)
}

// survivesLargeBody: 8 MiB are read or refused, and the add-on goes on.
func survivesLargeBody(ctx context.Context, s *subject) error {
	i, es, err := s.paged(ctx)
	if err != nil {
		return err
	}
	e := es[0]
	e.method = http.MethodPost
	token := s.host.Token(e.call)
	defer s.host.Revoke(token)
	if _, err := s.askWith(ctx, i, e, token, io.LimitReader(zeros{}, largeBody), largeBody); err != nil {
		return err
	}
	return errors.Join(s.healthy(ctx, i), s.pagesAnswer(ctx, i))
}

// zeros is an endless body.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// letsBrowserGo: a browser goes away in the middle of its upload; the add-on
// notices, so that Drain ends.
func letsBrowserGo(ctx context.Context, s *subject) error {
	i, es, err := s.paged(ctx)
	if err != nil {
		return err
	}
	e := es[0]
	e.method = http.MethodPost
	token := s.host.Token(e.call)
	defer s.host.Revoke(token)
	asking, leave := context.WithCancel(ctx)
	defer leave()
	rest, browser := io.Pipe()
	body := io.MultiReader(io.LimitReader(zeros{}, largeBody/8), rest)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		// The add-on may answer, or be cut off.
		_ = s.serve(asking, i, e, token, body, largeBody, &page{})
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// It fails if the add-on has answered without reading.
		_, _ = browser.Write(make([]byte, 1))
	}()
	s.first(answered, sent)
	leave()
	// CloseWithError never fails.
	_ = browser.CloseWithError(iotest.ErrTimeout)
	if err := s.inTime(ctx, "the end of an upload", waitFor(answered)); err != nil {
		return err
	}
	return errors.Join(s.pagesAnswer(ctx, i), s.inTime(ctx, "Drain after a browser has gone", i.Client.Drain))
}

// answersMany: requests at the same time are all answered.
func answersMany(ctx context.Context, s *subject) error {
	i, es, err := s.paged(ctx)
	if err != nil {
		return err
	}
	var (
		wg   sync.WaitGroup
		errs [atOnce]error
	)
	for n := range atOnce {
		wg.Go(func() {
			e := es[n%len(es)]
			token := s.host.Token(e.call)
			defer s.host.Revoke(token)
			p := &page{}
			errs[n] = s.inTime(ctx, e.String(), func(ctx context.Context) error {
				return s.serve(ctx, i, e, token, nil, 0, p)
			})
			if errs[n] == nil {
				errs[n] = p.fine(e)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

// survivesExpiredToken: the host refuses the add-on's calls for one request as
// Unauthenticated; the page may say so, the next request is fine.
func survivesExpiredToken(ctx context.Context, s *subject) error {
	i, es, err := s.paged(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range es {
		token := s.host.Token(e.call)
		s.host.Revoke(token)
		_, err := s.askWith(ctx, i, e, token, nil, 0)
		if _, answered := errors.AsType[*wire.PageError](err); err != nil && (!answered || apperr.Is(err, apperr.Unavailable)) {
			errs = append(errs, fmt.Errorf("with an expired token: %w", err))
		}
	}
	return errors.Join(append(errs, s.healthy(ctx, i), s.pagesAnswer(ctx, i))...)
}
