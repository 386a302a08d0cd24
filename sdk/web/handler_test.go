package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

func TestHandle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		body   string
		logged bool
	}{
		{"no error", nil, 200, "fine", false},
		{"not found", apperr.Errorf(apperr.NotFound, "No such invoice."), 404, "No such invoice.", false},
		{"wrapped", fmt.Errorf("find invoice: %w", apperr.Errorf(apperr.Conflict, "It changed.")), 409, "It changed.", false},
		{"throttled", apperr.Throttled(1500*time.Millisecond, "Wait."), 429, "Wait.", false},
		{"unavailable", apperr.Errorf(apperr.Unavailable, "Down."), 503, "Down.", true},
		{"uncoded", errors.New("pq: secret detail"), 500, apperr.GenericMessage, true},
		{"internal", apperr.Errorf(apperr.Internal, "secret detail"), 500, apperr.GenericMessage, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := web.Handle(slog.New(slog.NewTextHandler(&log, nil)), plainProblem, func(w http.ResponseWriter, _ *http.Request) error {
				if tt.err == nil {
					fmt.Fprint(w, "fine")
				}
				return tt.err
			})
			r := httptest.NewRequest("GET", "/x", nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(web.WithRequestID(r.Context(), "R-TEST-0001")))
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			if got := strings.Contains(log.String(), "request failed"); got != tt.logged {
				t.Errorf("logged = %t, want %t: %s", got, tt.logged, log.String())
			}
			if strings.Contains(log.String(), "R-TEST-0001") {
				t.Errorf("the id is the logger's to add: %s", log.String())
			}
			if tt.name == "throttled" && w.Header().Get("Retry-After") != "2" {
				t.Errorf("Retry-After = %q, want 2", w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestHandleCutsOffAHalfWrittenPage(t *testing.T) {
	t.Parallel()
	h := web.Handle(slog.New(slog.DiscardHandler), plainProblem, func(w http.ResponseWriter, _ *http.Request) error {
		fmt.Fprint(w, "half")
		return errors.New("broke")
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic = %v, want http.ErrAbortHandler", p)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	if id := web.NewRequestID(); !web.ValidRequestID(id) || len(id) != len("R-7Q4K-0M2X") {
		t.Errorf("NewRequestID() = %q", id)
	}
	for _, bad := range []string{"", "short", strings.Repeat("a", 65), "has space1", "line\nbreak1", "quote\"mark"} {
		if web.ValidRequestID(bad) {
			t.Errorf("ValidRequestID(%q) = true", bad)
		}
	}
}

func plainProblem(w http.ResponseWriter, _ *http.Request, p web.Problem) {
	w.WriteHeader(p.Status)
	fmt.Fprint(w, p.Message)
}
