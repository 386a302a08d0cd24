package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestApplyCustomersKeepsTheNewest(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		full := portal.Customer{
			ID: "c9", Number: "NW-9", Name: "Ann", DisplayName: "Ann's Diner", Company: "Diner LLC", Email: " Ann@Diner.com ",
			Phone: "555", Address: "1 Main St", ParentID: "c1", Type: "Commercial", BalanceMinor: 1250, Currency: "USD", Version: 7,
		}
		older, newer := full, full
		older.Version, older.Name = 6, "Old"
		newer.Version, newer.Name = 8, "New\x00 name\xff"
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{older, full}))
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{older}))
		view, err := w.Service.Customer(ctx, w.caller, "c9")
		must(t, err)
		want := full
		want.Email, want.EmailNorm = "Ann@Diner.com", "ann@diner.com"
		if diff := cmp.Diff(want, view.Customer); diff != "" {
			t.Errorf("customer (-want +got):\n%s", diff)
		}
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{newer}))
		view, err = w.Service.Customer(ctx, w.caller, "c9")
		must(t, err)
		if view.Customer.Name != "New name\uFFFD" {
			t.Errorf("name = %q", view.Customer.Name)
		}
		_, err = w.Service.Customer(ctx, w.other, "c9")
		wantCode(t, err, apperr.NotFound)
		for _, id := range []string{"", "c\x00", "\xff"} {
			_, err = w.Service.Customer(ctx, w.caller, id)
			wantCode(t, err, apperr.NotFound)
			_, err = w.Invite(ctx, w.caller, id)
			wantCode(t, err, apperr.NotFound)
		}
	})
}

func TestRaceApplyCustomers(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		counts := race(func(n int) error {
			c := portal.Customer{ID: "new", Name: "N", Email: "n@example.com", Version: int64(n + 1)}
			if n < 15 {
				c.Email = ""
			}
			return w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{c})
		})
		if counts[""] != 16 {
			t.Errorf("answers = %v", counts)
		}
		view, err := w.Service.Customer(t.Context(), w.caller, "new")
		must(t, err)
		if view.Customer.Version != 16 {
			t.Errorf("version = %d, want 16", view.Customer.Version)
		}
		w.wantStatus(t, "new", portal.StatusNotInvited)
		if rows := w.rows(t, portal.RegistrationQuery{Search: "n@example"}); len(rows) != 1 {
			t.Errorf("search finds %d rows, want 1", len(rows))
		}
	})
}

func TestNoEmail(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		_, err := w.Invite(t.Context(), w.caller, "c3")
		wantCode(t, err, apperr.Invalid)
		c := customers()[2]
		c.Email, c.Version = "sam at example", 2
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{c}))
		_, err = w.Invite(t.Context(), w.caller, "c3")
		wantCode(t, err, apperr.Invalid)
		w.wantStatus(t, "c3", portal.StatusNoEmail)
		c.Email, c.Version = "sam@example.com", 3
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{c}))
		w.wantStatus(t, "c3", portal.StatusNotInvited)
	})
}

// calls counts what a sign-in does.
type calls struct {
	portal.Store
	portal.Passwords
	names []string
}

func (c *calls) TakeTry(ctx context.Context, biller string, t portal.Try, now time.Time) (portal.Taken, error) {
	c.names = append(c.names, "TakeTry")
	return c.Store.TakeTry(ctx, biller, t, now)
}

func (c *calls) Account(ctx context.Context, biller, norm string, now time.Time) (portal.Account, error) {
	c.names = append(c.names, "Account")
	return c.Store.Account(ctx, biller, norm, now)
}

func (c *calls) Verify(ctx context.Context, hash, password string) (bool, error) {
	c.names = append(c.names, "Verify")
	return c.Passwords.Verify(ctx, hash, password)
}

// TestSignInWorksEquallyHard shows that known, pending and unknown addresses
// cost the same: the same store calls, each with a fixed number of statements,
// and as many hashes, a right password or a wrong one.
func TestSignInWorksEquallyHard(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		w.started(t, "c4")
		twins := []portal.Customer{
			{ID: "t1", Name: "Twin", Email: "twin@acme.com", Version: 1},
			{ID: "t2", Name: "Twin", Email: "twin@acme.com", Version: 1},
		}
		must(t, w.ApplyCustomers(t.Context(), w.caller, twins))
		w.started(t, "t1")
		w.started(t, "t2")
		want := []string{"TakeTry", "Account", "Verify", "Verify"}
		for _, address := range []string{"jane@acme.com", "zoe@bücher.example", "twin@acme.com", "nobody@acme.com", "no address"} {
			counter := &calls{Store: w.Store, Passwords: w.Passwords}
			s := *w.Service
			s.Store, s.Passwords = counter, counter
			_, err := s.SignIn(t.Context(), public(w.caller), address, "wrong wrong wrong")
			wantCode(t, err, apperr.Unauthenticated)
			if !slices.Equal(counter.names, want) {
				t.Errorf("%s: %v, want %v", address, counter.names, want)
			}
			counter.names = nil
			_, _ = s.SignIn(t.Context(), public(w.caller), address, goodPassword) // only counts
			if !slices.Equal(counter.names, want) {
				t.Errorf("%s, the right password: %v, want %v", address, counter.names, want)
			}
		}
	})
}
