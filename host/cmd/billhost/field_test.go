package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestFieldsBeyondTheFormAreNotWritten: a form writes the fields that docs/access.md
// gives its role, and nothing by any other name.
func TestFieldsBeyondTheFormAreNotWritten(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	owner, _ := s.mustOwner(t)
	b, err := s.books.BillerBySlug(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.books.AddStaff(t.Context(), books.Staff{BillerID: b.ID, Email: "mo@acme.example", Name: "Mo", Role: books.Manager})
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.books.NewStaffLink(t.Context(), b.ID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	manager := s.ask(t.Context(), http.MethodPost, staffHost, "/sign-in/"+link).Cookies()[0]
	c, err := s.books.CreateCustomer(t.Context(), b.ID, books.CustomerForm{Name: "Elena Rivera", Number: "NW-1"})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string, form url.Values, session *http.Cookie) int {
		for name, value := range map[string]string{
			"id": "other", "biller": "other", "biller_id": "other", "archived": "1", "archived_at": "1", "open_balance": "1", "created_at": "1", "role": "owner", "staff_id": p.ID, "disabled": "1",
		} {
			form.Set(name, value)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+staffHost+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(session)
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		return w.Code
	}
	form := url.Values{"name": {"Elena Rivera"}, "number": {"NW-1"}, "email": {"elena@riverafamily.example"}, "version": {"1"}}
	if code := post("/admin/customers/"+c.ID+"/edit", form, manager); code != http.StatusSeeOther {
		t.Fatalf("the manager's change: status %d", code)
	}
	got, err := s.books.Customer(t.Context(), b.ID, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := c
	want.Email, want.Version = "elena@riverafamily.example", got.Version
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the form wrote more than its fields:\n%s", diff)
	}
	if code := post("/admin/account/password", url.Values{"password": {"copper lantern orbit 47"}}, owner); code >= http.StatusInternalServerError {
		t.Errorf("a password: status %d", code)
	}
	for _, who := range []string{"dana@acme.example Owner", "mo@acme.example Manager"} {
		email, role, _ := strings.Cut(who, " ")
		var kept string
		if err := s.books.db.R.Get(&kept, `SELECT role FROM staff WHERE biller_id = $1 AND email = $2`, b.ID, email); err != nil || !strings.EqualFold(kept, role) {
			t.Errorf("%s is %q, %v", who, kept, err)
		}
	}
}
