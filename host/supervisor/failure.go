package supervisor

import (
	"errors"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// crash is the failure of a process that ended by itself or does not answer.
type crash struct{ error }

// Unwrap returns what people are told.
func (c crash) Unwrap() error { return c.error }

func crashed(text string) error { return crash{apperr.Errorf(apperr.Unavailable, "%s", text)} }

// isCrash tells whether err means that the process ended by itself or does not
// answer, in contrast to one that says what is wrong.
func isCrash(err error) bool {
	_, ok := errors.AsType[crash](err)
	return ok || wire.Gone(err)
}

// unpromoted is the failure to record that a version has passed its trial. It is
// no fault of the version.
type unpromoted struct{ error }

// Unwrap returns the store's error.
func (u unpromoted) Unwrap() error { return u.error }

// reasonText is what the operator reads. All of it comes from the host or is an
// error that the add-on sent to be shown.
func reasonText(err error) string {
	if _, coded := errors.AsType[*apperr.Error](err); coded {
		return apperr.MessageOf(err)
	}
	return "The host could not run it: " + err.Error()
}
