package apperr_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestReading(t *testing.T) {
	t.Parallel()
	coded := apperr.Errorf(apperr.NotFound, "There is no customer %q.", "c1")
	tests := []struct {
		name    string
		err     error
		code    apperr.Code
		message string
		fields  map[string]string
		retry   time.Duration
		log     string
	}{
		{"nil", nil, "", "", nil, 0, ""},
		{"uncoded", io.ErrUnexpectedEOF, apperr.Internal, apperr.GenericMessage, nil, 0, "unexpected EOF"},
		{"coded", coded, apperr.NotFound, `There is no customer "c1".`, nil, 0, `There is no customer "c1".`},
		{"wrapped by fmt", fmt.Errorf("find customer: %w", coded), apperr.NotFound, `There is no customer "c1".`, nil, 0, `find customer: There is no customer "c1".`},
		{"field", apperr.Field("email", "Enter an email address."), apperr.Invalid, "Enter an email address.", map[string]string{"email": "Enter an email address."}, 0, "Enter an email address."},
		{"wrap hides its cause", apperr.Wrap(apperr.Unavailable, "Mail is down.", io.EOF), apperr.Unavailable, "Mail is down.", nil, 0, "Mail is down.: EOF"},
		{"wrap without message", apperr.Wrap(apperr.Unavailable, "", io.EOF), apperr.Unavailable, apperr.GenericMessage, nil, 0, "EOF"},
		{"wrap of nil", apperr.Wrap(apperr.Conflict, "Taken.", nil), "", "", nil, 0, ""},
		{"internal keeps its text", apperr.Errorf(apperr.Internal, "secret %d", 7), apperr.Internal, apperr.GenericMessage, nil, 0, "secret 7"},
		{"empty code", &apperr.Error{Message: "secret"}, apperr.Internal, apperr.GenericMessage, nil, 0, "secret"},
		{"throttled", apperr.Throttled(time.Minute, "Try again in %d minute.", 1), apperr.TooManyRequests, "Try again in 1 minute.", nil, time.Minute, "Try again in 1 minute."},
		{"outermost wins", apperr.Wrap(apperr.Conflict, "Taken.", coded), apperr.Conflict, "Taken.", nil, 0, `Taken.: There is no customer "c1".`},
		{"joined", errors.Join(io.EOF, coded), apperr.NotFound, `There is no customer "c1".`, nil, 0, "EOF\nThere is no customer \"c1\"."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := apperr.CodeOf(tt.err); got != tt.code {
				t.Errorf("CodeOf = %q, want %q", got, tt.code)
			}
			if got := apperr.MessageOf(tt.err); got != tt.message {
				t.Errorf("MessageOf = %q, want %q", got, tt.message)
			}
			if diff := cmp.Diff(tt.fields, apperr.FieldsOf(tt.err)); diff != "" {
				t.Errorf("FieldsOf (-want +got):\n%s", diff)
			}
			if got := apperr.RetryAfterOf(tt.err); got != tt.retry {
				t.Errorf("RetryAfterOf = %v, want %v", got, tt.retry)
			}
			if tt.err != nil && tt.err.Error() != tt.log {
				t.Errorf("Error() = %q, want %q", tt.err.Error(), tt.log)
			}
		})
	}
}

func TestWrapKeepsCause(t *testing.T) {
	t.Parallel()
	err := apperr.Wrap(apperr.Unavailable, "The database is down.", io.EOF)
	if !errors.Is(err, io.EOF) {
		t.Error("errors.Is does not find the cause")
	}
	if !apperr.Is(err, apperr.Unavailable) || apperr.Is(err, apperr.Internal) || apperr.Is(nil, "") {
		t.Error("Is does not match the code")
	}
}

func TestFieldsOfIsACopy(t *testing.T) {
	t.Parallel()
	err := apperr.Field("name", "Enter a name.")
	apperr.FieldsOf(err)["name"] = "changed"
	if got := apperr.FieldsOf(err)["name"]; got != "Enter a name." {
		t.Errorf("FieldsOf = %q after changing a copy", got)
	}
}
