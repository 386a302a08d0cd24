package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// notices waits until the biller's staff have been told n times.
func (r *rig) notices(biller string, n int) []sdktest.Notice {
	r.tb.Helper()
	var of []sdktest.Notice
	r.eventually("staff are told", func() bool {
		of = slices.DeleteFunc(r.Host.Notices(), func(o sdktest.Notice) bool { return o.Biller != biller })
		return len(of) >= n
	})
	if len(of) != n {
		r.tb.Errorf("staff were told %d times, want %d: %+v", len(of), n, of)
	}
	return of
}

// opens fails unless staff who may invite can open the page of a notice.
func (r *rig) opens(n sdktest.Notice, contains ...string) {
	r.tb.Helper()
	r.staff(wire.Staff, n.Ability).open(n.Path).wants(http.StatusOK, contains...)
}

// TestStaffAreTold is cases 2 and 3 and "This wasn't me": the biller hears of it by
// mail, another biller does not.
func TestStaffAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		stranger := r.browser(northwind)
		stranger.press(stranger.press(stranger.open(link), "Sign Up", "email", elena, "password", "a stranger's own words"), "Continue")
		owner := r.browser(northwind)
		notMe := after(t, r.mail("confirmation", elena, 1).Text, northwind, "I didn't do this: ")
		owner.open(notMe).wants(200)
		if n := r.Host.Notices(); len(n) != 0 {
			t.Fatalf("told of what nobody pressed: %+v", n)
		}
		owner.press(owner.open(notMe), "I didn't do this").wants(200)
		n := r.notices(northwind, 1)[0]
		if n.Kind != "signup" || n.Subject != "Somebody else began to sign up with your customer's email address" || !strings.Contains(n.Text, "Customer: Rivera Family") {
			t.Errorf("%+v", n)
		}
		r.opens(n, "Rivera Family", "Reported as not theirs")

		r.asks(link).wants(200)
		n = r.notices(northwind, 2)[1]
		if n.Kind != "access" || strings.Contains(n.Text, "Jo") || strings.Contains(n.Text, "pay") {
			t.Errorf("%+v", n)
		}
		r.opens(n, "Jo Doe", "Approve")
		if theirs := r.notices(contoso, 0); len(theirs) != 0 {
			t.Errorf("another biller: %+v", theirs)
		}
	})
}

// TestStaffAreToldWhatCouldNotBeSent: trouble on the way neither loses the mail nor
// doubles it, nor keeps the customer from anything.
func TestStaffAreToldWhatCouldNotBeSent(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	var keys []string
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.NotifyFn = func(_ context.Context, _ string, n sdk.StaffNotice) (int, error) {
			keys = append(keys, n.Key)
			if tries.Add(1) < 3 {
				return 0, apperr.Errorf(apperr.Unavailable, "The mail server cannot be reached.")
			}
			return 1, nil
		}
	})
	r.asks(r.invited("c1", elena)).wants(200)
	r.eventually("staff are told at the third try", func() bool {
		r.clock.advance(time.Minute)
		return tries.Load() == 3
	})
	r.mail("invitation", elena, 1)
	if len(slices.Compact(keys)) != 1 {
		t.Errorf("keys %q", keys)
	}
}

// TestStaffAreNotToldWithoutConsent: the biller agreed to an earlier version. All
// else works, and nothing is tried over and over.
func TestStaffAreNotToldWithoutConsent(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.Permissions = []string{"customers:read", "invoices:read", "mail:send", "billers:read", "audit:write", "database"}
	})
	r.asks(r.invited("c1", elena)).wants(200)
	r.eventually("it was tried", func() bool { return slices.Contains(r.Host.Refused(), "staff:notify") })
	r.staff(wire.Staff, portal.AbilityInvite).open("/requests").wants(200, "Jo Doe")
	if n := r.Host.Notices(); len(n) != 0 {
		t.Errorf("told: %+v", n)
	}
}
