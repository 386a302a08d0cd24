package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// stage shows the version that serves, and above it what is wrong with the one
// that should.
type stage struct {
	mu      sync.Mutex
	current *edition // nil until a version has started
	fault   *fault   // nil if the newest sources serve
}

// fault is why the newest sources do not serve.
type fault struct{ Title, Text string }

// edition is one version of the author's program.
type edition struct {
	number   int
	instance *sdktest.Instance
	board    *board
	sum      [32]byte     // what it was made of
	remove   func() error // its files

	requests sync.WaitGroup // added to only while it is current
}

// put makes the edition the one that serves and returns the one before it,
// which gets no new requests.
func (s *stage) put(e *edition) *edition {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current
	s.current, s.fault = e, nil
	return old
}

func (s *stage) fail(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// serves tells whether a version serves.
func (s *stage) serves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil
}

// lose takes the edition off the stage, if it is there.
func (s *stage) lose(e *edition, f *fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != e {
		return false
	}
	s.current, s.fault = nil, f
	return true
}

// enter returns the version that serves; the caller calls leave. It is nil if
// there is none.
func (s *stage) enter() (e *edition, f *fault, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil, s.fault, func() {}
	}
	s.current.requests.Add(1)
	return s.current, s.fault, s.current.requests.Done
}

// drained waits for the requests of an edition that gets no new ones, or for ctx.
func (e *edition) drained(ctx context.Context) {
	done := make(chan struct{})
	go func() { e.requests.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// ServeHTTP implements http.Handler.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, f, leave := s.enter()
	defer leave()
	switch {
	case r.URL.Path == boardStyle:
		serveBoardStyle(w)
	case e == nil:
		showNothing(w, f)
	case f == nil:
		e.board.ServeHTTP(w, r)
	default:
		shown := &faultWriter{ResponseWriter: w, fault: f}
		e.board.ServeHTTP(shown, r)
		shown.finish(r)
	}
}
