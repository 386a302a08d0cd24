package web

import (
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// sentence is the text of one of the portal's errors, about a field unless that
// is empty.
type sentence struct {
	err        error
	field, key string
}

func sentences() []sentence {
	return append(agreementSentences(), []sentence{
		{portal.ErrOtherEmail, "email", "error.email.other"},
		{password.ErrUnreadable, "password", "error.password.unreadable"},
		{password.ErrShort, "password", "error.password.short"},
		{password.ErrLong, "password", "error.password.long"},
		{password.ErrEmail, "password", "error.password.email"},
		{password.ErrName, "password", "error.password.name"},
		{password.ErrBreached, "password", "error.password.breached"},
		{password.ErrWeak, "password", "error.password.weak"},
		{portal.ErrWrongPassword, "password", "error.password.wrong"},
		{portal.ErrInvitedAddress, "email", "error.access.email"},
		{portal.ErrAccessName, "name", "error.access.name"},
		{portal.ErrAccessLong, "message", "error.access.long"},
		{portal.ErrAccessDecided, "", "error.access.decided"},
		{portal.ErrNoPerson, "", "error.person.gone"},
		{portal.ErrProve, "", "error.person.proof"},
		{portal.ErrSignInDiffers, "", "error.customer.differs"},
		{portal.ErrInvitedDisabled, "", "error.customer.disabled"},
		{portal.ErrEndedPassword, "password", "reset.ended"},
		{portal.ErrSamePassword, "password", "change.same"},
		{portal.ErrWrongCurrent, "current", "change.wrong"},
		{portal.ErrAgain, "current", "required.current"},
		{portal.ErrSameAddress, "email", "address.same"},
		{portal.ErrAddressTaken, "", "address.taken"},
		{portal.ErrNoAddressChange, "", "address.none"},
		{portal.ErrWrongCode, "code", "error.code.wrong"},
		{portal.ErrNoCode, "code", "error.code.digits"},
		{portal.ErrCodeDead, "", "error.code.dead"},
		{portal.ErrCodesUsedUp, "", "error.code.usedup"},
		{portal.ErrNoProfile, "profile", "error.profile"},
		{portal.ErrWrongSignIn, "", "error.signin"},
		{portal.ErrAgreementChanged, "", "error.agreement.changed"},
		{portal.ErrOfferGone, "", "error.offer.gone"},
		{portal.ErrNoCustomer, "", "error.customer.none"},
		{portal.ErrArchived, "", "error.customer.archived"},
		{portal.ErrInvitedRegistered, "", "error.customer.registered"},
		{portal.ErrInvitedHasAccess, "", "error.customer.access"},
		{portal.ErrNoEmail, "", "error.customer.noemail"},
		{portal.ErrBadEmail, "", "error.customer.bademail"},
		{portal.ErrNoneOpen, "", "customer.error.nolink"},
	}...)
}

// told returns err with the sentences of the catalogue, whose placeholders are
// pairs and Biller. An error that has none there stays as it is.
func (v *visit) told(err error, pairs ...any) error {
	pairs = append(pairs, "Biller", v.Name())
	message, fields := "", map[string]string{}
	maps.Copy(fields, apperr.FieldsOf(err))
	for _, s := range sentences() {
		if !errors.Is(err, s.err) {
			continue
		}
		text := v.T(s.key, pairs...)
		if message == "" {
			message = text
		}
		if s.field != "" {
			fields[s.field] = text
		}
	}
	if message == "" {
		return err
	}
	return &apperr.Error{Code: apperr.CodeOf(err), Message: message, Fields: fields, RetryAfter: apperr.RetryAfterOf(err)}
}

// pause is the keys of what a throttled person is told: the wait in seconds up to
// a minute, in minutes beyond.
type pause struct{ seconds, minutes string }

func afterTries() pause { return pause{"error.tries.seconds", "error.tries.minutes"} }

func afterMails() pause { return pause{"error.mails.seconds", "error.mails.minutes"} }

// fail has the form show err, in the words of the catalogue. It reports false for
// errors that no form can show.
func (v *visit) fail(f *web.Form, err error, p pause, pairs ...any) bool {
	v.failed = v.blame(f, err, p, pairs...)
	return v.failed
}

func (v *visit) blame(f *web.Form, err error, p pause, pairs ...any) bool {
	if wait := apperr.RetryAfterOf(err); wait > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(ceil(wait, time.Second)))
	}
	switch apperr.CodeOf(err) {
	case apperr.TooManyRequests:
		wait := apperr.RetryAfterOf(err)
		f.Message = v.N(p.seconds, ceil(wait, time.Second))
		if wait > time.Minute {
			f.Message = v.N(p.minutes, ceil(wait, time.Minute))
		}
		return true
	case apperr.Unavailable:
		f.Message = v.T("error.busy")
		return true
	}
	return f.Fail(v.told(err, pairs...))
}

func ceil(d, unit time.Duration) int { return int((d + unit - 1) / unit) }
