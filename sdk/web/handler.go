package web

import (
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// HandlerFunc answers a request or returns an error without having written
// anything. What a person reads of the error is apperr.MessageOf.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Problem is an error as a page shows it.
type Problem struct {
	Status int
	Code   apperr.Code
	// Message is one sentence for people; never the text of an internal error.
	Message string
	// Fields maps form fields to what is wrong with them; may be nil.
	Fields map[string]string
	// RetryAfter is zero where it is unknown.
	RetryAfter time.Duration
	// RequestID finds the log line; people may read it out.
	RequestID string
}

// ErrorRenderer writes the page of a problem, the status included.
type ErrorRenderer func(w http.ResponseWriter, r *http.Request, p Problem)

// StatusOf returns the HTTP status of an error code; 500 for an unknown one.
func StatusOf(code apperr.Code) int {
	switch code {
	case "":
		return http.StatusOK
	case apperr.Invalid:
		return http.StatusUnprocessableEntity
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Conflict:
		return http.StatusConflict
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.PermissionDenied:
		return http.StatusForbidden
	case apperr.TooManyRequests:
		return http.StatusTooManyRequests
	case apperr.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ProblemOf returns how a page of the request r shows err, which is not nil.
func ProblemOf(r *http.Request, err error) Problem {
	code := apperr.CodeOf(err)
	return Problem{
		Status:     StatusOf(code),
		Code:       code,
		Message:    apperr.MessageOf(err),
		Fields:     apperr.FieldsOf(err),
		RetryAfter: apperr.RetryAfterOf(err),
		RequestID:  RequestID(r.Context()),
	}
}

// Handle turns h into an http.Handler. An error of h goes to render, with
// Retry-After and no-store set; internal ones are logged, with the request id where the logger adds
// what a context belongs to, as those of serve and host do.
// After an error that comes too late, the response is cut off, so that nobody
// takes half a page for a whole one. Logs name the route that matched, never the
// path, which may hold the token of a link.
func Handle(log *slog.Logger, render ErrorRenderer, h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		err := h(rec, r)
		if err == nil {
			return
		}
		if r.Context().Err() != nil {
			log.DebugContext(r.Context(), "browser went away", "route", r.Pattern)
			return
		}
		p := ProblemOf(r, err)
		if p.Status >= 500 || rec.wrote {
			log.ErrorContext(r.Context(), "request failed",
				"method", r.Method, "route", r.Pattern, "code", string(p.Code), "error", err.Error())
		}
		if rec.wrote {
			panic(http.ErrAbortHandler)
		}
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
		}
		w.Header().Set("Cache-Control", "no-store")
		render(w, r, p)
	})
}

// recorder remembers whether the head has been written.
type recorder struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	w.wrote = w.wrote || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
