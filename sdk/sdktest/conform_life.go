package sdktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// describes: Describe answers before Start, and says what the manifest says.
func describes(ctx context.Context, s *subject) error {
	i, err := s.run(unstarted())
	if err != nil {
		return err
	}
	return s.inTime(ctx, "Describe", func(ctx context.Context) error {
		d, err := i.Client.Describe(ctx)
		if err == nil && (d.ID != s.manifest.ID || d.Version != s.manifest.Version) {
			err = fmt.Errorf("the program says it is %s %s, its manifest %s %s", d.ID, d.Version, s.manifest.ID, s.manifest.Version)
		}
		return err
	})
}

// refusesEarlyCalls: whatever comes before Start is answered with Unavailable.
func refusesEarlyCalls(ctx context.Context, s *subject) error {
	i, err := s.run(unstarted())
	if err != nil {
		return err
	}
	return errors.Join(
		refused("Enable before Start", s.enable(ctx, i), apperr.Unavailable),
		refused("Disable before Start", i.Disable(ctx, Northwind), apperr.Unavailable),
		s.refusesPages(ctx, i, "before Start"),
	)
}

func (s *subject) refusesPages(ctx context.Context, i *Instance, when string) error {
	var errs []error
	for _, e := range s.entries(Northwind) {
		_, err := s.ask(ctx, i, e)
		errs = append(errs, refused(e.String()+" "+when, err, apperr.Unavailable))
	}
	return errors.Join(errs...)
}

// startsOnce: a second Start is refused and changes nothing.
func startsOnce(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	if err := i.begin(ctx); err == nil {
		return errors.New("a second Start is not refused")
	}
	return errors.Join(s.healthy(ctx, i), s.pagesAnswer(ctx, i))
}

// offers: Start answers with the capabilities of the manifest.
func offers(_ context.Context, s *subject) error {
	i, err := s.run()
	if err != nil {
		return err
	}
	if got, want := list(i.Capabilities), list(s.manifest.Capabilities); got != want {
		return fmt.Errorf("the program offers %s, its manifest says %s", got, want)
	}
	return nil
}

// refusesOthers: a capability that is not there is Unimplemented on the wire.
func refusesOthers(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	staff := s.host.StaffCall(Northwind, "staff:invite", "staff:report")
	calls := map[string]func(context.Context) error{
		sdk.CapabilityInvite: func(ctx context.Context) error {
			_, err := i.Invite(staff).Status(ctx, customer)
			return err
		},
		sdk.CapabilitySignUp: func(ctx context.Context) error {
			_, err := i.SignUp(s.host.PublicCall(Northwind)).Profiles(ctx, "no-handle", sdk.Person{})
			return err
		},
		sdk.CapabilityReport: func(ctx context.Context) error {
			return i.Report(staff).Registrations(ctx, sdk.RegistrationQuery{}, func(sdk.Registration) error { return nil })
		},
		sdk.CapabilityEvents: func(ctx context.Context) error { return i.Handle(ctx, Northwind, event()) },
	}
	var errs []error
	for name, call := range calls {
		if s.manifest.HasCapability(name) {
			continue
		}
		errs = append(errs, refused("the capability "+name, s.inTime(ctx, name, call), apperr.NotFound))
	}
	return errors.Join(append(errs, s.healthy(ctx, i))...)
}

// isHealthy: gRPC's health service answers for "plugin", before Start and after.
func isHealthy(ctx context.Context, s *subject) error {
	i, err := s.run(unstarted())
	if err != nil {
		return err
	}
	before := s.healthy(ctx, i)
	return errors.Join(before, i.begin(ctx), s.healthy(ctx, i))
}

func (s *subject) healthy(ctx context.Context, i *Instance) error {
	return within(ctx, pageTime, "the health check", i.Client.Health)
}

// takesAgain: Enable may be repeated for a biller.
func takesAgain(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.enable(ctx, i), s.enable(ctx, i), s.pagesAnswer(ctx, i))
}

// givesUp: Disable and Purge may be repeated, and the biller may come back.
func givesUp(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	disable := func(ctx context.Context) error { return i.Disable(ctx, Northwind) }
	purge := func(ctx context.Context) error { return i.Purge(ctx, Northwind) }
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"Disable", disable}, {"Disable again", disable}, {"Purge", purge}, {"Purge again", purge},
	} {
		if err := s.inTime(ctx, step.what, step.do); err != nil {
			return err
		}
	}
	return errors.Join(s.enable(ctx, i), s.pagesAnswer(ctx, i))
}

// keepsEvents: an event may come twice.
func keepsEvents(ctx context.Context, s *subject) error {
	if !s.manifest.HasCapability(sdk.CapabilityEvents) {
		return fmt.Errorf("%w: the manifest has no events", errNotApplicable)
	}
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	for _, what := range []string{"an event", "the same event again"} {
		handle := func(ctx context.Context) error { return i.Handle(ctx, Northwind, event()) }
		if err := s.inTime(ctx, what, handle); err != nil {
			return err
		}
	}
	return nil
}

func event() sdk.Event {
	return sdk.Event{ID: "event-1", Kind: sdk.CustomerUpdated, At: time.Unix(1_700_000_000, 0).UTC(), Customer: jane()}
}

// drains: Drain ends, may be repeated, and closes the door.
func drains(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	drained := errors.Join(s.inTime(ctx, "Drain", i.Client.Drain), s.inTime(ctx, "Drain again", i.Client.Drain))
	if drained != nil {
		return drained
	}
	return errors.Join(
		refused("Enable after Drain", s.enable(ctx, i), apperr.Unavailable),
		s.refusesPages(ctx, i, "after Drain"),
	)
}

// endsWhenAsked: after Drain, Stop and the end of the connection nothing is
// left: no process, no socket, no failure.
func endsWhenAsked(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- i.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(2 * s.patience):
		return fmt.Errorf("the add-on does not end within %s", 2*s.patience)
	}
}

// entries are the pages that the manifest declares.
func (s *subject) entries(biller string) []entry {
	var es []entry
	if s.manifest.Pages.Public.Prefix != "" {
		es = append(es, s.publicEntry(biller))
	}
	for _, p := range s.manifest.Pages.Staff {
		es = append(es, s.staffEntry(biller, p.Path, p.Ability))
	}
	for _, slot := range slices.Concat(s.manifest.SlotsNamed("customer.tab"), s.manifest.SlotsNamed("report.section")) {
		es = append(es, s.slotEntry(biller, slot.Path, slot.Ability))
	}
	return es
}
