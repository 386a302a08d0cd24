package sdktest

import (
	"context"
	"slices"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Notice is what the biller's staff were told, with its biller.
type Notice struct {
	Biller string
	sdk.StaffNotice
}

// Notices are what staff were told so far, oldest first.
func (h *Host) Notices() []Notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.notices)
}

// Notify tells the one staff user that each biller has.
func (s *services) Notify(ctx context.Context, n sdk.StaffNotice) (told int, err error) {
	if err := s.need("staff:notify"); err != nil {
		return 0, err
	}
	if !s.grant.installation && !s.grant.call.Viewer.IsStaff() {
		return 0, apperr.Errorf(apperr.PermissionDenied, "Staff cannot be notified on a public page.")
	}
	if err := n.Check(); err != nil {
		s.host.mu.Lock()
		defer s.host.mu.Unlock()
		s.host.badNotices = append(s.host.badNotices, err)
		return 0, err
	}
	if s.host.NotifyFn != nil {
		return s.host.NotifyFn(ctx, s.biller, n)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if !slices.ContainsFunc(s.host.notices, func(o Notice) bool { return o.Biller == s.biller && o.Key == n.Key }) {
		s.host.notices = append(s.host.notices, Notice{Biller: s.biller, StaffNotice: n})
	}
	return 1, nil
}
