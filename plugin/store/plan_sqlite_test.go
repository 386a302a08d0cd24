package store_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// readsAll is a step of SQLite's that looks at each row of a biller, or of a table;
// readsFew are those of the biller itself, of the few versions of the agreement, of
// what the statement names, of a page of the report, and of open invitations that
// nobody was reminded of.
var (
	readsAll = regexp.MustCompile(`^(SCAN|SEARCH \S+ USING (COVERING )?INDEX \S+ \(biller_id=\?\)$)`)
	readsFew = regexp.MustCompile(`CONSTANT ROW|VALUES CLAUSE|^SCAN dead$|_(billers|agreements)_1 \(|(customers_by_email|invitations_remind) \(`)
)

// TestNoActionReadsAllOfABiller asks SQLite, which has no statistics and guesses
// that a biller has ten rows of everything, how it runs each statement.
func TestNoActionReadsAllOfABiller(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.SQLite(t, store.Migrations()...))
	w := mustWorld(t, db)
	asked := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(w.mustScene(t).actions())) {
		if strings.HasPrefix(name, "erase") {
			continue // which reads all histories, once for a person
		}
		s := w.mustApt(t, name)
		wantFewRead(t, w, asked, name, func(ctx context.Context, service *portal.Service) error {
			s.world = &world{Service: service, db: w.db, clock: w.clock, caller: w.caller, other: w.other}
			return s.actions()[name](ctx)
		})
	}
	s := w.mustScene(t)
	for name, page := range s.pages() {
		wantFewRead(t, w, asked, name, page)
	}
}

// pages are what people look at.
func (s *scene) pages() map[string]func(context.Context, *portal.Service) error {
	return map[string]func(context.Context, *portal.Service) error{
		"session": func(ctx context.Context, w *portal.Service) error {
			_, err := w.Session(ctx, s.c, s.session)
			return err
		},
		"offers": func(ctx context.Context, w *portal.Service) error {
			_, err := w.Offers(ctx, s.c, s.session)
			return err
		},
		"browsers": func(ctx context.Context, w *portal.Service) error {
			_, err := w.SignedInBrowsers(ctx, s.c, s.session)
			return err
		},
		"new password": func(ctx context.Context, w *portal.Service) error {
			_, err := w.OpenReset(ctx, s.c, s.newLink)
			return err
		},
		"sign-up": func(ctx context.Context, w *portal.Service) error { _, err := w.SignUp(ctx, s.c, s.handle); return err },
		"profiles": func(ctx context.Context, w *portal.Service) error {
			_, err := w.OpenProfiles(ctx, s.c, s.open)
			return err
		},
		"customer": func(ctx context.Context, w *portal.Service) error {
			_, err := w.Customer(ctx, s.staff, s.a.ID)
			return err
		},
		"requests": func(ctx context.Context, w *portal.Service) error {
			_, err := w.AccessRequests(ctx, s.staff, "")
			return err
		},
		"report": func(ctx context.Context, w *portal.Service) error {
			return w.Registrations(ctx, s.staff, portal.RegistrationQuery{Sort: portal.SortEmail, Limit: 20}, func(portal.Registration) error { return nil })
		},
	}
}

// wantFewRead fails for a statement that reads too much and was not asked about.
func wantFewRead(t *testing.T, w *world, asked map[string]bool, name string, do func(context.Context, *portal.Service) error) {
	t.Helper()
	cost := w.costOf(t, do)
	if len(cost.Statements) == 0 {
		t.Errorf("%s: no statement", name)
	}
	for _, statement := range cost.Statements {
		word, _, _ := strings.Cut(statement, " ")
		if asked[statement] || !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}, word) {
			continue
		}
		asked[statement] = true
		for _, step := range mustSteps(t, w.db, statement) {
			if readsAll.MatchString(step) && !readsFew.MatchString(step) {
				t.Errorf("%s: %s\n%s", name, step, statement)
			}
		}
	}
}

// mustSteps is how SQLite runs a statement.
func mustSteps(t *testing.T, db *sqldb.DB, statement string) []string {
	t.Helper()
	most := strings.Count(statement, "?")
	for _, m := range parameter.FindAllStringSubmatch(statement, -1) {
		n := 0
		_, err := fmt.Sscan(m[1], &n)
		must(t, err)
		most = max(most, n)
	}
	var rows []struct {
		ID      int    `db:"id"`
		Parent  int    `db:"parent"`
		NotUsed int    `db:"notused"`
		Detail  string `db:"detail"`
	}
	must(t, db.R.Select(&rows, `EXPLAIN QUERY PLAN `+statement, make([]any, most)...))
	var steps []string
	for _, r := range rows {
		steps = append(steps, r.Detail)
	}
	return steps
}
