package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const goodPassword = "violet tractor harbour"

// world is a portal on a real database, with a clock that stands still and a
// mail server in memory. It has two billers with the same customers.
type world struct {
	*portal.Service
	db     *sqldb.DB
	clock  *clock
	caller portal.Caller // staff of the first biller
	other  portal.Caller // staff of the second

	mu   sync.Mutex
	mail []portal.Mail
	// refuse makes the mail server refuse for good.
	refuse string
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// run runs f on both databases.
func run(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Run(t, store.Migrations(), func(t *testing.T, db *sqldb.DB) { f(t, mustWorld(t, db)) })
}

func mustWorld(tb testing.TB, db *sqldb.DB) *world {
	tb.Helper()
	keys := portal.NewKeys([]byte("0123456789abcdef0123456789abcdef"))
	c := &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	w := &world{
		db:    db,
		clock: c,
		Service: &portal.Service{
			Store:          store.New(db, keys, nil),
			Passwords:      password.New(password.Config{Params: password.Params{MemoryKiB: 64, Passes: 1, Threads: 1}, Slots: 16, Wait: time.Minute}),
			Keys:           keys,
			Books:          books{},
			NormalizeEmail: email.Normalize,
			MaskEmail:      email.Mask,
			Now:            c.Now,
			IDs:            func() string { return uuid.Must(uuid.NewV7()).String() },
		},
		caller: caller("north", "Northwind Pools"),
		other:  caller("south", "Southwind Pools"),
	}
	for _, cl := range []portal.Caller{w.caller, w.other} {
		_, err := w.Enable(tb.Context(), cl)
		must(tb, err)
		must(tb, w.ApplyCustomers(tb.Context(), cl, customers()))
	}
	return w
}

// books holds one customer that no event told of.
type books struct{}

func (books) Customer(_ context.Context, id string) (portal.Customer, error) {
	if id != "unheard" {
		return portal.Customer{}, apperr.Errorf(apperr.NotFound, "Customer not found.")
	}
	return portal.Customer{ID: id, Name: "Fresh Pond LLC", Email: "office@freshpond.example", Version: 1}, nil
}

func caller(biller, name string) portal.Caller {
	return portal.Caller{
		BillerID:   biller,
		BillerName: name,
		Actor:      portal.Actor{ID: "staff-1", Name: "Dana Whitfield"},
		Abilities:  []string{portal.AbilityInvite, portal.AbilityConfigure, portal.AbilityReport},
		IP:         netip.MustParseAddr("203.0.113.7"),
		Agent:      "Test/1.0",
		PortalURL:  "https://pay.example.com/portal/" + biller,
	}
}

// customers are: two with one address, one without, one with its own.
func customers() []portal.Customer {
	return []portal.Customer{
		{ID: "c1", Number: "NW-1", Name: "Jane Doe", DisplayName: "Doe Residence", Email: "Jane@Acme.com", Version: 1, Currency: "USD"},
		{ID: "c2", Number: "NW-2", Name: "Jane Doe", DisplayName: "Lake House", Email: "jane@acme.com", Version: 1, Currency: "USD"},
		{ID: "c3", Number: "NW-3", Name: "Sam O'Brien", DisplayName: "O'Brien, Sam", Version: 1, Currency: "USD"},
		{ID: "c4", Number: "NW-4", Name: "Zoë Ångström", DisplayName: "Ångström AB", Email: "zoe@bücher.example", Version: 1, Currency: "USD"},
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// public is the caller without staff.
func public(c portal.Caller) portal.Caller {
	c.Actor, c.Abilities = portal.Actor{}, nil
	return c
}

// deliver does the mail jobs that are due, of both billers.
func (w *world) deliver(tb testing.TB) {
	tb.Helper()
	worker, err := jobs.NewWorker(jobs.Config{
		DB:       w.db,
		Handlers: map[string]jobs.Handler{portal.JobMail: w.send},
		Now:      w.clock.Now,
	})
	must(tb, err)
	must(tb, worker.RunDue(tb.Context()))
}

func (w *world) send(ctx context.Context, j jobs.Job) error {
	var ref portal.MailRef
	if err := j.Decode(&ref); err != nil {
		return err
	}
	c := public(w.caller)
	if j.Biller == w.other.BillerID {
		c = public(w.other)
	}
	m, err := w.MailFor(ctx, c, ref)
	if errors.Is(err, portal.ErrStaleMail) {
		return nil
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != "" {
		return w.MailFailed(ctx, c, ref, w.refuse)
	}
	w.mail = append(w.mail, m)
	return w.MailSent(ctx, c, ref)
}

// disown is "This wasn't me", where only the error matters.
func (w *world) disown(ctx context.Context, c portal.Caller, token string) error {
	_, err := w.Disown(ctx, c, token)
	return err
}

// take delivers, and returns the newest mail.
func (w *world) take(tb testing.TB) portal.Mail {
	tb.Helper()
	w.deliver(tb)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mail) == 0 {
		tb.Fatal("there is no mail")
	}
	m := w.mail[len(w.mail)-1]
	w.mail = w.mail[:len(w.mail)-1]
	return m
}

var lastPart = regexp.MustCompile(`[^/]+$`)

func token(m portal.Mail) string { return lastPart.FindString(m.Link) }

// invited sends a customer's invitation and returns the token of its mail.
func (w *world) invited(tb testing.TB, customerID string) string {
	tb.Helper()
	_, err := w.Invite(tb.Context(), w.caller, customerID)
	must(tb, err)
	return token(w.take(tb))
}

// started registers and chooses, and returns the handle and the confirmation.
func (w *world) started(tb testing.TB, customerID string) (handle string, m portal.Mail) {
	tb.Helper()
	link := w.invited(tb, customerID)
	handle = w.registered(tb, link, customerID)
	return handle, w.take(tb)
}

func (w *world) registered(tb testing.TB, link, customerID string) (handle string) {
	tb.Helper()
	view, err := w.Service.Customer(tb.Context(), w.caller, customerID)
	must(tb, err)
	state, err := w.Register(tb.Context(), public(w.caller), link, view.Customer.Email, goodPassword)
	must(tb, err)
	_, err = w.Choose(tb.Context(), public(w.caller), state.Handle, []string{customerID})
	must(tb, err)
	return state.Handle
}

// signedUp goes through all five steps and returns the session.
func (w *world) signedUp(tb testing.TB, customerID string) (session string) {
	tb.Helper()
	handle, m := w.started(tb, customerID)
	_, err := w.Confirm(tb.Context(), public(w.caller), handle, m.Code)
	must(tb, err)
	in, err := w.Accept(tb.Context(), public(w.caller), portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
	must(tb, err)
	return in.Session
}

func (w *world) wantStatus(tb testing.TB, customerID string, want portal.Status) {
	tb.Helper()
	view, err := w.Service.Customer(tb.Context(), w.caller, customerID)
	must(tb, err)
	if view.Status != want {
		tb.Errorf("status of %s = %q, want %q", customerID, view.Status, want)
	}
	rows := w.rows(tb, portal.RegistrationQuery{})
	for _, r := range rows {
		if r.CustomerID == customerID && r.Status != want {
			tb.Errorf("status of %s in the report = %q, want %q", customerID, r.Status, want)
		}
	}
}

func (w *world) rows(tb testing.TB, q portal.RegistrationQuery) []portal.Registration {
	tb.Helper()
	var rows []portal.Registration
	must(tb, w.Registrations(tb.Context(), w.caller, q, func(r portal.Registration) error {
		rows = append(rows, r)
		return nil
	}))
	return rows
}

// wantOther fails unless nothing has happened at the other biller.
func (w *world) wantOther(tb testing.TB) {
	tb.Helper()
	for _, c := range customers() {
		view, err := w.Service.Customer(tb.Context(), w.other, c.ID)
		must(tb, err)
		if view.Invitation != nil || len(view.History) > 0 || len(view.People) > 0 {
			tb.Errorf("customer %s of the other biller has changed: %+v", c.ID, view)
		}
	}
}

func wantCode(tb testing.TB, err error, code apperr.Code) {
	tb.Helper()
	if apperr.CodeOf(err) != code {
		tb.Errorf("error = %v, want code %q", err, code)
	}
}

// race calls f sixteen times at once and returns how often each error came;
// "" counts the winners.
func race(f func(n int) error) map[string]int {
	const callers = 16
	errs := make([]error, callers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			<-start
			errs[n] = f(n)
		})
	}
	close(start)
	wg.Wait()
	counts := map[string]int{}
	for _, err := range errs {
		if err == nil {
			counts[""]++
			continue
		}
		counts[fmt.Sprintf("%s: %v", apperr.CodeOf(err), err)]++
	}
	return counts
}

func wantOneWinner(tb testing.TB, counts map[string]int, others error) {
	tb.Helper()
	lost := fmt.Sprintf("%s: %v", apperr.CodeOf(others), others)
	if counts[""] != 1 || counts[lost] != 15 {
		tb.Errorf("answers = %v, want one winner and 15 × %v", counts, others)
	}
}
