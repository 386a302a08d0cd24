package mail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/mail"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// fakeStaff is what the portal and the platform say of mails to staff.
type fakeStaff struct {
	notice portal.StaffNotice
	stale  error
	err    error
	told   []sdk.StaffNotice
}

func (f *fakeStaff) StaffNotice(_ context.Context, _ portal.Caller, ref portal.StaffRef) (portal.StaffNotice, error) {
	f.notice.Ref = ref
	return f.notice, f.stale
}

func (f *fakeStaff) Notify(_ context.Context, n sdk.StaffNotice) (int, error) {
	if err := n.Check(); err != nil {
		return 0, err
	}
	f.told = append(f.told, n)
	return 1, f.err
}

func (f *fakeStaff) tell(tb testing.TB, host *fakeHost, payload string) error {
	tb.Helper()
	texts, err := catalogue.Load()
	if err != nil {
		tb.Fatal(err)
	}
	t := &mail.Teller{Notices: f, Host: sdk.Host{Billers: host, Staff: f}, Texts: texts, Now: time.Now}
	return t.Tell(tb.Context(), jobs.Job{Biller: "b1", Kind: portal.JobStaff, Payload: payload})
}

func payloadOf(kind portal.StaffKind) string {
	return `{"kind":"` + string(kind) + `","at":"2026-11-21T09:00:00.000001Z"}`
}

// TestStaffMails: each kind has its words, for one and for many, and whatever names
// there are, a platform takes the mail.
func TestStaffMails(t *testing.T) {
	t.Parallel()
	hostile := portal.Customer{ID: "../x?y", DisplayName: "Evil\r\nBcc: x\u2028y https://evil.example \xff" + strings.Repeat("x", 500)}
	for _, kind := range portal.StaffKinds() {
		one := &fakeStaff{notice: portal.StaffNotice{Count: 1, Customers: []portal.Customer{{ID: "c 1", DisplayName: "Doe <b>Residence</b>"}}}}
		many := &fakeStaff{notice: portal.StaffNotice{Count: 12, Customers: []portal.Customer{hostile, hostile, hostile, hostile, hostile}, More: 3}}
		nobody := &fakeStaff{notice: portal.StaffNotice{Count: 1}}
		odd := &fakeStaff{notice: portal.StaffNotice{Count: 1, Customers: []portal.Customer{{ID: "..", Name: "Odd"}}}}
		for name, f := range map[string]*fakeStaff{"one": one, "many": many, "nobody": nobody, "odd": odd} {
			if err := f.tell(t, &fakeHost{}, payloadOf(kind)); err != nil || len(f.told) != 1 {
				t.Fatalf("%s, %s: %v", kind, name, err)
			}
			if n := f.told[0]; n.Key != "staff/"+string(kind)+"/1795251600000001" || n.Kind != string(kind) || n.Ability != portal.AbilityInvite || strings.Contains(n.Subject+n.Text, "staff.") {
				t.Errorf("%s, %s: %+v", kind, name, n)
			}
		}
		paths := map[bool][2]string{true: {"/requests", "/requests"}, false: {"/customers/c%201", ""}}[kind == portal.StaffAccess]
		if n := one.told[0]; n.Path != paths[0] || !strings.Contains(n.Text, "Customer: Doe <b>Residence</b>\n") {
			t.Errorf("one: %+v", n)
		}
		if n := many.told[0]; n.Path != paths[1] || !strings.Contains(n.Subject, "12 ") || !strings.Contains(n.Text, "and 3 more") || strings.Count(n.Text, "\n") != 4 {
			t.Errorf("many: %+v", n)
		}
		if n := nobody.told[0]; n.Path != paths[1] || strings.Contains(n.Text, "Customer:") {
			t.Errorf("nobody: %+v", n)
		}
		if n := odd.told[0]; n.Path != paths[1] {
			t.Errorf("odd: %+v", n)
		}
	}
}

// TestStaffJobs: what ends a job, what repeats it.
func TestStaffJobs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fake    fakeStaff
		off     bool
		payload string
		code    apperr.Code
		told    int
	}{
		"told":                       {fakeStaff{}, false, "", "", 1},
		"nothing left to tell":       {fakeStaff{stale: portal.ErrStaleMail}, false, "", "", 0},
		"no database":                {fakeStaff{stale: errors.New("down")}, false, "", apperr.Internal, 0},
		"the biller has not agreed":  {fakeStaff{err: apperr.Errorf(apperr.PermissionDenied, "no")}, false, "", "", 1},
		"an older platform":          {fakeStaff{err: apperr.Errorf(apperr.NotFound, "unimplemented")}, false, "", "", 1},
		"the mail server is away":    {fakeStaff{err: apperr.Errorf(apperr.Unavailable, "later")}, false, "", apperr.Unavailable, 1},
		"over the cap":               {fakeStaff{err: apperr.Errorf(apperr.TooManyRequests, "later")}, false, "", apperr.TooManyRequests, 1},
		"refused for good":           {fakeStaff{err: apperr.Errorf(apperr.Invalid, "no")}, false, "", apperr.Invalid, 1},
		"the biller switched it off": {fakeStaff{}, true, "", apperr.NotFound, 0},
		"a broken payload":           {fakeStaff{}, false, "[]", apperr.Internal, 0},
	} {
		if tt.payload == "" {
			tt.payload = payloadOf(portal.StaffAccess)
		}
		tt.fake.notice = portal.StaffNotice{Count: 1}
		if err := tt.fake.tell(t, &fakeHost{off: tt.off}, tt.payload); apperr.CodeOf(err) != tt.code || len(tt.fake.told) != tt.told {
			t.Errorf("%s: told %d, %v", name, len(tt.fake.told), err)
		}
	}
}
