package store_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const manyRows = 10_000

// bigTables are filled with manyRows of one biller; most belong to others than
// the person who asks.
var bigTables = []string{
	`INSERT INTO users (biller_id, id, email, email_norm, password_hash, state, confirmed_at, created_at)
	SELECT 'north', 'u' || n, 'u' || n || '@big.example', 'u' || n || '@big.example', '', 'active', 1, 1 FROM generate_series(1, $1) n`,
	`INSERT INTO sessions (biller_id, token_hash, user_id, created_at, seen_at, expires_at, ip, agent)
	SELECT 'north', 'h' || n, 'u' || n, 1, 9e15, 9e15, '', '' FROM generate_series(1, $1) n`,
	`INSERT INTO devices (biller_id, user_id, hash, seen_at) SELECT 'north', 'u' || n, 'd' || n, 9e15 FROM generate_series(1, $1) n`,
	`INSERT INTO activity (biller_id, id, action, user_id, customer_id, object, staff_id, staff_name, ip, agent, detail, notice_to, at)
	SELECT 'north', 'a' || n, 'session.started', 'u' || n, '', '', '', '', '', '', '{}', '', 1 FROM generate_series(1, $1) n`,
	`INSERT INTO resets (biller_id, id, email_norm, created_at, expires_at, used_at)
	SELECT 'north', 'r' || n, 'u' || n || '@big.example', 1, 9e15, 0 FROM generate_series(1, $1) n`,
	`INSERT INTO throttles (biller_id, name, tries, ends_at) SELECT 'north', 't' || n, 1, 9e15 FROM generate_series(1, $1) n`,
	`INSERT INTO customers SELECT (jsonb_populate_record(c, jsonb_build_object('id', 'big' || n, 'email_norm', 'u' || n || '@big.example'))).*
	FROM customers c, generate_series(1, $1) n WHERE c.biller_id = 'north' AND c.id = 'c3'`,
	`INSERT INTO grants (biller_id, user_id, customer_id, state, created_at) SELECT 'north', 'u' || n, 'big' || n, 'active', 1 FROM generate_series(1, $1) n`,
	`INSERT INTO access_requests (biller_id, id, customer_id, token_hash, name, email, email_norm, message, permit, state, created_at, expires_at, decided_at)
	SELECT 'north', 'q' || n, 'big' || n, 'x' || n, 'n', 'e', 'u' || n || '@big.example', '', '', 'declined', 1, 1, 1 FROM generate_series(1, $1) n`,
	`INSERT INTO history (biller_id, id, customer_id, kind, detail, by_name, mail_key, at)
	SELECT 'north', 'h' || n, 'big' || n, 'sent', '', '', '', 1 FROM generate_series(1, $1) n`,
	`INSERT INTO tokens (biller_id, hash, purpose, subject_id, generation, seq, created_at, expires_at)
	SELECT 'north', 'k' || n, 'reset', 'r' || n, 0, 0, 1, 9e15 FROM generate_series(1, $1) n`,
	`INSERT INTO acceptances SELECT (jsonb_populate_record(a, jsonb_build_object('user_id', 'u' || n))).*
	FROM acceptances a, generate_series(1, $1) n WHERE a.biller_id = 'north' AND a.user_id <> ''`,
	`INSERT INTO invitations SELECT (jsonb_populate_record(i, jsonb_build_object('id', 'i' || n, 'customer_id', 'big' || n, 'email_norm', 'u' || n || '@big.example'))).*
	FROM invitations i, generate_series(1, $1) n WHERE i.biller_id = 'north' AND i.customer_id = 'c1'`,
	`INSERT INTO signups SELECT (jsonb_populate_record(s, jsonb_build_object('id', 's' || n, 'invitation_id', 'i' || n, 'email_norm', 'u' || n || '@big.example', 'user_id', 'u' || n))).*
	FROM signups s, generate_series(1, $1) n WHERE s.biller_id = 'north' AND s.email_norm = 'jane@acme.com'`,
	`INSERT INTO proofs (biller_id, id, email, email_norm, handle_hash, step, user_id, seq, code_hash, code_tries, code_expires_at, created_at, expires_at)
	SELECT 'north', 'p' || n, 'e', 'u' || n || '@big.example', 'h' || n, 'asked', '', 1, '', 0, 1, 1, 9e15 FROM generate_series(1, $1) n`,
}

var seqScan = regexp.MustCompile(`Seq Scan on (users|sessions|devices|activity|resets|throttles|customers|grants|access_requests|history|tokens|acceptances|invitations|signups|proofs)\b`)

// TestHotStatementsUseAnIndex asks PostgreSQL how it runs each statement of what
// people do all the time, in a business with 10,000 of everything.
func TestHotStatementsUseAnIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, store.Migrations()...))
	w := mustWorld(t, db)
	session := w.signedUp(t, "c1")
	for _, insert := range bigTables {
		if _, err := db.W.Exec(strings.Replace(insert, "$1", fmt.Sprint(manyRows), 1)); err != nil {
			t.Fatalf("%s: %v", insert, err)
		}
	}
	_, err := db.W.Exec(`ANALYZE`)
	must(t, err)
	link := w.invited(t, "c4")
	c := public(w.caller)
	started, err := w.Register(t.Context(), c, link, "zoe@bücher.example", goodPassword)
	must(t, err)
	proof, err := w.StartProof(t.Context(), c, "zoe@bücher.example")
	must(t, err)
	view, err := w.Session(t.Context(), c, session)
	must(t, err)
	for name, do := range map[string]func(ctx context.Context, s *portal.Service) error{
		"sessions of a person": func(ctx context.Context, s *portal.Service) error {
			_, err := s.SignedInBrowsers(ctx, c, session)
			return err
		},
		"sign out elsewhere": func(ctx context.Context, s *portal.Service) error {
			_, err := s.EndOtherSessions(ctx, c, session, goodPassword)
			return err
		},
		"activity of a person": func(ctx context.Context, s *portal.Service) error {
			_, err := s.RecentActivity(ctx, c, view, 20)
			return err
		},
		"resets of an address": func(ctx context.Context, s *portal.Service) error { return s.ForgotPassword(ctx, c, "jane@acme.com") },
		"sign-in, device, tries": func(ctx context.Context, s *portal.Service) error {
			_, err := s.SignIn(ctx, c, "jane@acme.com", goodPassword)
			return err
		},
		"customer's page": func(ctx context.Context, s *portal.Service) error {
			_, err := s.Customer(ctx, w.caller, "c1")
			return err
		},
		"requests of a customer": func(ctx context.Context, s *portal.Service) error {
			_, err := s.AccessRequests(ctx, w.caller, "c1")
			return err
		},
		"all requests": func(ctx context.Context, s *portal.Service) error {
			_, err := s.AccessRequests(ctx, w.caller, "")
			return err
		},
		"count of requests": func(ctx context.Context, s *portal.Service) error {
			_, err := s.CountAccessRequests(ctx, w.caller)
			return err
		},
		"choose": func(ctx context.Context, s *portal.Service) error {
			_, err := s.Choose(ctx, c, started.Handle, []string{"c4"})
			return err
		},
		"sign-up": func(ctx context.Context, s *portal.Service) error {
			_, err := s.SignUp(ctx, c, started.Handle)
			return err
		},
		"sign-up without an invitation": func(ctx context.Context, s *portal.Service) error {
			_, err := s.Proof(ctx, c, proof.Handle)
			return err
		},
		"ask for a proof": func(ctx context.Context, s *portal.Service) error {
			_, err := s.StartProof(ctx, c, "jane@acme.com")
			return err
		},
		"right of a person": func(ctx context.Context, s *portal.Service) error {
			return s.SetPersonRight(ctx, w.caller, "c1", view.UserID, portal.RightViewer)
		},
		"ask for access": func(ctx context.Context, s *portal.Service) error {
			return s.AskAccess(ctx, c, link, "Jo", "jo@acme.example", "")
		},
		"open a link": func(ctx context.Context, s *portal.Service) error {
			_, err := s.Open(ctx, c, link, "", session)
			return err
		},
		"reminders": func(ctx context.Context, s *portal.Service) error {
			_, err := s.Store.Remind(ctx, "north", portal.DefaultSettings().Reminders, s.Now().Add(4*oneDay), 10)
			return err
		},
		"offers": func(ctx context.Context, s *portal.Service) error { _, err := s.Offers(ctx, c, session); return err },
	} {
		cost := w.costOf(t, do)
		if cost.Answer != "<nil>" || len(cost.Statements) == 0 {
			t.Errorf("%s: %s after %d statements", name, cost.Answer, len(cost.Statements))
		}
		for _, statement := range cost.Statements {
			if plan := mustPlan(t, db, statement); seqScan.MatchString(plan) {
				t.Errorf("%s reads too much:\n%s\n%s", name, statement, plan)
			}
		}
	}
}

var parameter = regexp.MustCompile(`\$(\d+)`)

// mustPlan is how a statement runs whatever its parameters are; empty for what
// has no plan, such as COMMIT.
func mustPlan(t *testing.T, db *sqldb.DB, statement string) string {
	t.Helper()
	word, _, _ := strings.Cut(statement, " ")
	if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}, word) {
		return ""
	}
	params := 0
	for _, m := range parameter.FindAllStringSubmatch(statement, -1) {
		n, err := strconv.Atoi(m[1])
		must(t, err)
		params = max(params, n)
	}
	tx, err := db.W.Beginx()
	must(t, err)
	defer tx.Rollback()
	for _, s := range []string{`SET LOCAL plan_cache_mode = force_generic_plan`, `PREPARE hot AS ` + statement} {
		if _, err := tx.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	execute := `EXPLAIN EXECUTE hot`
	if params > 0 {
		execute += `(NULL` + strings.Repeat(`, NULL`, params-1) + `)`
	}
	var lines []string
	if err := tx.Select(&lines, execute); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	_, err = tx.Exec(`DEALLOCATE hot`)
	must(t, err)
	return strings.Join(lines, "\n")
}
