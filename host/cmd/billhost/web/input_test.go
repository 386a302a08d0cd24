package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
)

// TestAdditionalFieldsHaveNoEffect: what a form does not have is not taken from
// whoever sends it: no other biller, no role, no balance, no state.
func TestAdditionalFieldsHaveNoEffect(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	more := func(form url.Values) url.Values {
		all := url.Values{
			"biller": {s.other.ID}, "biller_id": {s.other.ID}, "id": {s.theirs.ID}, "customer": {s.theirs.ID}, "customer_id": {s.theirs.ID}, "staff_id": {"x"},
			"role": {"operator"}, "Role": {"operator"}, "abilities": {"addons:operate"}, "archived": {"true"}, "Archived": {"true"}, "open_balance": {"1"},
			"balance": {"1"}, "status": {"paid"}, "disabled": {"false"}, "parent_id": {s.theirs.ID}, "ParentID": {s.theirs.ID}, "created_at": {"2001-01-01"},
			"email_norm": {"x@y.example"}, "password_hash": {"x"}, "Version": {"99"},
		}
		maps.Copy(all, form)
		return all
	}
	viewer, owner := s.signedIn(t, books.Viewer), s.signedIn(t, books.Owner)
	res, _ := owner.post("/admin/customers/new", more(url.Values{"name": {"Acme"}, "number": {"A-1"}}))
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("create: %s", res.Status)
	}
	c, err := s.store.FindByLabel(t.Context(), s.biller.ID, "A-1")
	if err != nil {
		t.Fatal(err)
	}
	want := sdk.Customer{ID: c.ID, Number: "A-1", Name: "Acme", DisplayName: "Acme", OpenBalance: c.OpenBalance, Version: 1}
	if diff := cmp.Diff(want, c); diff != "" || c.OpenBalance.Minor != 0 || c.ID == s.theirs.ID {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if res, _ := owner.post("/admin/customers/"+c.ID+"/edit", more(url.Values{"name": {"Acme Two"}, "number": {"A-1"}, "version": {"1"}})); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("edit: %s", res.Status)
	}
	got, err := s.store.Customer(t.Context(), s.biller.ID, c.ID)
	want.Name, want.DisplayName, want.Version = "Acme Two", got.DisplayName, 2
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("edited (-want +got), %v:\n%s", err, diff)
	}
	for _, pattern := range s.web.Routes() {
		if path, ok := strings.CutPrefix(pattern, "POST "); ok && path != "/sign-out" {
			path = strings.NewReplacer("{id}", s.mine.ID, "{token}", "none").Replace(path)
			if res, _ := viewer.post(path, more(nil)); res.StatusCode >= 500 {
				t.Errorf("%s: %s", pattern, res.Status)
			}
		}
	}
	theirs, err := s.store.Customer(t.Context(), s.other.ID, s.theirs.ID)
	if diff := cmp.Diff(s.theirs, theirs); err != nil || diff != "" {
		t.Errorf("another biller's customer (-want +got), %v:\n%s", err, diff)
	}
	mine, err := s.store.Customer(t.Context(), s.biller.ID, s.mine.ID)
	if diff := cmp.Diff(s.mine, mine); err != nil || diff != "" {
		t.Errorf("a customer, after a viewer's tries (-want +got), %v:\n%s", err, diff)
	}
	if res, _ := viewer.get("/admin/customers/new"); res.StatusCode != http.StatusForbidden {
		t.Errorf("the viewer became more: %s", res.Status)
	}
}
