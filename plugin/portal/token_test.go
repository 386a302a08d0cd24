package portal_test

import (
	"regexp"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	k, other := portal.NewKeys([]byte("one")), portal.NewKeys([]byte("two"))
	token := k.Token(portal.PurposeInvitation, "b", "id", 1, 0)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(token) {
		t.Errorf("token = %q", token)
	}
	if again := k.Token(portal.PurposeInvitation, "b", "id", 1, 0); again != token {
		t.Errorf("the same token differs: %q, %q", token, again)
	}
	for name, differs := range map[string]string{
		"purpose":    k.Token(portal.PurposeConfirmation, "b", "id", 1, 0),
		"biller":     k.Token(portal.PurposeInvitation, "c", "id", 1, 0),
		"id":         k.Token(portal.PurposeInvitation, "b", "ie", 1, 0),
		"boundary":   k.Token(portal.PurposeInvitation, "bi", "d", 1, 0),
		"generation": k.Token(portal.PurposeInvitation, "b", "id", 2, 0),
		"seq":        k.Token(portal.PurposeInvitation, "b", "id", 1, 1),
		"digits":     k.Token(portal.PurposeInvitation, "b", "id", 10, 0),
		"key":        other.Token(portal.PurposeInvitation, "b", "id", 1, 0),
	} {
		if differs == token {
			t.Errorf("another %s gives the same token", name)
		}
	}
	if k.Hash("b", token) == k.Hash("c", token) || k.Hash("b", token) == other.Hash("b", token) {
		t.Error("hashes of billers or keys are equal")
	}
	if code := k.Code("b", "id", 1); !regexp.MustCompile(`^[0-9]{6}$`).MatchString(code) || code == k.Code("b", "id", 2) {
		t.Errorf("code = %q", code)
	}
	if k.CodeHash("b", "id", "123456") == k.CodeHash("b", "ie", "123456") {
		t.Error("code hashes of two sign-ups are equal")
	}
	if portal.SameHash("", "") || !portal.SameHash("a", "a") || portal.SameHash("a", "b") {
		t.Error("SameHash is wrong")
	}
	if a, b := portal.NewSecret(), portal.NewSecret(); a == b || len(a) != 43 {
		t.Errorf("secrets = %q, %q", a, b)
	}
}
