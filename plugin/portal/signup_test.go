package portal_test

import (
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestSignUpTransitions lists every step and event; "" means impossible.
func TestSignUpTransitions(t *testing.T) {
	t.Parallel()
	events := []portal.SignUpEvent{
		portal.SignUpChoose, portal.SignUpResend, portal.SignUpConfirm, portal.SignUpAccept, portal.SignUpVoid,
	}
	table := map[portal.Step][5]portal.Step{
		portal.StepProfile: {portal.StepConfirm, "", "", "", portal.StepVoid},
		portal.StepConfirm: {portal.StepConfirm, portal.StepConfirm, portal.StepAccept, "", portal.StepVoid},
		portal.StepAccept:  {"", "", "", portal.StepDone, ""},
		portal.StepDone:    {},
		portal.StepVoid:    {},
	}
	for from, nexts := range table {
		for i, want := range nexts {
			next, ok := from.Next(events[i])
			if ok != (want != "") || (ok && next != want) || (!ok && next != from) {
				t.Errorf("%s + %s = %s, %v, want %q", from, events[i], next, ok, want)
			}
		}
	}
}
