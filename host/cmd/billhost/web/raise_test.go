package web_test

import (
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/sdk/password"
)

// dearer is a hasher for whom hashes have become too cheap while cheap is set.
type dearer struct {
	*password.Hasher
	cheap atomic.Bool
}

func (d *dearer) Outdated(string) bool { return d.cheap.Load() }

// TestStaffHashesAreRaised: a right password is hashed anew where its hash has become
// too cheap, at each business that it opens, and goes on working.
func TestStaffHashesAreRaised(t *testing.T) {
	t.Parallel()
	d := &dearer{Hasher: cheap()}
	s := mustSite(t, func(c *web.Config) { c.Passwords = d })
	hash := func(p books.Staff) string {
		t.Helper()
		h, err := s.store.StaffPassword(t.Context(), p.BillerID, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one, _ := s.employed(t, s.biller.ID, "dana@northwind.example")
	here, _ := s.employed(t, s.biller.ID, "two@accounts.example")
	there, _ := s.employed(t, s.other.ID, "two@accounts.example")
	old := map[string]string{one.ID: hash(one), here.ID: hash(here), there.ID: hash(there)}
	d.cheap.Store(true)
	s.visitor(t).stays(401, "wrong", "/sign-in", signInAs("dana@northwind.example", "wrong wrong wrong"))
	if hash(one) != old[one.ID] {
		t.Error("a wrong password raised the hash")
	}
	s.visitor(t).goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	s.visitor(t).stays(200, "Where do you want to work?", "/sign-in", signInAs("two@accounts.example", goodPassword))
	d.cheap.Store(false)
	for _, p := range []books.Staff{one, here, there} {
		if hash(p) == old[p.ID] {
			t.Errorf("the hash of %s at %s stays", p.Email, p.BillerID)
		}
	}
	s.visitor(t).goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	s.visitor(t).stays(200, "Where do you want to work?", "/sign-in", signInAs("two@accounts.example", goodPassword))
}

// TestRightProofsAreGivenBack: a right password, asked for again, forgets the wrong
// ones before it.
func TestRightProofsAreGivenBack(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	for range 3 {
		for range books.FreeTries - 1 {
			b.stays(422, "not your password", "/sign-in/again", url.Values{"password": {"wrong wrong wrong"}})
		}
		b.goes("/admin/", "/sign-in/again", url.Values{"password": {goodPassword}})
	}
}
