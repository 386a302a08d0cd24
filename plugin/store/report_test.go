package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// mustPopulate adds forty customers in all sorts of spellings and states.
func (w *world) mustPopulate(t *testing.T) {
	t.Helper()
	names := []string{"ålund", "Zimmer", "álvarez", "adams", "Émile", "baker", "Baker", "_odd", "9th Street", "日本"}
	var list []portal.Customer
	for i := range 40 {
		list = append(list, portal.Customer{
			ID: fmt.Sprintf("p%02d", i), Name: names[i%10] + fmt.Sprint(i/20), DisplayName: names[9-i%10],
			Email: fmt.Sprintf("%c%d@example.com", 'a'+rune(i%7), i), Version: 1, Archived: i%13 == 12,
		})
	}
	must(t, w.ApplyCustomers(t.Context(), w.caller, list))
	for _, i := range []int{0, 2, 3, 5, 7, 9, 11, 14, 16, 18, 22, 30} {
		w.clock.Add(time.Minute)
		w.invited(t, fmt.Sprintf("p%02d", i))
	}
	w.signedUp(t, "p01")
	w.signedUp(t, "p20")
}

func TestRegistrationsSortAndPage(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.mustPopulate(t)
		keys := map[string]func(a, b portal.Registration) int{
			portal.SortName:        func(a, b portal.Registration) int { return strings.Compare(fold(a.Name), fold(b.Name)) },
			portal.SortDisplayName: func(a, b portal.Registration) int { return strings.Compare(fold(a.DisplayName), fold(b.DisplayName)) },
			portal.SortEmail:       func(a, b portal.Registration) int { return strings.Compare(fold(a.Email), fold(b.Email)) },
			portal.SortStatus:      func(a, b portal.Registration) int { return cmp.Compare(a.Status, b.Status) },
			portal.SortInvited:     func(a, b portal.Registration) int { return a.InvitedAt.Compare(b.InvitedAt) },
			portal.SortRegistered:  func(a, b portal.Registration) int { return a.RegisteredAt.Compare(b.RegisteredAt) },
			portal.SortEmailConfirmed: func(a, b portal.Registration) int {
				return cmp.Compare(fmt.Sprint(a.EmailConfirmed), fmt.Sprint(b.EmailConfirmed))
			},
		}
		for _, sort := range portal.Sorts() {
			for _, desc := range []bool{false, true} {
				q := portal.RegistrationQuery{Sort: sort, Descending: desc}
				all := w.rows(t, q)
				want := slices.Clone(all)
				slices.SortFunc(want, func(a, b portal.Registration) int {
					c := cmp.Or(keys[sort](a, b), strings.Compare(a.CustomerID, b.CustomerID))
					if desc {
						return -c
					}
					return c
				})
				if diff := gocmp.Diff(ids(want), ids(all)); diff != "" || len(all) != 41 {
					t.Errorf("sort %s, descending %v: %d rows (-want +got):\n%s", sort, desc, len(all), diff)
				}
				if diff := gocmp.Diff(ids(all), ids(w.paged(t, q))); diff != "" {
					t.Errorf("pages of %s, descending %v (-want +got):\n%s", sort, desc, diff)
				}
				w.wantWayBack(t, q, all)
			}
		}
	})
}

func fold(s string) string { return strings.ToLower(s) }

func ids(rows []portal.Registration) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.CustomerID
	}
	return out
}

func (w *world) paged(t *testing.T, q portal.RegistrationQuery) []portal.Registration {
	t.Helper()
	var all []portal.Registration
	q.Limit = 7
	for {
		page := w.rows(t, q)
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		q.After = page[len(page)-1].Cursor
	}
}

// wantWayBack goes back from the last row to the first, seven at a time, and
// counts what is before each page.
func (w *world) wantWayBack(t *testing.T, q portal.RegistrationQuery, all []portal.Registration) {
	t.Helper()
	q.Limit = 7
	end := len(all) - 1
	for end > 0 {
		q.Before = all[end].Cursor
		start := max(0, end-q.Limit)
		if diff := gocmp.Diff(ids(all[start:end]), ids(w.rows(t, q))); diff != "" {
			t.Errorf("before row %d of %s, descending %v (-want +got):\n%s", end, q.Sort, q.Descending, diff)
		}
		w.wantCount(t, q, len(all), end)
		w.wantCount(t, portal.RegistrationQuery{Sort: q.Sort, Descending: q.Descending, After: q.Before}, len(all), end+1)
		end = start
	}
	w.wantCount(t, portal.RegistrationQuery{Sort: q.Sort, Descending: q.Descending}, len(all), 0)
}

func (w *world) wantCount(t *testing.T, q portal.RegistrationQuery, total, earlier int) {
	t.Helper()
	got, err := w.CountRegistrations(t.Context(), w.caller, q)
	must(t, err)
	if diff := gocmp.Diff(portal.RegistrationCount{Total: total, Earlier: earlier}, got); diff != "" {
		t.Errorf("count of %+v (-want +got):\n%s", q, diff)
	}
}

func TestRegistrationsSearch(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		tests := []struct {
			search string
			want   []string
		}{
			{"", []string{"c1", "c2", "c3", "c4"}},
			{"jane", []string{"c1", "c2"}},
			{"DOE", []string{"c1", "c2"}},
			{"doe res", []string{"c1"}},
			{"lake", []string{"c2"}},
			{"jane@acme.com", []string{"c1", "c2"}},
			{"jane@ac", []string{"c1", "c2"}},
			{"acme.com", []string{"c1", "c2"}},
			{"o'br", []string{"c3"}},
			{"obrien", nil},
			{"ÅNG", []string{"c4"}},
			{"zoe@bü", []string{"c4"}},
			{"oe", nil},
			{"nw-2", []string{"c2"}},
			{"nw", []string{"c1", "c2", "c3", "c4"}},
			{"NW 4 zoe", []string{"c4"}},
			{"100%", nil},
			{"j\x00ane", nil},
			{"a@\x00", []string{"c1", "c2", "c4"}},
			{"jane\xff", []string{"c1", "c2"}},
			{"!!", nil},
		}
		for _, tt := range tests {
			got := ids(w.rows(t, portal.RegistrationQuery{Search: tt.search}))
			slices.Sort(got)
			w.wantCount(t, portal.RegistrationQuery{Search: tt.search}, len(tt.want), 0)
			if diff := gocmp.Diff(tt.want, got, equateEmpty()); diff != "" {
				t.Errorf("search %q (-want +got):\n%s", tt.search, diff)
			}
		}
		renamed := customers()[0]
		renamed.Name, renamed.DisplayName, renamed.Version = "Janet Moe", "Moe", 2
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{renamed}))
		if got := ids(w.rows(t, portal.RegistrationQuery{Search: "doe"})); len(got) != 1 || got[0] != "c2" {
			t.Errorf("search after renaming = %v", got)
		}
	})
}

func equateEmpty() gocmp.Option {
	return gocmp.Transformer("empty", func(s []string) string { return strings.Join(s, " ") })
}

func TestRegistrationsFilter(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.invited(t, "c1")
		w.invited(t, "c4")
		for status, want := range map[portal.Status][]string{
			portal.StatusSent: {"c4", "c1"}, portal.StatusNotInvited: {"c2"}, portal.StatusNoEmail: {"c3"}, portal.StatusExpired: {},
		} {
			got := ids(w.rows(t, portal.RegistrationQuery{Status: status, Sort: portal.SortEmail, Descending: true}))
			if diff := gocmp.Diff(want, got, equateEmpty()); diff != "" {
				t.Errorf("status %q (-want +got):\n%s", status, diff)
			}
		}
		w.clock.Add(14 * 24 * time.Hour) // no job has run since: the filter is true all the same
		if got := ids(w.rows(t, portal.RegistrationQuery{Status: portal.StatusExpired})); len(got) != 2 {
			t.Errorf("expired = %v, want both", got)
		}
	})
}

func TestRegistrationsBadQuery(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		first := w.rows(t, portal.RegistrationQuery{Limit: 1})[0]
		none := func(portal.Registration) error { return nil }
		for _, q := range []portal.RegistrationQuery{
			{Sort: "password"}, {Status: "Lost"}, {Limit: -1}, {After: "x"}, {After: "bnVsbA"},
			{After: first.Cursor, Sort: portal.SortEmail}, {After: first.Cursor, Descending: true},
			{Before: "x", Limit: 1}, {Before: first.Cursor}, {Before: first.Cursor, After: first.Cursor, Limit: 1},
		} {
			wantCode(t, w.Registrations(t.Context(), w.caller, q, none), apperr.Invalid)
			_, err := w.CountRegistrations(t.Context(), w.caller, q)
			wantCode(t, err, apperr.Invalid)
		}
		wantCode(t, w.Registrations(t.Context(), public(w.caller), portal.RegistrationQuery{}, none), apperr.PermissionDenied)
		_, err := w.CountRegistrations(t.Context(), public(w.caller), portal.RegistrationQuery{})
		wantCode(t, err, apperr.PermissionDenied)
	})
}

func TestSignInDiffersFromProfile(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		changed := customers()[0]
		changed.Email, changed.Version = "new@acme.com", 2
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{changed}))
		rows := w.rows(t, portal.RegistrationQuery{Search: "residence"})
		if len(rows) != 1 || rows[0].Status != portal.StatusRegistered || len(rows[0].SignInEmails) != 1 || rows[0].SignInEmails[0] != "Jane@Acme.com" {
			t.Errorf("rows = %+v", rows)
		}
	})
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.mustPopulate(t)
		w.clock.Add(14*24*time.Hour - 5*time.Minute)
		counts, err := w.Counts(t.Context(), w.caller)
		must(t, err)
		sum, byRow := 0, map[portal.Status]int{}
		for _, r := range w.rows(t, portal.RegistrationQuery{}) {
			byRow[r.Status]++
		}
		for _, c := range counts {
			sum += c.Customers
			if byRow[c.Status] != c.Customers {
				t.Errorf("%q: %d counted, %d listed", c.Status, c.Customers, byRow[c.Status])
			}
		}
		if sum != 41 || len(counts) != len(portal.Statuses()) || byRow[portal.StatusExpired] == 0 || byRow[portal.StatusRegistered] != 2 {
			t.Errorf("sum = %d over %d statuses: %v", sum, len(counts), byRow)
		}
	})
}

// TestRegistrationsUseAnIndex asks PostgreSQL how it would read a large biller.
func TestRegistrationsUseAnIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, store.Migrations()...))
	w := mustWorld(t, db)
	var list []portal.Customer
	for i := range 5000 {
		list = append(list, portal.Customer{ID: fmt.Sprintf("x%05d", i), Name: fmt.Sprintf("Name %d", i*7919%5000), Email: fmt.Sprintf("m%d@example.com", i), Version: 1})
	}
	for part := range slices.Chunk(list, 1000) {
		must(t, w.ApplyCustomers(t.Context(), w.caller, part))
	}
	_, err := db.W.Exec(`ANALYZE`)
	must(t, err)
	for _, sort := range portal.Sorts() {
		first := w.rows(t, portal.RegistrationQuery{Sort: sort, Limit: 20})
		for _, after := range []string{"", first[19].Cursor} {
			plan := mustExplain(t, db, portal.RegistrationQuery{Sort: sort, After: after})
			if !strings.Contains(plan, "Index") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort Key") {
				t.Errorf("sort %s: the plan reads too much:\n%s", sort, plan)
			}
		}
	}
	plan := mustExplain(t, db, portal.RegistrationQuery{Sort: portal.SortName, Search: "m42"})
	if strings.Contains(plan, "Seq Scan on customer_terms") {
		t.Errorf("the plan of a search reads too much:\n%s", plan)
	}
}

func mustExplain(t *testing.T, db *sqldb.DB, q portal.RegistrationQuery) string {
	t.Helper()
	query, args, err := store.RegistrationSQL("north", q, 50)
	must(t, err)
	var lines []string
	must(t, db.R.Select(&lines, "EXPLAIN "+query, args...))
	return strings.Join(lines, "\n")
}
