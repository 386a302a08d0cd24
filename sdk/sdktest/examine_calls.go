package sdktest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
)

// exercise asks for every page and slot of the manifest and calls the parts that
// the add-on offers, so that it calls the host. Only pages must answer: what a
// part says about made-up people is its own affair. False if the process ended.
func (e *exam) exercise(ctx context.Context, i *Instance) bool {
	pages := e.pagesAnswer(ctx, i)
	late := map[string]error{}
	for name, call := range e.calls(i) {
		if e.manifest.HasCapability(name) {
			late[name] = e.inTime(ctx, name, call)
		}
	}
	if e.healthy(ctx, i) != nil && ended(i) {
		e.add("exits", "It ended (%s) while its pages and parts were called.%s", exitText(i.program.err), e.lastWords())
		return false
	}
	if pages != nil {
		e.add("page", "Pages of the manifest give an error; mend them, or what they ask for:\n%v.%s", pages, e.lastWords())
	}
	for _, name := range slices.Sorted(maps.Keys(late)) {
		if err := late[name]; err != nil {
			e.add("answer", "The capability %s gives no answer: %v.%s", name, err, e.lastWords())
		}
	}
	return true
}

// ended tells whether a process that no longer answers has ended; its last
// output comes with its end.
func ended(i *Instance) bool {
	select {
	case <-i.Ended():
		return true
	case <-time.After(4 * lastWords):
		return false
	}
}

// calls are a call, or a few, to each part. Their answers do not matter.
func (e *exam) calls(i *Instance) map[string]func(context.Context) error {
	staff := e.host.StaffCall(Northwind, "staff:invite", "staff:report", "staff:configure")
	return map[string]func(context.Context) error{
		sdk.CapabilityInvite: func(ctx context.Context) error {
			inviter := i.Invite(staff)
			_, status := inviter.Status(ctx, customer)
			_, send := inviter.Send(ctx, customer)
			_, resend := inviter.Resend(ctx, customer)
			_, link := inviter.Link(ctx, customer)
			return late(status, send, resend, link)
		},
		sdk.CapabilitySignUp: func(ctx context.Context) error {
			signUp := i.SignUp(e.host.PublicCall(Northwind))
			_, begin := signUp.Begin(ctx, "no-token", sdk.Person{})
			_, register := signUp.Register(ctx, "no-handle", jane().Email, "a long password of nobody", sdk.Person{})
			_, profiles := signUp.Profiles(ctx, "no-handle", sdk.Person{})
			return late(begin, register, profiles, signUp.Resend(ctx, "no-handle", sdk.Person{}))
		},
		sdk.CapabilityReport: func(ctx context.Context) error {
			return late(i.Report(staff).Registrations(ctx, sdk.RegistrationQuery{}, func(sdk.Registration) error { return nil }))
		},
		sdk.CapabilityEvents: func(ctx context.Context) error {
			var errs []error
			for _, kind := range []string{sdk.CustomerCreated, sdk.CustomerUpdated, sdk.CustomerArchived} {
				event := event()
				event.ID, event.Kind = kind, kind
				errs = append(errs, i.Handle(ctx, Northwind, event))
			}
			return late(errs...)
		},
	}
}

// late keeps only that a call took too long.
func late(errs ...error) error {
	for _, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}
