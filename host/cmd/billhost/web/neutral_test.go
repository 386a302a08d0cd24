package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// counted counts the hashes that are made and compared.
type counted struct {
	*password.Hasher
	hashes atomic.Int64
}

func (c *counted) Hash(ctx context.Context, password string) (string, error) {
	c.hashes.Add(1)
	return c.Hasher.Hash(ctx, password)
}

func (c *counted) Verify(ctx context.Context, hash, password string) (bool, error) {
	c.hashes.Add(1)
	return c.Hasher.Verify(ctx, hash, password)
}

// cost is what a stranger can see or measure of an answer.
type cost struct {
	Status     int
	Header     http.Header
	Body       string
	Statements []string
	Hashes     int64
	Jobs, Asks int
}

var changing = regexp.MustCompile(`R-[0-9A-Z-]+|Wait \d+ seconds`)

// costOf posts a form and measures.
func (s *site) costOf(t *testing.T, h http.Handler, c *counted, path string, form url.Values) cost {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx, root := telemetry.Start(telemetry.WithProvider(t.Context(), provider, trace.SpanContext{}), "root", trace.SpanKindInternal)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	before := s.waiting(t)
	hashes := c.hashes.Load()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	root.End()
	after := s.waiting(t)
	for _, name := range []string{"X-Request-Id", "Retry-After", "Content-Length"} { // the page repeats the address
		w.Header().Del(name)
	}
	out := cost{
		Status: w.Code, Header: w.Header(), Hashes: c.hashes.Load() - hashes, Jobs: after[0] - before[0], Asks: after[1] - before[1],
		Body: changing.ReplaceAllString(strings.ReplaceAll(w.Body.String(), form.Get("email"), "ADDRESS"), ""),
	}
	for _, span := range kept.GetSpans() {
		for _, kv := range span.Attributes {
			if kv.Key == "db.query.text" {
				out.Statements = append(out.Statements, kv.Value.AsString())
			}
		}
	}
	return out
}

// waiting counts jobs and asks.
func (s *site) waiting(tb testing.TB) (n [2]int) {
	tb.Helper()
	for i, table := range []string{"jobs", "staff_asks"} {
		if err := s.db.R.Get(&n[i], `SELECT COUNT(*) FROM `+table); err != nil {
			tb.Fatal(err)
		}
	}
	return n
}

// TestStrangersCostTheSame: signing in with a wrong password and asking for a link
// answer, read, write, hash and queue the same for somebody, for somebody who is
// disabled, who has no password, who works for two billers, and for nobody.
func TestStrangersCostTheSame(t *testing.T) {
	t.Parallel()
	c := &counted{Hasher: cheap()}
	s := mustSite(t, func(config *web.Config) { config.Passwords = c })
	s.employed(t, s.biller.ID, "dana@northwind.example")
	s.employed(t, s.biller.ID, "two@accounts.example")
	s.employed(t, s.other.ID, "two@accounts.example")
	gone, _ := s.employed(t, s.biller.ID, "gone@northwind.example")
	if err := s.store.DisableStaff(t.Context(), gone.BillerID, gone.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.AddStaff(t.Context(), books.Staff{BillerID: s.biller.ID, Email: "links@northwind.example", Name: "Links", Role: books.Viewer}); err != nil {
		t.Fatal(err)
	}
	h := s.web.Handler(http.NotFoundHandler())
	for range books.FreeTries + 1 { // the last one has to wait
		var first cost
		for i, address := range []string{"nobody@northwind.example", "dana@northwind.example", "gone@northwind.example", "two@accounts.example", "links@northwind.example"} {
			if _, err := s.db.W.Exec(`DELETE FROM staff_tries WHERE name LIKE '% from %'`); err != nil {
				t.Fatal(err) // what one network may try is the same for all
			}
			wrong := s.costOf(t, h, c, "/sign-in", signInAs(address, "wrong wrong wrong"))
			forgot := s.costOf(t, h, c, "/sign-in/forgot", url.Values{"email": {address}})
			if wrong.Status == http.StatusUnauthorized && (wrong.Hashes != books.PasswordsTried || wrong.Jobs == 0) || forgot.Status != http.StatusOK || forgot.Hashes != 0 {
				t.Fatalf("%s: %d with %d hashes and %d jobs, then %d", address, wrong.Status, wrong.Hashes, wrong.Jobs, forgot.Status)
			}
			wrong.Statements = append(wrong.Statements, forgot.Statements...)
			wrong.Body += forgot.Body
			wrong.Jobs, wrong.Asks = wrong.Jobs+forgot.Jobs, wrong.Asks+forgot.Asks
			if i == 0 {
				first = wrong
			} else if d := cmp.Diff(first, wrong); d != "" {
				t.Errorf("%s (-nobody +them):\n%s", address, d)
			}
		}
	}
}

// TestPasswordChangesBetweenComparingAndSigningIn: whoever's password is changed, or
// account closed, while it is compared is answered as with a wrong one.
func TestPasswordChangesBetweenComparingAndSigningIn(t *testing.T) {
	t.Parallel()
	between := &meanwhile{Hasher: cheap()}
	s := mustSite(t, func(config *web.Config) { config.Passwords = between })
	dana, _ := s.employed(t, s.biller.ID, "dana@northwind.example")
	two, _ := s.employed(t, s.biller.ID, "two@accounts.example")
	both, _ := s.employed(t, s.other.ID, "two@accounts.example")
	for name, change := range map[string]func(p books.Staff) error{
		"changed": func(p books.Staff) error {
			old, err := s.store.StaffPassword(t.Context(), p.BillerID, p.ID)
			if err == nil {
				_, err = s.store.SetStaffPassword(t.Context(), p.BillerID, p.ID, old, "another hash")
			}
			return err
		},
		"disabled": func(p books.Staff) error { return s.store.DisableStaff(t.Context(), p.BillerID, p.ID, true) },
	} {
		restore := func(p books.Staff, hash string) {
			t.Helper()
			if _, err := s.db.W.Exec(`UPDATE staff SET password_hash = $1, disabled = FALSE WHERE id = $2`, hash, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		hash, err := s.store.StaffPassword(t.Context(), dana.BillerID, dana.ID)
		if err != nil {
			t.Fatal(err)
		}
		between.then(func() error { return change(dana) })
		v := s.visitor(t)
		v.stays(401, "Email or password is wrong.", "/sign-in", signInAs("dana@northwind.example", goodPassword))
		if v.cookie() != "" || between.failed != nil {
			t.Errorf("%s: a session %q, %v", name, v.cookie(), between.failed)
		}
		restore(dana, hash)

		b := s.visitor(t)
		b.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
		between.then(func() error { return change(dana) })
		b.goes("/sign-in", "/sign-in/again", url.Values{"password": {goodPassword}})
		if res, _ := b.get("/admin/account"); res.StatusCode != http.StatusSeeOther || between.failed != nil {
			t.Errorf("%s, shown again: %s, %v", name, res.Status, between.failed)
		}
		restore(dana, hash)

		first, err := s.store.StaffPassword(t.Context(), two.BillerID, two.ID)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.store.StaffPassword(t.Context(), both.BillerID, both.ID)
		if err != nil {
			t.Fatal(err)
		}
		between.then(func() error { return change(two) })
		if _, body := s.visitor(t).post("/sign-in", signInAs("two@accounts.example", goodPassword)); strings.Contains(body, "Northwind") || !strings.Contains(body, "Harbor Electric") {
			t.Errorf("%s at one of two:\n%s", name, body)
		}
		restore(two, first)
		between.then(func() error {
			if err := change(two); err != nil {
				return err
			}
			return change(both)
		})
		s.visitor(t).stays(401, "Email or password is wrong.", "/sign-in", signInAs("two@accounts.example", goodPassword))
		restore(two, first)
		restore(both, second)
	}
}

// meanwhile does something once, when the last of a sign-in's passwords has been
// compared.
type meanwhile struct {
	*password.Hasher
	do     func() error
	failed error
}

func (m *meanwhile) then(do func() error) { m.do = do }

func (m *meanwhile) Outdated(string) bool { return false }

func (m *meanwhile) Verify(ctx context.Context, hash, password string) (bool, error) {
	ok, err := m.Hasher.Verify(ctx, hash, password)
	if do := m.do; do != nil && ok {
		m.do = nil
		m.failed = do()
	}
	return ok, err
}
