package main

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const needsProof = "Nothing has happened yet."

// TestStaffProveWhoTheyAreBeforeTheyErase: with an old proof neither the page that asks
// first nor its button does anything.
func TestStaffProveWhoTheyAreBeforeTheyErase(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		tab, staff := r.office()
		person := linkTo(t, tab.open(tabOf+"c1"), "Manage", staff)
		erase := person + "/erase"
		ask := staff.open(erase).wants(200, "Erase")

		r.clock.advance(sdk.FreshLife)
		staff.open(erase).wants(401, needsProof)
		staff.press(ask, "Erase").wants(401, needsProof)
		staff.open(person).wants(200, elena)
		staff.open(person+"/disable").wants(200, "Disable the sign-in of "+elena+"?")
		if got := r.status("c1"); got != "Registered" {
			t.Errorf("status %s", got)
		}

		staff.call.Viewer.AuthenticatedAt = r.clock.now()
		staff.press(staff.open(erase).wants(200), "Erase").landed(tab, "c1").wants(200, "Nobody yet", "an erased person")
	})
}

// TestStaffProveWhoTheyAreBeforeTheyLetSomebodyIn: the list stays open, declining too.
func TestStaffProveWhoTheyAreBeforeTheyLetSomebodyIn(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.asks(r.invited("c1", elena))
		tab, staff := r.office()
		mails := len(r.Host.Mails())
		r.clock.advance(sdk.FreshLife)
		list := staff.open("/requests").wants(200, "Jo Doe", jo)
		staff.press(list, "Approve", "right", "payer").wants(401, needsProof)
		staff.open("/requests").wants(200, "Jo Doe", jo)
		if got := r.Host.Mails(); len(got) != mails {
			t.Errorf("mailed %+v", got[mails:])
		}

		staff.call.Viewer.AuthenticatedAt = r.clock.now().Add(-sdk.FreshLife / 2)
		staff.press(list, "Approve", "right", "payer").landed(tab, "c1").wants(200, "The invitation to the person who asked is on its way.")
		r.mail("access", jo, 1)
	})
}

// TestPlatformsThatDoNotTellAskNothing: one that does not know when staff signed in
// could never satisfy the portal.
func TestPlatformsThatDoNotTellAskNothing(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.asks(r.invited("c1", elena))
	tab, staff := r.office()
	staff.call.Viewer.AuthenticatedAt = time.Time{}
	r.clock.advance(sdk.FreshLife)
	staff.press(staff.open("/requests"), "Approve", "right", "payer").landed(tab, "c1").wants(200, "The invitation to the person who asked is on its way.")
}

// TestOldProofsSayNothingMore: who may not erase or approve hears that, not when they
// signed in.
func TestOldProofsSayNothingMore(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	_, staff := r.office()
	person := linkTo(t, r.staff(wire.Slot, portal.AbilityInvite).open(tabOf+"c1"), "Manage", staff)
	inviter, reporter := r.staff(wire.Staff, portal.AbilityInvite), r.staff(wire.Staff, portal.AbilityReport)
	r.clock.advance(sdk.FreshLife)
	inviter.do(http.MethodGet, person+"/erase", nil).wants(404)
	inviter.do(http.MethodPost, person+"/erase", url.Values{}).wants(403)
	reporter.do(http.MethodPost, "/requests/any/approve", url.Values{"right": {"payer"}}).wants(403)
}
