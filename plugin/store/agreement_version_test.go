package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// draft is a text to be published after base, days from now.
func (w *world) draft(base int, days int, text string) portal.AgreementDraft {
	return portal.AgreementDraft{
		Text: text, On: w.clock.Now().AddDate(0, 0, days).Format(time.DateOnly), Zone: time.UTC, Base: fmt.Sprint(base),
	}
}

func (w *world) mustPublish(tb testing.TB, base, days int, text string) portal.Agreement {
	tb.Helper()
	a, err := w.Publish(tb.Context(), w.caller, w.draft(base, days, text))
	must(tb, err)
	return a
}

// states are "version state accepted", newest first.
func (w *world) states(tb testing.TB, c portal.Caller) []string {
	tb.Helper()
	versions, err := w.AgreementVersions(tb.Context(), c)
	must(tb, err)
	var out []string
	for _, v := range versions {
		out = append(out, fmt.Sprintf("%s %s %d", v.Version, v.State, v.Accepted))
	}
	return out
}

func TestVersionsOfTheAgreement(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		a := w.mustPublish(t, 1, 3, "\r\n# New\r\n\r\nText of two.\r\n\r\n")
		if a.Text != "# New\n\nText of two.\n" || a.TextHash != portal.AgreementHash(a.Text) {
			t.Errorf("published %+v", a)
		}
		for on, want := range map[int]error{0: portal.ErrAgreementOrder, 2: portal.ErrAgreementOrder, -1: portal.ErrAgreementPast, 800: portal.ErrAgreementFar} {
			if _, err := w.Publish(t.Context(), w.caller, w.draft(2, on, "Three.")); !errors.Is(err, want) {
				t.Errorf("in %d days: %v, want %v", on, err, want)
			}
		}
		for n := 2; n < 10; n++ { // beyond 9, where texts and numbers sort otherwise
			w.mustPublish(t, n, 3, fmt.Sprintf("Text of version %d.", n+1))
		}
		want := []string{"10 scheduled 0", "9 scheduled 0", "8 scheduled 0"}
		if diff := cmp.Diff(want, w.states(t, w.caller)[:3]); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		w.clock.Add(3 * 24 * time.Hour)
		current, err := w.Agreement(t.Context(), w.caller)
		must(t, err)
		got := w.states(t, w.caller)
		if current.Version != "10" || got[0] != "10 in_force 0" || got[1] != "9 past 0" || got[9] != "1 past 1" {
			t.Errorf("version %s is in force; %v", current.Version, got)
		}
		if diff := cmp.Diff([]string{"1 in_force 0"}, w.states(t, w.other)); diff != "" {
			t.Errorf("the other biller's (-want +got):\n%s", diff)
		}
	})
}

func TestDraftsThatCannotBePublished(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		old, err := w.Agreement(ctx, w.caller)
		must(t, err)
		long := strings.Repeat("word ", portal.MaxAgreement/5+1)
		for name, tt := range map[string]struct {
			change func(*portal.AgreementDraft)
			want   error
		}{
			"empty":        {func(d *portal.AgreementDraft) { d.Text = " \n # \n" }, portal.ErrAgreementEmpty},
			"long":         {func(d *portal.AgreementDraft) { d.Text = long }, portal.ErrAgreementLong},
			"NUL":          {func(d *portal.AgreementDraft) { d.Text = "a\x00b" }, portal.ErrAgreementNoText},
			"not UTF-8":    {func(d *portal.AgreementDraft) { d.Text = "a\xffb" }, portal.ErrAgreementNoText},
			"turned round": {func(d *portal.AgreementDraft) { d.Text = "pay \u202e001$" }, portal.ErrAgreementNoText},
			"tangle":       {func(d *portal.AgreementDraft) { d.Text = "a" + strings.Repeat("*_[", 500) }, portal.ErrAgreementSigns},
			"nested":       {func(d *portal.AgreementDraft) { d.Text = strings.Repeat("- ", 500) + "a" }, portal.ErrAgreementSigns},
			"same":         {func(d *portal.AgreementDraft) { d.Text = strings.ReplaceAll(old.Text, "\n", "\r\n") }, portal.ErrAgreementSame},
			"no day":       {func(d *portal.AgreementDraft) { d.On = "" }, portal.ErrAgreementDay},
			"odd day":      {func(d *portal.AgreementDraft) { d.On = "2026-13-40" }, portal.ErrAgreementDay},
			"old tab":      {func(d *portal.AgreementDraft) { d.Base = "0" }, portal.ErrAgreementRaced},
			"made up base": {func(d *portal.AgreementDraft) { d.Base = "7" }, portal.ErrAgreementRaced},
			"no base":      {func(d *portal.AgreementDraft) { d.Base = "one" }, portal.ErrAgreementRaced},
		} {
			d := w.draft(1, 1, "New text.")
			tt.change(&d)
			if _, err := w.Publish(ctx, w.caller, d); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		weak := w.caller
		weak.Abilities = []string{portal.AbilityInvite, portal.AbilityReport}
		for _, c := range []portal.Caller{weak, public(w.caller)} {
			_, publish := w.Publish(ctx, c, w.draft(1, 1, "New text."))
			_, list := w.AgreementVersions(ctx, c)
			for _, err := range []error{publish, list, w.Withdraw(ctx, c, "1")} {
				wantCode(t, err, apperr.PermissionDenied)
			}
		}
		if got := w.states(t, w.caller); len(got) != 1 {
			t.Errorf("versions = %v", got)
		}
	})
}

// TestDayOfAVersion: it counts from the first moment of its day where the biller
// is; one of today from now on.
func TestDayOfAVersion(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) { // it is 9:00 in UTC, 22:00 in Auckland
		auckland, err := time.LoadLocation("Pacific/Auckland")
		must(t, err)
		d := w.draft(1, 0, "Two.")
		d.Zone = auckland
		a, err := w.Publish(t.Context(), w.caller, d)
		must(t, err)
		if !a.EffectiveOn.Equal(w.clock.Now()) {
			t.Errorf("today = %v", a.EffectiveOn)
		}
		if now, err := w.Agreement(t.Context(), w.caller); err != nil || now.Version != "2" {
			t.Errorf("in force: %+v, %v", now, err)
		}
		d = w.draft(2, 1, "Three.")
		d.Zone = auckland
		a, err = w.Publish(t.Context(), w.caller, d)
		must(t, err)
		if want := w.clock.Now().Add(2 * time.Hour); !a.EffectiveOn.Equal(want) {
			t.Errorf("tomorrow = %v, want %v", a.EffectiveOn, want)
		}
	})
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		session := w.signedUp(t, "c1")
		w.mustPublish(t, 1, 1, "Two.")
		must(t, w.Withdraw(ctx, w.caller, "2"))
		for version, want := range map[string]error{"2": portal.ErrAgreementGone, "1": portal.ErrAgreementInForce, "9": portal.ErrNoAgreement, "\xff": portal.ErrNoAgreement} {
			if err := w.Withdraw(ctx, w.caller, version); !errors.Is(err, want) {
				t.Errorf("Withdraw %q = %v, want %v", version, err, want)
			}
		}
		if err := w.Withdraw(ctx, w.other, "2"); !errors.Is(err, portal.ErrNoAgreement) {
			t.Errorf("another biller's = %v", err)
		}
		w.mustPublish(t, 2, 0, "Three, at once, for two is withdrawn.")
		if diff := cmp.Diff([]string{"3 in_force 0", "2 withdrawn 0", "1 past 1"}, w.states(t, w.caller)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.clock.Add(23 * time.Hour)
		_, err := w.Session(ctx, public(w.caller), session) // keeps it in use
		must(t, err)
		w.clock.Add(2 * time.Hour)
		if a, err := w.Agreement(ctx, w.caller); err != nil || a.Version != "3" {
			t.Errorf("in force: %+v, %v", a, err)
		}
		in, err := w.Accept(ctx, public(w.caller), portal.Holder{Session: session}, "3")
		must(t, err)
		view, err := w.Session(ctx, public(w.caller), in.Session)
		must(t, err)
		if view.AgreementPending {
			t.Error("a withdrawn version gates the portal")
		}
	})
}

func TestRacePublish(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		counts := race(func(n int) error {
			_, err := w.Publish(t.Context(), w.caller, w.draft(1, 1, fmt.Sprintf("Text of tab %d.", n)))
			return err
		})
		wantOneWinner(t, counts, portal.ErrAgreementRaced)
		if diff := cmp.Diff([]string{"2 scheduled 0", "1 in_force 0"}, w.states(t, w.caller)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		counts = race(func(int) error { return w.Withdraw(t.Context(), w.caller, "2") })
		wantOneWinner(t, counts, portal.ErrAgreementGone)
		if got := w.actions(t, "north"); !slices.Equal(got, []string{"agreement.published", "agreement.withdrawn"}) {
			t.Errorf("activity = %v", got)
		}
		if got := w.actions(t, "south"); len(got) != 0 {
			t.Errorf("the other biller's activity = %v", got)
		}
	})
}

// actions are those about the agreement's versions, in order.
func (w *world) actions(tb testing.TB, biller string) []string {
	tb.Helper()
	var out []string
	must(tb, w.db.R.SelectContext(tb.Context(), &out, `
		SELECT action
		FROM activity
		WHERE biller_id = $1 AND action IN ('agreement.published', 'agreement.withdrawn')
		ORDER BY at, id`, biller))
	return out
}
