package sdktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/billing-addons/customer-portal/sdk"
)

// tellsStaff: what the add-on tells staff while it works is what a platform takes,
// and leads to a page that those who are told may open.
func tellsStaff(ctx context.Context, s *subject) error {
	if !s.manifest.HasPermission("staff:notify") {
		return fmt.Errorf("%w: the manifest does not ask for staff:notify", errNotApplicable)
	}
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	if s.manifest.HasCapability(sdk.CapabilityEvents) {
		if err := s.inTime(ctx, "an event", func(ctx context.Context) error { return i.Handle(ctx, Northwind, event()) }); err != nil {
			return err
		}
	}
	errs := []error{s.pagesAnswer(ctx, i)}
	for _, n := range s.host.Notices() {
		e := s.staffEntry(n.Biller, cmp.Or(n.Path, "/"), n.Ability)
		p, err := s.ask(ctx, i, e)
		if err == nil && p.status != http.StatusOK {
			err = fmt.Errorf("the notice %q leads to %s: status %d, want 200", n.Subject, e, p.status)
		}
		errs = append(errs, err)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for _, err := range s.host.badNotices {
		errs = append(errs, fmt.Errorf("a notice to staff is refused: %w", err))
	}
	return errors.Join(errs...)
}
