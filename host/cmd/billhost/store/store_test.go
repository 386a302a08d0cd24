package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// world is a store with two billers and what it emitted.
type world struct {
	*store.Store
	db      *sqldb.DB
	a, b    sdk.Biller
	mu      sync.Mutex
	now     time.Time
	emitted []string
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) emit(_ context.Context, _ *sqlx.Tx, _, kind, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emitted = append(w.emitted, kind)
	return nil
}

// onBoth runs f against both databases.
func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set}, func(t *testing.T, db *sqldb.DB) {
		w := &world{db: db, now: time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC)}
		w.Store = store.New(db, w.clock, w.emit, auditKey())
		w.a, w.b = mustBiller(t, w, "northwind"), mustBiller(t, w, "harbor")
		f(t, w)
	})
}

func mustBiller(tb testing.TB, w *world, slug string) sdk.Biller {
	tb.Helper()
	b, err := w.AddBiller(tb.Context(), sdk.Biller{Slug: slug, Name: slug + " Ltd"})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustCustomer(tb testing.TB, w *world, biller string, f books.CustomerForm) sdk.Customer {
	tb.Helper()
	c, err := w.CreateCustomer(tb.Context(), biller, f)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func mustStaff(tb testing.TB, w *world, biller, address string) books.Staff {
	tb.Helper()
	p, err := w.AddStaff(tb.Context(), books.Staff{BillerID: biller, Email: address, Name: "Dana", Role: books.Owner})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func wantCode(tb testing.TB, what string, err error, want apperr.Code) {
	tb.Helper()
	if got := apperr.CodeOf(err); got != want {
		tb.Errorf("%s: code %q, want %q (%v)", what, got, want, err)
	}
}

func TestStaffAddressesAreTidied(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		p, err := w.AddStaff(t.Context(), books.Staff{BillerID: w.a.ID, Email: " Dana@northwind.example\r\n", Name: "Dana", Role: books.Owner})
		if err != nil || p.Email != "Dana@northwind.example" {
			t.Errorf("%q, %v", p.Email, err)
		}
		if kept, err := w.StaffByEmail(t.Context(), w.a.ID, "dana@northwind.example"); err != nil || kept != p {
			t.Errorf("kept as %+v, %v", kept, err)
		}
	})
}

func TestSetStaffRole(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		p := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		other := mustStaff(t, w, w.b.ID, "dana@northwind.example")
		wantCode(t, "another biller's", w.SetStaffRole(t.Context(), w.b.ID, p.ID, books.Viewer), apperr.NotFound)
		wantCode(t, "no role", w.SetStaffRole(t.Context(), w.a.ID, p.ID, "king"), apperr.Invalid)
		if err := w.SetStaffRole(t.Context(), w.a.ID, p.ID, books.Viewer); err != nil {
			t.Fatal(err)
		}
		for _, want := range []books.Staff{
			{ID: p.ID, BillerID: p.BillerID, Email: p.Email, Name: p.Name, Role: books.Viewer},
			other,
		} {
			got, err := w.StaffByEmail(t.Context(), want.BillerID, "dana@northwind.example")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
	})
}

func TestBillers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		got, err := w.BillerBySlug(ctx, "northwind")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.a, got); diff != "" {
			t.Errorf("biller (-want +got):\n%s", diff)
		}
		for slug, want := range map[string]apperr.Code{
			"northwind": apperr.Conflict, "admin": apperr.Invalid, "X": apperr.Invalid, "a--": apperr.Invalid, "fresh": "",
		} {
			_, err := w.AddBiller(ctx, sdk.Biller{Slug: slug, Name: "N"})
			wantCode(t, slug, err, want)
		}
		_, err = w.Biller(ctx, "nobody")
		wantCode(t, "unknown biller", err, apperr.NotFound)
	})
}

func TestFingerprintKeepsTheFirst(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for _, give := range []string{"first", "second"} {
			got, err := w.Fingerprint(t.Context(), give)
			if err != nil || got != "first" {
				t.Errorf("Fingerprint(%q) = %q, %v", give, got, err)
			}
		}
	})
}

func TestStaffLinkHasOneWinner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		link, err := w.NewStaffLink(ctx, w.a.ID, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		var wins sync.Map
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				session, err := w.SignIn(ctx, link)
				if err == nil {
					wins.Store(session, true)
				} else if !apperr.Is(err, apperr.NotFound) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var sessions []string
		wins.Range(func(k, _ any) bool { sessions = append(sessions, k.(string)); return true })
		if len(sessions) != 1 {
			t.Fatalf("%d winners, want 1", len(sessions))
		}
		who, err := w.Session(ctx, sessions[0])
		if err != nil || who.ID != p.ID {
			t.Errorf("Session = %v, %v", who, err)
		}
	})
}

func TestStaffLinkAndSessionEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		_, err := w.NewStaffLink(ctx, w.b.ID, p.ID)
		wantCode(t, "link for another biller's staff", err, apperr.NotFound)
		late, _ := w.NewStaffLink(ctx, w.a.ID, p.ID)
		w.pass(books.StaffLinkLife)
		wantCode(t, "late link", w.CheckStaffLink(ctx, late), apperr.NotFound)
		_, err = w.SignIn(ctx, late)
		wantCode(t, "late sign-in", err, apperr.NotFound)
		_, err = w.SignIn(ctx, "garbage")
		wantCode(t, "garbage", err, apperr.NotFound)

		session := mustSignIn(t, w, p)
		w.pass(books.StaffIdle - time.Minute)
		if _, err := w.Session(ctx, session); err != nil {
			t.Errorf("before idle: %v", err)
		}
		w.pass(books.StaffIdle - time.Minute)
		if _, err := w.Session(ctx, session); err != nil {
			t.Errorf("the use before counted: %v", err)
		}
		w.pass(books.StaffIdle)
		_, err = w.Session(ctx, session)
		wantCode(t, "idle", err, apperr.Unauthenticated)

		session = mustSignIn(t, w, p)
		for range 60 {
			w.pass(13 * time.Minute)
			_, err = w.Session(ctx, session)
		}
		wantCode(t, "after 12 hours of use", err, apperr.Unauthenticated)

		session = mustSignIn(t, w, p)
		if err := w.SignOut(ctx, session); err != nil {
			t.Fatal(err)
		}
		_, err = w.Session(ctx, session)
		wantCode(t, "signed out", err, apperr.Unauthenticated)

		session = mustSignIn(t, w, p)
		wantCode(t, "disable another biller's", w.DisableStaff(ctx, w.b.ID, p.ID, true), apperr.NotFound)
		if err := w.DisableStaff(ctx, w.a.ID, p.ID, true); err != nil {
			t.Fatal(err)
		}
		_, err = w.Session(ctx, session)
		wantCode(t, "disabled", err, apperr.Unauthenticated)
	})
}

func mustSignIn(tb testing.TB, w *world, p books.Staff) string {
	tb.Helper()
	link, err := w.NewStaffLink(tb.Context(), p.BillerID, p.ID)
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.CheckStaffLink(tb.Context(), link); err != nil {
		tb.Fatal(err)
	}
	session, err := w.SignIn(tb.Context(), link)
	if err != nil {
		tb.Fatal(err)
	}
	return session
}

func TestStaffEmailIsUniquePerBiller(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustStaff(t, w, w.a.ID, "dana@northwind.example")
		mustStaff(t, w, w.b.ID, "dana@northwind.example")
		_, err := w.AddStaff(t.Context(), books.Staff{BillerID: w.a.ID, Email: " DANA@Northwind.example", Name: "D", Role: books.Viewer})
		wantCode(t, "same address", err, apperr.Conflict)
		for _, p := range []books.Staff{
			{Email: "no", Name: "D", Role: books.Viewer}, {Email: "x@y.example", Role: books.Viewer}, {Email: "x@y.example", Name: "D", Role: "king"},
		} {
			p.BillerID = w.a.ID
			_, err := w.AddStaff(t.Context(), p)
			wantCode(t, "bad staff", err, apperr.Invalid)
		}
	})
}
