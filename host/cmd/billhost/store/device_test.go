package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// browsing is a context of somebody with a browser.
func browsing(tb testing.TB, device string) context.Context {
	return books.WithActor(tb.Context(), books.Actor{IP: "192.0.2.1", Agent: "Test/1.0 " + device, Device: device})
}

// comesBy signs a person in by a link, with a browser.
func (w *world) comesBy(tb testing.TB, p books.Staff, device string) {
	tb.Helper()
	link, err := w.NewStaffLink(tb.Context(), p.BillerID, p.ID)
	must(tb, err)
	_, err = w.SignIn(browsing(tb, device), link)
	must(tb, err)
}

// toldOf returns the browsers that notices are about, by person, and forgets them.
func (w *world) toldOf(tb testing.TB) map[string][]string {
	tb.Helper()
	var rows []struct {
		Biller string `db:"staff_biller"`
		Staff  string `db:"staff_id"`
		IP     string `db:"ip"`
		Agent  string `db:"agent"`
		Norm   string `db:"email_norm"`
	}
	must(tb, w.db.R.Select(&rows, `SELECT staff_biller, staff_id, ip, agent, email_norm FROM staff_asks WHERE kind = $1 ORDER BY id`, books.AskDevice))
	told := map[string][]string{}
	for _, r := range rows {
		who := r.Biller + " " + r.Staff
		told[who] = append(told[who], strings.TrimPrefix(r.Agent, "Test/1.0 "))
		if r.IP != "192.0.2.1" || r.Norm != "" {
			tb.Errorf("notice: %+v", r)
		}
	}
	_, err := w.db.W.Exec(`DELETE FROM staff_asks`)
	must(tb, err)
	return told
}

// devices counts the browsers of a person.
func (w *world) devices(tb testing.TB, p books.Staff) (n int) {
	tb.Helper()
	must(tb, w.db.R.Get(&n, `SELECT COUNT(*) FROM staff_devices WHERE biller_id = $1 AND staff_id = $2`, p.BillerID, p.ID))
	return n
}

// TestStaffHearOfNewBrowsers: who signs in is told of a browser they had not used
// before, each person of their own, and not of the first of all.
func TestStaffHearOfNewBrowsers(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana, sam := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.a.ID, "sam@northwind.example")
		theirs := mustStaff(t, w, w.b.ID, "dana@northwind.example")
		want := func(what string, told map[string][]string) {
			t.Helper()
			if diff := cmp.Diff(told, w.toldOf(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		of := func(p books.Staff, devices ...string) map[string][]string {
			return map[string][]string{p.BillerID + " " + p.ID: devices}
		}
		w.comesBy(t, dana, "desk")
		w.comesBy(t, dana, "desk")
		want("the first browser", map[string][]string{})
		w.comesBy(t, dana, "phone")
		w.comesBy(t, dana, "phone")
		w.comesBy(t, dana, "desk")
		want("the second", of(dana, "phone"))
		w.comesBy(t, sam, "desk")
		w.comesBy(t, theirs, "desk")
		want("the first of others, at the same desk", map[string][]string{})
		w.comesBy(t, theirs, "phone")
		want("the second at the other biller", of(theirs, "phone"))
		w.comesBy(t, sam, "")
		want("no browser", map[string][]string{})

		w.pass(books.DeviceLife - time.Hour)
		w.comesBy(t, dana, "desk")
		w.pass(time.Hour)
		w.comesBy(t, dana, "desk")
		want("within its life", map[string][]string{})
		if n := w.devices(t, dana) + w.devices(t, theirs); n != 1+2 {
			t.Errorf("%d browsers, want the desk, and those of the biller where nobody came", n)
		}
		w.comesBy(t, dana, "phone")
		w.comesBy(t, sam, "desk")
		want("after its life", map[string][]string{dana.BillerID + " " + dana.ID: {"phone"}, sam.BillerID + " " + sam.ID: {"desk"}})
		var clear int
		must(t, w.db.R.Get(&clear, `SELECT COUNT(*) FROM staff_devices d WHERE length(hash) <> 64 OR EXISTS (SELECT 1 FROM staff_devices o WHERE o.hash = d.hash AND o.staff_id <> d.staff_id)`))
		if clear != 0 {
			t.Errorf("%d browsers are kept in clear, or say that two people share them", clear)
		}
	})
}

// TestDevicesEndWithTheTrust: a new password forgets the other browsers, a closed
// account all; what did not sign in is not remembered.
func TestDevicesEndWithTheTrust(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana, other := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.b.ID, "dana@northwind.example")
		for _, p := range []books.Staff{dana, other} {
			w.comesBy(t, p, "desk")
			w.comesBy(t, p, "phone")
		}
		w.toldOf(t)
		_, err := w.SetStaffPassword(browsing(t, "desk"), w.a.ID, dana.ID, "", "hash")
		must(t, err)
		if told := w.toldOf(t); len(told) != 0 || w.devices(t, dana) != 1 || w.devices(t, other) != 2 {
			t.Errorf("after a new password: told %v, %d browsers, %d of the other biller's", told, w.devices(t, dana), w.devices(t, other))
		}
		_, err = w.StartStaffSession(browsing(t, "thief"), w.a.ID, dana.ID, "wrong hash")
		wantCode(t, "a wrong password", err, apperr.Unauthenticated)
		_, err = w.StartStaffSession(browsing(t, "thief"), w.b.ID, dana.ID, "hash")
		wantCode(t, "at the other biller", err, apperr.Unauthenticated)
		if _, err = w.SetStaffPassword(browsing(t, "thief"), w.a.ID, dana.ID, "wrong hash", "x"); !apperr.Is(err, apperr.Conflict) {
			t.Error(err)
		}
		if told := w.toldOf(t); len(told) != 0 || w.devices(t, dana) != 1 {
			t.Errorf("who did not sign in: told %v, %d browsers", told, w.devices(t, dana))
		}
		_, err = w.StartStaffSession(browsing(t, "desk"), w.a.ID, dana.ID, "hash")
		must(t, err)
		_, err = w.StartStaffSession(browsing(t, "phone"), w.a.ID, dana.ID, "hash")
		must(t, err)
		if told := w.toldOf(t); len(told) != 1 || told[dana.BillerID+" "+dana.ID][0] != "phone" {
			t.Errorf("with the new password: told %v", told)
		}
		must(t, w.DisableStaff(t.Context(), w.a.ID, dana.ID, true))
		if w.devices(t, dana) != 0 || w.devices(t, other) != 2 {
			t.Errorf("closed: %d browsers, %d of the other biller's", w.devices(t, dana), w.devices(t, other))
		}
		must(t, w.DisableStaff(t.Context(), w.a.ID, dana.ID, false))
		w.comesBy(t, dana, "desk")
		if told := w.toldOf(t); len(told) != 1 {
			t.Errorf("opened again: told %v", told)
		}
	})
}

// TestManyBrowsers: a person is told so many times a day, and so many browsers are
// remembered, those used last; the audit has them all.
func TestManyBrowsers(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		most := books.DeviceNotices("").Limit + 3
		for n := range most {
			w.pass(time.Second)
			w.comesBy(t, dana, fmt.Sprint(n))
		}
		if told := w.toldOf(t)[dana.BillerID+" "+dana.ID]; len(told) != most-3 {
			t.Errorf("told of %d: %v", len(told), told)
		}
		if n := w.devices(t, dana); n != books.DevicesKept {
			t.Errorf("%d browsers are remembered, want %d", n, books.DevicesKept)
		}
		w.pass(25 * time.Hour)
		w.comesBy(t, dana, fmt.Sprint(most-books.DevicesKept)) // the one used longest ago of those remembered
		w.comesBy(t, dana, fmt.Sprint(most-books.DevicesKept-1))
		if told := w.toldOf(t)[dana.BillerID+" "+dana.ID]; len(told) != 1 {
			t.Errorf("a day later: told of %v", told)
		}
		list, err := w.FindAudit(t.Context(), w.a.ID, books.AuditFilter{Action: books.AuditStaffSignedIn, Limit: 100})
		must(t, err)
		fresh := 0
		for _, e := range list.Entries {
			if e.Detail["browser"] == "new" {
				fresh++
			}
		}
		if len(list.Entries) != most+2 || fresh != most+1 {
			t.Errorf("%d of %d sign-ins are said to be of a new browser", fresh, len(list.Entries))
		}
	})
}

// TestSignInsAtOnceWithANewBrowser: all get in, and the person is told once of one
// browser, and of each of several.
func TestSignInsAtOnceWithANewBrowser(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana, other := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.b.ID, "dana@northwind.example")
		for _, p := range []books.Staff{dana, other} {
			_, err := w.SetStaffPassword(browsing(t, "desk"), p.BillerID, p.ID, "", "hash")
			must(t, err)
		}
		for _, tc := range []struct {
			devices func(n int) string
			want    int
		}{
			{func(int) string { return "phone" }, 1},
			{func(n int) string { return fmt.Sprint("tablet ", n) }, 16},
		} {
			in := &entered{tb: t}
			atOnce(func(n int) { in.add(w.StartStaffSession(browsing(t, tc.devices(n)), w.a.ID, dana.ID, "hash")) })
			if told := w.toldOf(t); in.alive(w) != 16 || len(told) != 1 || len(told[dana.BillerID+" "+dana.ID]) != tc.want {
				t.Errorf("%d sessions, told of %v, want %d", in.alive(w), told, tc.want)
			}
		}
	})
}

// TestBrowsersWithLongNames: what is kept of a name is text, wherever it is cut.
func TestBrowsersWithLongNames(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		for n := range 4 {
			ctx := books.WithActor(t.Context(), books.Actor{Agent: strings.Repeat("x", 256-n) + strings.Repeat("🦊", 9)})
			link, err := w.NewStaffLink(ctx, w.a.ID, dana.ID)
			must(t, err)
			if _, err := w.SignIn(ctx, link); err != nil {
				t.Errorf("cut after %d bytes of a letter: %v", n, err)
			}
		}
	})
}
