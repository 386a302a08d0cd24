package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// hashes counts argon2 runs.
type hashes struct {
	portal.Passwords
	runs int
}

func (h *hashes) Verify(ctx context.Context, hash, password string) (bool, error) {
	h.runs++
	return h.Passwords.Verify(ctx, hash, password)
}

func (h *hashes) Hash(ctx context.Context, password string) (string, error) {
	h.runs++
	return h.Passwords.Hash(ctx, password)
}

// cost is what a request does that somebody outside could measure.
type cost struct {
	Statements []string
	Jobs, Rows int
	Argon2     int
	Answer     string
}

// costOf does something and returns what it cost: its statements, texts and all,
// the jobs and rows it added, its hashes and its answer.
func (w *world) costOf(tb testing.TB, do func(ctx context.Context, s *portal.Service) error) cost {
	tb.Helper()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx, root := telemetry.Start(telemetry.WithProvider(tb.Context(), provider, trace.SpanContext{}), "root", trace.SpanKindInternal)
	counter := &hashes{Passwords: w.Passwords}
	s := *w.Service
	s.Passwords = counter
	jobs, rows := w.count(tb, "jobs"), w.count(tb, "activity")
	err := do(ctx, &s)
	root.End()
	c := cost{Jobs: w.count(tb, "jobs") - jobs, Rows: w.count(tb, "activity") - rows, Argon2: counter.runs, Answer: fmt.Sprint(err)}
	for _, span := range kept.GetSpans() {
		for _, kv := range span.Attributes {
			if kv.Key == "db.query.text" {
				c.Statements = append(c.Statements, kv.Value.AsString())
			}
		}
	}
	return c
}

func (w *world) count(tb testing.TB, table string) (n int) {
	tb.Helper()
	must(tb, w.db.R.Get(&n, `SELECT COUNT(*) FROM `+table+` WHERE biller_id = $1`, w.caller.BillerID))
	return n
}

// strangers makes a person who is registered, one who is signing up and one who
// is disabled; the fourth address is nobody's.
func (w *world) strangers(tb testing.TB) []string {
	tb.Helper()
	w.signedUp(tb, "c1")
	w.started(tb, "c4")
	must(tb, w.ApplyCustomers(tb.Context(), w.caller, []portal.Customer{{ID: "d1", Name: "Dis Abled", Email: "dis@acme.com", Version: 1}}))
	w.signedUp(tb, "d1")
	_, err := w.db.W.Exec(`UPDATE users SET state = 'disabled' WHERE biller_id = 'north' AND email_norm = 'dis@acme.com'`)
	must(tb, err)
	w.deliver(tb)
	return []string{"jane@acme.com", "zoe@bücher.example", "dis@acme.com", "nobody@acme.com"}
}

// TestStrangersLearnNothing: a registered address, one that is signing up, a
// disabled and an unknown one run the same statements, add the same jobs and
// hash as often, and are answered alike.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		addresses := w.strangers(t)
		link := w.invited(t, "c2")
		n := 0
		same := func(name string, ask func(ctx context.Context, s *portal.Service, c portal.Caller, address string) error) {
			var first cost
			for i, address := range addresses {
				n++
				c := elsewhere(w.caller, n)
				got := w.costOf(t, func(ctx context.Context, s *portal.Service) error { return ask(ctx, s, c, address) })
				if len(got.Statements) == 0 {
					t.Fatalf("%s: no statement was seen", name)
				}
				if i == 0 {
					first = got
				} else if d := cmp.Diff(first, got); d != "" {
					t.Errorf("%s: %s and %s (-+):\n%s", name, addresses[0], address, d)
				}
			}
		}
		signIn := func(ctx context.Context, s *portal.Service, c portal.Caller, address string) error {
			_, err := s.SignIn(ctx, c, address, wrongPassword)
			return err
		}
		for try := range portal.SignInDelays().Free + 2 {
			same(fmt.Sprintf("wrong sign-in %d", try+1), signIn)
		}
		w.clock.Add(portal.SignInDelays().First)
		same("after the delay", signIn)
		same("in the next delay", signIn)
		for try := range portal.ResetRequests().Limit + 1 {
			same(fmt.Sprintf("forgot %d", try+1), func(ctx context.Context, s *portal.Service, c portal.Caller, address string) error {
				return s.ForgotPassword(ctx, c, address)
			})
		}
		addresses = append(addresses[1:], "jane@acme.example") // jane@acme.com is who is invited
		same("register", func(ctx context.Context, s *portal.Service, c portal.Caller, address string) error {
			_, err := s.Register(ctx, c, link, address, goodPassword)
			return err
		})
	})
}

// TestStrangersAreMailedAlike: jobs of mails that go nowhere are done like others.
func TestStrangersAreMailedAlike(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		addresses := w.strangers(t)
		w.mail = nil
		for i, address := range addresses {
			must(t, w.ForgotPassword(t.Context(), elsewhere(w.caller, i), address))
			for range portal.SignInDelays().Free {
				_, _ = w.SignIn(t.Context(), elsewhere(w.caller, i), address, wrongPassword) // only counts
			}
		}
		w.deliver(t)
		var to []string
		for _, m := range w.mail {
			to = append(to, string(m.Ref.Kind)+" "+m.To)
		}
		slices.Sort(to)
		if got := strings.Join(to, ", "); got != "notice Jane@Acme.com, reset Jane@Acme.com, reset zoe@bücher.example" {
			t.Errorf("mails: %s", got)
		}
	})
}

// TestStrangersSignUpAlike: cases 9 and 10. The address of a customer who has not
// signed up, one that signs in, a disabled and an unknown one cost a sign-up from
// the portal link the same, with each mail and each guess at its code.
func TestStrangersSignUpAlike(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		addresses := append(w.strangers(t), "new@acme.com")
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{{ID: "n1", Name: "Newcomer", Email: "new@acme.com", Version: 1}}))
		handles := make([]string, len(addresses))
		n := 0
		same := func(name string, answer func(error) bool, ask func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error) {
			t.Helper()
			var first cost
			for i, address := range addresses {
				n++
				c := elsewhere(w.caller, n)
				var got error
				spent := w.costOf(t, func(ctx context.Context, s *portal.Service) error {
					got = ask(ctx, s, c, i)
					return got
				})
				if !answer(got) || len(spent.Statements) == 0 || spent.Argon2 != 0 {
					t.Fatalf("%s of %s: %v after %d statements and %d hashes", name, address, got, len(spent.Statements), spent.Argon2)
				}
				if i == 0 {
					first = spent
				} else if d := cmp.Diff(first, spent); d != "" {
					t.Errorf("%s: %s and %s (-+):\n%s", name, addresses[0], address, d)
				}
			}
		}
		is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
		same("begin", is(nil), func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error {
			state, err := s.StartProof(ctx, c, addresses[i])
			handles[i] = state.Handle
			return err
		})
		same("look", is(nil), func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error {
			_, err := s.Proof(ctx, c, handles[i])
			return err
		})
		guess := func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error {
			return s.Prove(ctx, c, handles[i], "000000")
		}
		for try := range portal.CodeTries - 1 {
			same(fmt.Sprintf("guess %d", try+1), is(portal.ErrWrongCode), guess)
		}
		same("last guess", is(portal.ErrCodeDead), guess)
		same("guess at a dead code", is(portal.ErrCodeDead), guess)
		resend := func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error {
			return s.ResendProof(ctx, c, handles[i])
		}
		late := func(err error) bool { return apperr.Is(err, apperr.TooManyRequests) }
		same("resend at once", late, resend)
		for m := range portal.ConfirmationsAHour - 1 {
			w.clock.Add(61 * time.Second)
			same(fmt.Sprintf("resend %d", m+1), is(nil), resend)
		}
		w.clock.Add(61 * time.Second)
		same("one mail too many", late, resend)
		same("begin again too often", late, func(ctx context.Context, s *portal.Service, c portal.Caller, i int) error {
			_, err := s.StartProof(ctx, c, addresses[i])
			return err
		})
	})
}
