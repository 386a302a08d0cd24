package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// withJobs is onBoth with the tables of jobs.
func withJobs(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set, jobs.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		w := &world{db: db, now: time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC)}
		w.Store = store.New(db, w.clock, w.emit, auditKey())
		w.a, w.b = mustBiller(t, w, "northwind"), mustBiller(t, w, "harbor")
		f(t, w)
	})
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func network(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(n), 1}) }

func atOnce(f func(n int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for n := range 16 {
		wg.Go(func() {
			<-start
			f(n)
		})
	}
	close(start)
	wg.Wait()
}

func TestStaffPassword(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dana, other := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.b.ID, "dana@northwind.example")
		if all, err := w.Candidates(ctx, "dana@northwind.example"); err != nil || len(all) != 0 {
			t.Fatalf("without a password: %v, %v", all, err)
		}
		old := mustSignIn(t, w, dana)
		link, err := w.NewStaffLink(ctx, dana.BillerID, dana.ID)
		must(t, err)
		theirs := mustSignIn(t, w, other)
		var mu sync.Mutex
		won, lost, fresh := 0, 0, ""
		atOnce(func(n int) {
			session, err := w.SetStaffPassword(ctx, dana.BillerID, dana.ID, "", fmt.Sprintf("hash %d", n))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won, fresh = won+1, session
			case apperr.Is(err, apperr.Conflict):
				lost++
			default:
				t.Error(err)
			}
		})
		if won != 1 || lost != 15 {
			t.Errorf("%d won, %d lost", won, lost)
		}
		if _, err := w.Session(ctx, old); !apperr.Is(err, apperr.Unauthenticated) {
			t.Errorf("the session from before: %v", err)
		}
		if _, err := w.SignIn(ctx, link); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("the link from before: %v", err)
		}
		if p, err := w.Session(ctx, fresh); err != nil || !p.HasPassword || !p.Fresh(w.clock()) {
			t.Errorf("the new session: %+v, %v", p, err)
		}
		if p, err := w.Session(ctx, theirs); err != nil || p.HasPassword {
			t.Errorf("at the other biller: %+v, %v", p, err)
		}
		all, err := w.Candidates(ctx, "dana@northwind.example")
		if err != nil || len(all) != 1 || all[0].BillerID != w.a.ID || all[0].BillerName != w.a.Name {
			t.Fatalf("candidates: %+v, %v", all, err)
		}
		if _, err := w.SetStaffPassword(ctx, other.BillerID, dana.ID, all[0].Hash, "x"); !apperr.Is(err, apperr.Conflict) {
			t.Errorf("the other biller sets it: %v", err)
		}
		must(t, w.RaiseStaffPassword(ctx, w.a.ID, dana.ID, all[0].Hash, "dearer"))
		must(t, w.RaiseStaffPassword(ctx, w.a.ID, dana.ID, all[0].Hash, "too late"))
		if hash, err := w.Store.StaffPassword(ctx, w.a.ID, dana.ID); err != nil || hash != "dearer" {
			t.Errorf("raised to %q, %v", hash, err)
		}
		must(t, w.DisableStaff(ctx, w.a.ID, dana.ID, true))
		if all, err := w.Candidates(ctx, "dana@northwind.example"); err != nil || len(all) != 0 {
			t.Errorf("disabled: %v, %v", all, err)
		}
	})
}

func TestStaffSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := books.WithActor(t.Context(), books.Actor{IP: "192.0.2.1", Agent: "Test/1.0"})
		dana, sam := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.a.ID, "sam@northwind.example")
		start := func(p books.Staff) string {
			t.Helper()
			w.pass(time.Second)
			link, err := w.NewStaffLink(ctx, p.BillerID, p.ID)
			must(t, err)
			s, err := w.SignIn(ctx, link)
			must(t, err)
			return s
		}
		first, second, mine, his := start(dana), start(dana), start(dana), start(sam)
		list, err := w.StaffSessions(ctx, w.a.ID, dana.ID, mine)
		must(t, err)
		if len(list) != 3 || !list[0].Current || list[1].Current || list[0].IP != "192.0.2.1" || list[0].Agent != "Test/1.0" {
			t.Fatalf("sessions: %+v", list)
		}
		ended := func(n int, err error) int {
			t.Helper()
			must(t, err)
			return n
		}
		if n := ended(w.EndStaffSessions(ctx, w.b.ID, dana.ID, list[2].ID, "")) + ended(w.EndStaffSessions(ctx, w.a.ID, sam.ID, list[2].ID, his)); n != 0 {
			t.Errorf("others ended %d", n)
		}
		if n := ended(w.EndStaffSessions(ctx, w.a.ID, dana.ID, list[2].ID, mine)); n != 1 {
			t.Errorf("one by its id: %d", n)
		}
		if _, err := w.Session(ctx, first); !apperr.Is(err, apperr.Unauthenticated) {
			t.Errorf("the ended session: %v", err)
		}
		if n := ended(w.EndStaffSessions(ctx, w.a.ID, dana.ID, "", mine)); n != 1 {
			t.Errorf("all others: %d", n)
		}
		if _, err := w.Session(ctx, second); !apperr.Is(err, apperr.Unauthenticated) {
			t.Errorf("the other session: %v", err)
		}
		for _, s := range []string{mine, his} {
			if _, err := w.Session(ctx, s); err != nil {
				t.Errorf("a session that nobody ended: %v", err)
			}
		}
	})
}

func TestStaffGuessesWait(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var mu sync.Mutex
		made := 0
		atOnce(func(n int) {
			_, retryAt, err := w.TakeGuess(ctx, "email dana@northwind.example", network(n))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if retryAt.IsZero() {
				made++
			}
		})
		if made != books.FreeTries {
			t.Errorf("%d guesses at once were made, want %d", made, books.FreeTries)
		}
		_, retryAt, err := w.TakeGuess(ctx, "email dana@northwind.example", network(20))
		must(t, err)
		if got := retryAt.Sub(w.clock()); got != 30*time.Second {
			t.Errorf("wait %v", got)
		}
		w.pass(30 * time.Second)
		if wrong, retryAt, err := w.TakeGuess(ctx, "email dana@northwind.example", network(20)); err != nil || !retryAt.IsZero() || wrong != books.FreeTries+1 {
			t.Errorf("after the wait: %d, %v, %v", wrong, retryAt, err)
		}
		must(t, w.ReturnGuess(ctx, "email dana@northwind.example", network(20)))
		if wrong, retryAt, err := w.TakeGuess(ctx, "email dana@northwind.example", network(20)); err != nil || !retryAt.IsZero() || wrong != 1 {
			t.Errorf("after a right one: %d, %v, %v", wrong, retryAt, err)
		}
		limit := books.Budgets("guess", network(30))[1].Limit
		for range limit + 1 {
			_, retryAt, err := w.TakeGuess(ctx, "email right", network(40))
			must(t, err)
			must(t, w.ReturnGuess(ctx, "email right", network(40)))
			if !retryAt.IsZero() {
				t.Fatalf("right passwords from one address have to wait until %v", retryAt)
			}
		}
		for n := range limit + 1 {
			_, retryAt, err := w.TakeGuess(ctx, fmt.Sprintf("email %d", n), network(30))
			must(t, err)
			if refused := !retryAt.IsZero(); refused != (n == limit) {
				t.Fatalf("guess %d from one address: %v", n+1, retryAt)
			}
		}
		var clear int
		must(t, w.db.R.Get(&clear, `SELECT COUNT(*) FROM staff_tries WHERE name LIKE '%@%'`))
		if clear != 0 {
			t.Errorf("%d counts hold an address", clear)
		}
	})
}

// TestStaffStrangersLearnNothing: somebody's address and nobody's run the same
// statements and add the same jobs.
func TestStaffStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		_, err := w.SetStaffPassword(t.Context(), w.a.ID, dana.ID, "", "hash")
		must(t, err)
		gone := mustStaff(t, w, w.a.ID, "gone@northwind.example")
		must(t, w.DisableStaff(t.Context(), w.a.ID, gone.ID, true))
		mustStaff(t, w, w.b.ID, "links@harbor.example")
		n := 0
		for range books.FreeTries + 1 {
			var first []string
			for i, address := range []string{"dana@northwind.example", "gone@northwind.example", "links@harbor.example", "nobody@northwind.example"} {
				n++
				got := w.statements(t, func(ctx context.Context) {
					wrong, retryAt, err := w.TakeGuess(ctx, "email "+address, network(n))
					must(t, err)
					if retryAt.IsZero() {
						_, err := w.Candidates(ctx, address)
						must(t, err)
						must(t, w.RefuseGuess(ctx, address, wrong))
					}
					_, err = w.AskStaffLink(ctx, address, "/admin/", network(n))
					must(t, err)
				})
				if i == 0 {
					first = got
				} else if d := cmp.Diff(first, got); d != "" || len(got) == 0 {
					t.Errorf("%s:\n%s", address, d)
				}
			}
		}
		var asks, due int
		must(t, w.db.R.Get(&asks, `SELECT COUNT(*) FROM staff_asks`))
		must(t, w.db.R.Get(&due, `SELECT COUNT(*) FROM jobs WHERE biller_id = $1`, store.Platform))
		if want := 4*(books.FreeTries+1+3) + 1; asks != want || due != want {
			t.Errorf("%d asks, %d jobs, want %d: each wrong try, one notice and three links for each address, and the notice of the password", asks, due, want)
		}
	})
}

// statements returns the SQL that f runs.
func (w *world) statements(tb testing.TB, f func(ctx context.Context)) (list []string) {
	tb.Helper()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx, root := telemetry.Start(telemetry.WithProvider(tb.Context(), provider, trace.SpanContext{}), "root", trace.SpanKindInternal)
	f(ctx)
	root.End()
	for _, span := range kept.GetSpans() {
		for _, kv := range span.Attributes {
			if kv.Key == "db.query.text" {
				list = append(list, kv.Value.AsString())
			}
		}
	}
	return list
}

// TestRefusalsAreInTheAudit: of each biller whose staff the address is, once.
func TestRefusalsAreInTheAudit(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustStaff(t, w, w.a.ID, "dana@northwind.example")
		ask := books.Ask{ID: "one", Kind: books.AskRefused, EmailNorm: "dana@northwind.example", IP: "192.0.2.1", At: w.clock()}
		for range 2 {
			must(t, w.RecordRefused(ctx, ask))
			must(t, w.RecordRefused(ctx, books.Ask{ID: "two", Kind: books.AskRefused, EmailNorm: "nobody@northwind.example", At: w.clock()}))
		}
		for biller, want := range map[string]int{w.a.ID: 1, w.b.ID: 0} {
			var got int
			must(t, w.db.R.Get(&got, `SELECT COUNT(*) FROM audit WHERE biller_id = $1 AND action = $2`, biller, books.AuditStaffRefused))
			if got != want {
				t.Errorf("%d records, want %d", got, want)
			}
		}
	})
}

// TestADeadLinkFillsNothing: whoever presses the button of a used link again and
// again leaves so many records and no more; other links have theirs.
func TestADeadLinkFillsNothing(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var used []string
		for _, p := range []books.Staff{mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.b.ID, "dana@northwind.example")} {
			link, err := w.NewStaffLink(ctx, p.BillerID, p.ID)
			must(t, err)
			_, err = w.SignIn(ctx, link)
			must(t, err)
			used = append(used, link)
			wantCode(t, "looking at a used link", w.CheckStaffLink(ctx, link), apperr.NotFound)
		}
		most := books.LinkRefusals("").Limit
		for range most + 5 {
			_, err := w.SignIn(ctx, used[0])
			wantCode(t, "a used link", err, apperr.NotFound)
		}
		_, err := w.SignIn(ctx, used[1])
		wantCode(t, "another", err, apperr.NotFound)
		for biller, want := range map[string]int{w.a.ID: most, w.b.ID: 1} {
			var got int
			must(t, w.db.R.Get(&got, `SELECT COUNT(*) FROM audit WHERE biller_id = $1 AND action = $2`, biller, books.AuditStaffRefused))
			if got != want {
				t.Errorf("%d records, want %d", got, want)
			}
		}
	})
}
