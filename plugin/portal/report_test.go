package portal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func TestCustomerStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	soon, later, past := now.Add(time.Hour), now.Add(2*time.Hour), now.Add(-time.Second)
	inv := func(s portal.InvitationState, at time.Time) portal.InvitationInput {
		return portal.InvitationInput{State: s, ExpiresAt: at}
	}
	invs := func(list ...portal.InvitationInput) []portal.InvitationInput { return list }
	sign := func(s portal.Step, at time.Time) []portal.SignUpInput {
		return []portal.SignUpInput{{Step: s, ExpiresAt: at}}
	}
	users := func(list ...portal.UserInput) []portal.UserInput { return list }
	var (
		full     = portal.UserInput{EmailConfirmed: true, Accepted: true}
		waiting  = portal.UserInput{EmailConfirmed: true}
		disabled = portal.UserInput{EmailConfirmed: true, Accepted: true, Disabled: true}
	)
	tests := []struct {
		name   string
		in     portal.StatusInputs
		want   portal.Status
		change time.Time
	}{
		{"nothing", portal.StatusInputs{HasEmail: true}, portal.StatusNotInvited, time.Time{}},
		{"no email", portal.StatusInputs{}, portal.StatusNoEmail, time.Time{}},
		{"queued", portal.StatusInputs{Invitations: invs(inv(queued, soon))}, portal.StatusQueued, soon},
		{"sent", portal.StatusInputs{Invitations: invs(inv(sent, soon))}, portal.StatusSent, soon},
		{"sent, time over", portal.StatusInputs{Invitations: invs(inv(sent, past))}, portal.StatusExpired, time.Time{}},
		{"sent, this moment", portal.StatusInputs{Invitations: invs(inv(sent, now))}, portal.StatusExpired, time.Time{}},
		{"delivered", portal.StatusInputs{Invitations: invs(inv(delivered, soon))}, portal.StatusDelivered, soon},
		{"opened", portal.StatusInputs{Invitations: invs(inv(opened, soon))}, portal.StatusOpened, soon},
		{"started", portal.StatusInputs{Invitations: invs(inv(started, soon))}, portal.StatusStarted, soon},
		{"bounced", portal.StatusInputs{Invitations: invs(inv(bounced, soon))}, portal.StatusBounced, soon},
		{"mail gave up", portal.StatusInputs{Invitations: invs(inv(failed, soon))}, portal.StatusBounced, soon},
		{"revoked", portal.StatusInputs{Invitations: invs(inv(revoked, soon))}, portal.StatusRevoked, time.Time{}},
		{"revoked, then sent", portal.StatusInputs{Invitations: invs(inv(revoked, past), inv(sent, soon))}, portal.StatusSent, soon},
		{"expired and revoked", portal.StatusInputs{Invitations: invs(inv(revoked, past), inv(expired, past))}, portal.StatusExpired, time.Time{}},
		{"choosing", portal.StatusInputs{Invitations: invs(inv(opened, later)), SignUps: sign(portal.StepProfile, soon)}, portal.StatusStarted, soon},
		{"confirming", portal.StatusInputs{Invitations: invs(inv(started, soon)), SignUps: sign(portal.StepConfirm, later)}, portal.StatusAwaitingConfirmation, soon},
		{"confirming, invitation over", portal.StatusInputs{Invitations: invs(inv(started, past)), SignUps: sign(portal.StepConfirm, later)}, portal.StatusAwaitingConfirmation, later},
		{"sign-up over", portal.StatusInputs{Invitations: invs(inv(started, later)), SignUps: sign(portal.StepConfirm, past)}, portal.StatusStarted, later},
		{"sign-up replaced", portal.StatusInputs{Invitations: invs(inv(opened, later)), SignUps: sign(portal.StepVoid, soon)}, portal.StatusOpened, later},
		{"agreement pending", portal.StatusInputs{Invitations: invs(inv(accepted, soon)), Users: users(waiting)}, portal.StatusAwaitingAgreement, time.Time{}},
		{"registered", portal.StatusInputs{Invitations: invs(inv(accepted, past)), Users: users(full)}, portal.StatusRegistered, time.Time{}},
		{"registered, another waits", portal.StatusInputs{Users: users(waiting, full)}, portal.StatusRegistered, time.Time{}},
		{"registered, invited again", portal.StatusInputs{Invitations: invs(inv(sent, soon)), Users: users(full)}, portal.StatusRegistered, soon},
		{"disabled", portal.StatusInputs{Invitations: invs(inv(accepted, past)), Users: users(disabled)}, portal.StatusDisabled, time.Time{}},
		{"one of two disabled", portal.StatusInputs{Users: users(disabled, full)}, portal.StatusRegistered, time.Time{}},
		{"access taken away", portal.StatusInputs{HasEmail: true, Invitations: invs(inv(accepted, past))}, portal.StatusRevoked, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, change := portal.CustomerStatus(tt.in, now)
			if got != tt.want || !change.Equal(tt.change) {
				t.Errorf("CustomerStatus = %q until %v, want %q until %v", got, change, tt.want, tt.change)
			}
		})
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	c := portal.Customer{Name: "Sam O'Brien", DisplayName: "O'BRIEN, Sam", Email: "Sam.O@Acme.com", Number: "NW-1042"}
	if diff := cmp.Diff([]string{"sam", "o", "brien", "acme", "com", "nw", "1042", "sam.o@acme.com"}, portal.Terms(c)); diff != "" {
		t.Errorf("Terms (-want +got):\n%s", diff)
	}
	tests := map[string][]string{
		"":                    nil,
		"  ":                  nil,
		"!?":                  nil,
		"Sam O'B":             {"sam", "o", "b"},
		"sam.o@ac":            {"sam.o@ac"},
		"@acme":               {"acme"},
		"sam@":                {"sam"},
		"NW-10":               {"nw", "10"},
		"日本 ÅNG":              {"日本", "ång"},
		"a b c d e f g h i j": {"a", "b", "c", "d", "e", "f", "g", "h"},
	}
	for query, want := range tests {
		if diff := cmp.Diff(want, portal.SearchTerms(query)); diff != "" {
			t.Errorf("SearchTerms(%q) (-want +got):\n%s", query, diff)
		}
	}
}

func FuzzSearchTerms(f *testing.F) {
	f.Add("jane@acme")
	f.Add("\xff\x00@ a")
	f.Fuzz(func(t *testing.T, query string) {
		terms := portal.SearchTerms(query)
		if len(terms) > 8 {
			t.Errorf("%d terms", len(terms))
		}
		for _, term := range terms {
			if term == "" || len(term) > 100 || term != string([]rune(term)) {
				t.Errorf("term %q of %q", term, query)
			}
		}
	})
}
