package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// seen is what a person is told by an error.
type seen struct {
	Code    apperr.Code
	Message string
	Fields  map[string]string
	Retry   time.Duration
}

func see(err error) seen {
	return seen{apperr.CodeOf(err), apperr.MessageOf(err), apperr.FieldsOf(err), apperr.RetryAfterOf(err)}
}

func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"none":              nil,
		"invalid":           apperr.Field("email", "Enter an email address."),
		"not found":         apperr.Errorf(apperr.NotFound, "There is no such customer."),
		"conflict":          apperr.Errorf(apperr.Conflict, "This customer is registered."),
		"unauthenticated":   apperr.Errorf(apperr.Unauthenticated, "Sign in first."),
		"permission denied": apperr.Errorf(apperr.PermissionDenied, "You may not do this."),
		"throttled":         apperr.Throttled(90*time.Second, "Wait a little."),
		"unavailable":       apperr.Wrap(apperr.Unavailable, "The mail server is not answering.", errors.New("dial tcp")),
		"wrapped":           fmt.Errorf("send invitation: %w", apperr.Errorf(apperr.NotFound, "Gone.")),
		"several fields": &apperr.Error{
			Code:    apperr.Invalid,
			Message: "Two things are wrong.",
			Fields:  map[string]string{"email": "Enter one.", "password": "Too short."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			crossed := wire.ToStatus(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), err)
			if diff := cmp.Diff(see(err), see(wire.FromStatus(t.Context(), crossed))); diff != "" {
				t.Errorf("after the wire (-want +got):\n%s", diff)
			}
			if log.Len() > 0 {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

func TestInternalErrorsStayAtHome(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"uncoded":  errors.New("pq: secret_table is broken"),
		"internal": apperr.Wrap(apperr.Internal, "secret_table", errors.New("pq: broken")),
		"fields":   &apperr.Error{Code: apperr.Internal, Message: "x", Fields: map[string]string{"secret_table": "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			crossed := wire.ToStatus(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), err)
			if strings.Contains(fmt.Sprint(crossed, status.Convert(crossed).Details()), "secret") {
				t.Errorf("the text crossed: %v", crossed)
			}
			got := wire.FromStatus(t.Context(), crossed)
			if apperr.CodeOf(got) != apperr.Internal || apperr.MessageOf(got) != apperr.GenericMessage {
				t.Errorf("got %v", got)
			}
			if !strings.Contains(log.String(), err.Error()) {
				t.Errorf("not logged: %s", &log)
			}
		})
	}
}

func TestForeignStatus(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		in   error
		want apperr.Code
		is   error
		gone bool
	}{
		{"process gone", t.Context(), status.Error(codes.Unavailable, "EOF"), apperr.Unavailable, nil, true},
		{"not offered", t.Context(), status.Error(codes.Unimplemented, "x"), apperr.NotFound, nil, false},
		{"too slow", t.Context(), status.Error(codes.DeadlineExceeded, "x"), apperr.Unavailable, context.DeadlineExceeded, false},
		{"caller gave up", ended, status.Error(codes.Canceled, "x"), apperr.Unavailable, context.Canceled, false},
		{"too large", t.Context(), status.Error(codes.ResourceExhausted, "x"), apperr.Internal, nil, false},
		{"unknown", t.Context(), status.Error(codes.Unknown, "secret"), apperr.Internal, nil, false},
		{"no status", t.Context(), errors.New("x"), apperr.Internal, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := wire.FromStatus(c.ctx, c.in)
			if apperr.CodeOf(got) != c.want || c.is != nil && !errors.Is(got, c.is) || wire.Gone(got) != c.gone {
				t.Errorf("got %q (%v), gone %v", apperr.CodeOf(got), got, wire.Gone(got))
			}
			if strings.Contains(apperr.MessageOf(got), "secret") {
				t.Errorf("message %q", apperr.MessageOf(got))
			}
		})
	}
}

func TestHugeErrorIsClipped(t *testing.T) {
	t.Parallel()
	huge := &apperr.Error{Code: apperr.Invalid, Message: strings.Repeat("ä", 1<<20), Fields: map[string]string{}}
	for i := range 1000 {
		huge.Fields[fmt.Sprint(i)] = strings.Repeat("x", 10_000)
	}
	got := wire.FromStatus(t.Context(), wire.ToStatus(t.Context(), slog.New(slog.DiscardHandler), huge))
	if n := len(apperr.MessageOf(got)); n == 0 || n > 2000 {
		t.Errorf("message of %d bytes", n)
	}
	if n := len(apperr.FieldsOf(got)); n != 100 {
		t.Errorf("%d fields", n)
	}
}
