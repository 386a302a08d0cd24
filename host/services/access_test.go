package services_test

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// needs says which permission each call of the platform takes, and whether it may be
// made while a public page is answered.
func needs() map[string]struct {
	permission string
	public     bool
} {
	return map[string]struct {
		permission string
		public     bool
	}{
		"Customers.Customer": {"customers:read", true}, "Customers.CustomersByEmail": {"customers:read", true}, "Customers.ListCustomers": {"customers:read", false},
		"Invoices.Invoice": {"invoices:read", true}, "Invoices.ListInvoices": {"invoices:read", true},
		"Mail.Send": {"mail:send", true}, "Mail.Permit": {"mail:send", false},
		"Billers.Biller": {"billers:read", true}, "Audit.Write": {"audit:write", true}, "Staff.Notify": {"staff:notify", false},
	}
}

// refusedFor calls a method with nothing in hand and tells how it was refused.
func refusedFor(t *testing.T, h sdk.Host, part, name string) apperr.Code {
	t.Helper()
	m := reflect.ValueOf(h).FieldByName(part).MethodByName(name)
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < m.Type().NumIn(); i++ {
		args = append(args, reflect.Zero(m.Type().In(i)))
	}
	out := m.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return apperr.CodeOf(err)
}

// TestEveryCallNeedsItsPermission reads the calls from sdk.Host: each is refused with
// every other permission and, unless it is for public pages too, on a public page. A
// call that nobody has thought of fails.
func TestEveryCallNeedsItsPermission(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	permissions := append(all(), "staff:notify")
	parts, seen := reflect.TypeFor[sdk.Host](), 0
	for i := range parts.NumField() {
		part := parts.Field(i)
		if part.Type.Kind() != reflect.Interface {
			continue
		}
		for j := range part.Type.NumMethod() {
			name := part.Type.Method(j).Name
			if part.Name == "Billers" && (name == "As" || name == "Enabled") { // answered in the add-on's own process
				continue
			}
			need, ok := needs()[part.Name+"."+name]
			if !ok {
				t.Errorf("what does %s.%s need?", part.Name, name)
				continue
			}
			seen++
			var others []string
			for _, p := range permissions {
				if p != need.permission {
					others = append(others, p)
				}
			}
			viewer := sdk.Viewer{StaffID: "s1", Abilities: []string{"staff:invite"}}
			if code := refusedFor(t, mustHost(t, w, services.Grant{BillerID: biller, Permissions: others, Viewer: viewer}), part.Name, name); code != apperr.PermissionDenied {
				t.Errorf("%s.%s without %s: %q", part.Name, name, need.permission, code)
			}
			public := refusedFor(t, mustHost(t, w, services.Grant{BillerID: biller, Permissions: permissions, Public: true}), part.Name, name)
			if refused := public == apperr.PermissionDenied; refused == need.public {
				t.Errorf("%s.%s on a public page: %q", part.Name, name, public)
			}
		}
	}
	if seen != len(needs()) {
		t.Errorf("%d calls, want %d", seen, len(needs()))
	}
}

// TestWithdrawnPermissionsEndAtOnce: under tokens that are out, of one biller and one
// add-on; what is agreed to again counts again for the process's credential.
func TestWithdrawnPermissionsEndAtOnce(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	permissions := []string{"customers:read", "billers:read"}
	grant := services.Grant{BillerID: biller, AddonID: portal, Permissions: permissions}
	theirs := grant
	theirs.BillerID = other
	tokens := map[string]string{
		"request": w.IssueRequest(grant), "credential": w.IssueInstallation(addon.Installation{BillerID: biller, AddonID: portal, Permissions: permissions}),
		"other biller": w.IssueRequest(theirs),
	}
	may := func(token string, code apperr.Code) {
		t.Helper()
		h, err := w.Addon(portal).For(t.Context(), tokens[token])
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Customers.Customer(t.Context(), "c-"+map[bool]string{true: other, false: biller}[token == "other biller"])
		wantCode(t, token, err, code)
		_, err = h.Billers.Biller(t.Context())
		if code == "" {
			wantCode(t, token, err, "")
		}
	}
	for token := range tokens {
		may(token, "")
	}
	w.Agreed(biller, "hello", nil)
	may("request", "")
	w.Agreed(biller, portal, []string{"billers:read", "mail:send"})
	may("request", apperr.PermissionDenied)
	may("credential", apperr.PermissionDenied)
	may("other biller", "")
	w.Agreed(biller, portal, permissions)
	may("request", apperr.PermissionDenied)
	may("credential", "")
	w.Agreed(biller, portal, nil)
	may("request", apperr.PermissionDenied)
	_, err := w.Addon(portal).For(t.Context(), tokens["credential"])
	wantCode(t, "jobs wait", err, apperr.Unauthenticated)
	may("other biller", "")
	w.Agreed(biller, portal, permissions)
	may("credential", "")
}

// TestRefusedCallsAreLogged: with the add-on, the biller and what it asked for; never
// a token.
func TestRefusedCallsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := mustWorld(t)
	s := services.New(services.Config{Platform: w.platform, Mailer: w.mailer, Key: make([]byte, 32), Log: slog.New(slog.NewTextHandler(&out, nil)), Now: w.clock})
	token := s.IssueRequest(services.Grant{BillerID: biller, AddonID: portal, Public: true, Permissions: []string{"customers:read"}})
	h, err := s.Addon(portal).For(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Billers.Biller(t.Context())
	wantCode(t, "without the permission", err, apperr.PermissionDenied)
	_, err = h.Customers.ListCustomers(t.Context(), sdk.CustomerQuery{})
	wantCode(t, "on a public page", err, apperr.PermissionDenied)
	_, err = s.Addon("hello").For(t.Context(), token)
	wantCode(t, "another add-on's token", err, apperr.Unauthenticated)
	for _, want := range []string{
		"why=permission what=billers:read addon=customer-portal biller=b1", `why=permission what="customers:read on a public page" addon=customer-portal biller=b1`, "why=token addon=hello",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), token) {
		t.Error("the token is in the log")
	}
}
