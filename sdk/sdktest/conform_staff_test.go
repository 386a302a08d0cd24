package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// telling is an add-on that tells staff whenever one of its pages is opened.
func telling(n sdk.StaffNotice) broken {
	var env sdk.Env
	return broken{
		start: func(e sdk.Env) error { env = e; return nil },
		parts: func(p *sdk.Parts) {
			mux := http.NewServeMux()
			mux.HandleFunc("/{$}", func(_ http.ResponseWriter, r *http.Request) {
				_, _ = env.Host.Staff.Notify(r.Context(), n) // the kit looks at what came of it
			})
			p.Staff = mux
		},
	}
}

func tellingManifest(tb testing.TB) *manifest.Manifest {
	tb.Helper()
	m := brokenManifest(tb)
	m.Permissions = append(m.Permissions, manifest.Permission{Name: "staff:notify", Reason: "To tell staff."})
	m.Pages.Staff = []manifest.StaffPage{{Path: "/", Title: "Broken", Ability: "staff:invite"}}
	return m
}

func TestKitLooksAtNotices(t *testing.T) {
	t.Parallel()
	check := func(n sdk.StaffNotice) error {
		return sdktest.Check(t, "tells staff what they can open", tellingManifest(t), sdktest.InProcess(telling(n).build()))
	}
	good := sdk.StaffNotice{Key: "k", Kind: "test", Ability: "staff:invite", Subject: "S", Text: "T"}
	if err := check(good); err != nil {
		t.Error(err)
	}
	nowhere, elsewhere := good, good
	nowhere.Path, elsewhere.Text = "/nowhere", "https://evil.example"
	wants(t, check(nowhere), `the notice "S" leads to GET /nowhere of northwind (staff): status 404`)
	wants(t, check(elsewhere), "hold no link")
}

// TestNotices: the fake host keeps the rules of a real one.
func TestNotices(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	h.AddBiller(sdk.Biller{ID: "contoso"})
	n := sdk.StaffNotice{Key: "k", Kind: "test", Ability: "staff:invite", Subject: "S", Text: "T", Path: "/x"}
	as := func(token string) (int, error) {
		host, err := h.For(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return host.Staff.Notify(t.Context(), n)
	}
	job := h.Credential(sdk.Call{BillerID: sdktest.Northwind})
	for _, token := range []string{job, job, h.Token(h.StaffCall("contoso", "staff:invite"))} {
		if told, err := as(token); told != 1 || err != nil {
			t.Errorf("told %d, %v", told, err)
		}
	}
	want := []sdktest.Notice{{Biller: sdktest.Northwind, StaffNotice: n}, {Biller: "contoso", StaffNotice: n}}
	if diff := cmp.Diff(want, h.Notices()); diff != "" {
		t.Error(diff)
	}
	if _, err := as(h.Token(h.PublicCall(sdktest.Northwind))); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("on a public page: %v", err)
	}
	h.NotifyFn = func(_ context.Context, biller string, _ sdk.StaffNotice) (int, error) {
		return 0, errors.New("of " + biller)
	}
	if _, err := as(job); fmt.Sprint(err) != "of northwind" {
		t.Errorf("NotifyFn: %v", err)
	}
	h.Permissions = []string{"billers:read"}
	if _, err := as(job); !apperr.Is(err, apperr.PermissionDenied) || h.Refused()[0] != "staff:notify" {
		t.Errorf("without the permission: %v", err)
	}
}
