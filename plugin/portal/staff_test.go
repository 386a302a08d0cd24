package portal_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestPlanStaff: the first thing is told at once, what follows once an hour, and
// each mail tells of the hour up to it.
func TestPlanStaff(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return time.Unix(0, 0).UTC().Add(time.Duration(minutes) * time.Minute) }
	told, planned := map[time.Time]int{}, time.Time{}
	for _, step := range []struct{ at, want int }{
		{0, 0}, {0, 0}, {1, 60}, {59, 60}, {60, 60}, {61, 120}, {119, 120}, {200, 200}, {260, 260}, {300, 320}, {299, 320}, {500, 500},
	} {
		if planned = portal.PlanStaff(planned, at(step.at)); !planned.Equal(at(step.want)) {
			t.Fatalf("what happens at %d is told at %s, want %s", step.at, planned, at(step.want))
		}
		if at(step.at).After(planned) || !at(step.at).After(planned.Add(-portal.StaffEvery)) {
			t.Errorf("the mail of %s does not tell of %d", planned, step.at)
		}
		told[planned]++
	}
	last := at(-1000)
	for _, when := range []int{0, 60, 120, 200, 260, 320, 500} {
		if told[at(when)] == 0 || at(when).Sub(last) < portal.StaffEvery {
			t.Errorf("mails %v", told)
		}
		last = at(when)
	}
}

func TestStaffKind(t *testing.T) {
	t.Parallel()
	disowned := func(what portal.Action) portal.Activity {
		return portal.Activity{Action: portal.ActionDisowned, Detail: map[string]string{"action": string(what)}}
	}
	did := func(what portal.Action, did portal.Undo) portal.Activity {
		a := disowned(what)
		a.Detail["did"] = string(did)
		return a
	}
	for name, tt := range map[string]struct {
		a    portal.Activity
		want portal.StaffKind
	}{
		"a request":                 {portal.Activity{Action: portal.ActionAccessAsked}, portal.StaffAccess},
		"an invited sign-up":        {disowned(portal.ActionSignUpStarted), portal.StaffSignUp},
		"an open sign-up":           {did(portal.ActionSignUpAsked, portal.UndoOpen), portal.StaffOpen},
		"a finished sign-up":        {did(portal.ActionSignUpStarted, portal.UndoSecure), portal.StaffSignedUp},
		"a finished open sign-up":   {did(portal.ActionSignUpAsked, portal.UndoRestore), portal.StaffSignedUp},
		"a sign-in without a link":  {did(portal.ActionPasswordChanged, portal.UndoShut), portal.StaffShut},
		"a sign-up without a link":  {did(portal.ActionSignUpStarted, portal.UndoShut), portal.StaffShut},
		"an address in use":         {did(portal.ActionAddressAsked, portal.UndoUsed), portal.StaffAddress},
		"an address not in use":     {did(portal.ActionAddressAsked, portal.UndoCode), ""},
		"a sign-up that is over":    {did(portal.ActionSignUpStarted, portal.UndoNothing), ""},
		"a changed password":        {disowned(portal.ActionPasswordChanged), portal.StaffAccount},
		"an asking":                 {disowned(portal.ActionResetAsked), portal.StaffAccount},
		"a new device":              {disowned(portal.ActionNewDevice), portal.StaffAccount},
		"a stranger's address":      {disowned(portal.ActionAddressAsked), ""},
		"nothing known":             {disowned(""), ""},
		"a changed password itself": {portal.Activity{Action: portal.ActionPasswordChanged}, ""},
		"an approval":               {portal.Activity{Action: portal.ActionAccessApproved}, ""},
	} {
		if got := tt.a.StaffKind(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
