package hosttest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	hello   = "/admin/marketplace/hello"
	operate = hello + "/operate"
)

// hiddenField finds what a form carries besides its buttons.
var hiddenField = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

func formOf(body string) string {
	form := url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(body, -1) {
		form.Set(f[1], f[2])
	}
	return form.Encode()
}

// mustShow fails the test unless a page shows all texts.
func mustShow(t *testing.T, h *hosttest.Host, path string, texts ...string) hosttest.Answer {
	t.Helper()
	got := h.Get(path)
	for _, want := range texts {
		if got.Status != 200 || !strings.Contains(got.Body, want) {
			t.Fatalf("%s: %d, no %q in %s", path, got.Status, want, got.Body)
		}
	}
	return got
}

// actions returns the operators' audit of hello, the oldest first.
func actions(t *testing.T, h *hosttest.Host) []string {
	t.Helper()
	list, err := h.Operations(t.Context(), hosttest.Dana(), "hello")
	mustDo(t, err)
	var out []string
	for i := len(list) - 1; i >= 0; i-- {
		o := list[i]
		out = append(out, strings.TrimSpace(o.By+" "+o.Action+" "+o.From+" "+o.To))
	}
	return out
}

// TestOperatePages upgrades, is refused an old page, rolls back, and finds it all
// in the audit.
func TestOperatePages(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("1.1.0", "permissions:\n", "permissions:\n  - name: customers:read\n    reason: To greet customers by name.\n")
	mustShow(t, h, hello, `href="`+operate+`"`)
	mustShow(t, h, operate, "[Operate Hello|marketplace]", "Healthy", "Runs now", `href="`+operate+`/upgrade?version=1.1.0"`)

	ask := mustShow(t, h, operate+"/upgrade?version=1.1.0", "Run Hello 1.1.0?", "1 biller", "It asks for more", "To greet customers by name.", "Upgrade to 1.1.0")
	form := formOf(ask.Body)
	var wg sync.WaitGroup
	for range 16 { // two tabs and double clicks
		wg.Go(func() {
			if got := h.Post(operate+"/upgrade", form); got.Status != 303 || got.Header.Get("Location") != operate {
				t.Errorf("upgrade: %d %s", got.Status, got.Header.Get("Location"))
			}
		})
	}
	wg.Wait()
	mustServe(t, h, "1.1.0")
	mustShow(t, h, operate, "On probation until", "Ran before", `href="`+operate+`/rollback"`)
	old := h.Post(operate+"/upgrade", form)
	if old.Status != 303 || old.Header.Get("Location") != operate+"?stale=1" {
		t.Errorf("an old page: %d %s", old.Status, old.Header.Get("Location"))
	}
	mustShow(t, h, operate+"?stale=1", "Nothing was changed")

	ask = mustShow(t, h, operate+"/rollback", "Roll back Hello to 1.0.0?", "It no longer asks for", "customers:read")
	back := formOf(ask.Body)
	h.Post(operate+"/rollback", back)
	mustServe(t, h, "1.0.0")
	if got := h.Post(operate+"/rollback", back); got.Header.Get("Location") != operate+"?stale=1" {
		t.Errorf("a second click rolls forward: %+v", got)
	}
	mustServe(t, h, "1.0.0")
	h.Post(operate+"/retry", "")
	const dana, platform = "Dana Whitfield <dana@northwind.example> addon.", "the platform addon."
	if diff := cmp.Diff([]string{
		dana + "upgrade 1.0.0 1.1.0", platform + "switched 1.0.0 1.1.0", dana + "rollback 1.1.0 1.0.0", platform + "switched 1.1.0 1.0.0", dana + "retry",
	}, actions(t, h)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	mustShow(t, h, operate, "Upgrade from 1.0.0 to 1.1.0", "Rollback from 1.1.0 to 1.0.0", "1.0.0 took over from 1.1.0", "Dana Whitfield &lt;dana@northwind.example&gt;")
}

func TestOperateShowsRefusal(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("1.1.0-broken")
	ask := mustShow(t, h, operate+"/upgrade?version=1.1.0-broken", "It asks for no further permissions")
	h.Post(operate+"/upgrade", formOf(ask.Body))
	if got := h.Get(operate); !strings.Contains(got.Body, "was refused") && got.Header.Get("Refresh") == "" {
		t.Errorf("a page that does not go on: %+v", got)
	}
	h.Until("the page tells of the refusal", func() bool {
		return strings.Contains(h.Get(operate).Body, "Version 1.1.0-broken was refused")
	})
	page := mustShow(t, h, operate, "The first page answered with status 500.", "Refused", "1.1.0-broken was refused; 1.0.0 serves on")
	if page.Header.Get("Refresh") != "" {
		t.Error("the page goes on loading itself")
	}
}

// TestOperateIsForOperators asks every page and method as somebody who may only
// install.
func TestOperateIsForOperators(t *testing.T) {
	t.Parallel()
	owner := hosttest.Dana()
	owner.Abilities = []string{addon.AbilityInstall, "staff:invite"}
	h, _ := mustVersions(t, func(_ *host.Config, p *hosttest.Platform) { p.StaffFromFn = as(owner) })
	for _, path := range []string{"", "/upgrade?version=1.0.0", "/rollback"} {
		if got := h.Get(operate + path); got.Status != 403 || !strings.Contains(got.Body, "Only an operator") {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	for _, path := range []string{"/upgrade", "/rollback", "/retry", "/approve", "/disapprove"} {
		if got := h.Post(operate+path, "version=1.0.0&seen=x"); got.Status != 403 {
			t.Errorf("POST %s: %d", path, got.Status)
		}
	}
	if got := h.Get(hello); strings.Contains(got.Body, "Operate") {
		t.Error("others see the link")
	}
	ctx := t.Context()
	_, operations := h.Operations(ctx, owner, "hello")
	for i, err := range []error{
		h.Upgrade(ctx, owner, "hello", "", ""), h.Rollback(ctx, owner, "hello", ""), h.Retry(ctx, owner, "hello"),
		h.Approve(ctx, owner, "hello"), h.Disapprove(ctx, owner, "hello"), operations,
	} {
		if !apperr.Is(err, apperr.PermissionDenied) {
			t.Errorf("method %d: %v", i, err)
		}
	}
	if got := h.Post(operate+"/retry", "", "Sec-Fetch-Site", "cross-site"); got.Status != 403 {
		t.Errorf("from another site: %d", got.Status)
	}
}

// TestPolicyApproved: what the operator has not approved waits, in the pages and
// in the host itself; those who have it keep it.
func TestPolicyApproved(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Policy = host.PolicyApproved })
	mustShow(t, h, hello, "Waiting for your operator", `<form method="post" action="`+operate+`/approve"><button class="btn">Approve</button>`)
	if err := h.Install(t.Context(), hosttest.Dana(), "hello", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Fatalf("Install = %v", err)
	}
	h.Post(hello+"/install", "version=1.0.0")
	if list, err := h.Installed(t.Context(), "northwind"); err != nil || len(list) != 0 {
		t.Fatalf("installed although it waits: %+v, %v", list, err)
	}
	mustShow(t, h, operate, "Billers cannot install it before you approve it.", "Nobody has installed it")
	for range 2 {
		if got := h.Post(operate+"/approve", ""); got.Status != 303 {
			t.Errorf("approve: %d", got.Status)
		}
	}
	mustShow(t, h, operate, "approved by Dana Whitfield")
	h.MustInstall("hello")
	h.Post(operate+"/disapprove", "")
	if got := h.Get("/hello/northwind/"); got.Status != 200 {
		t.Errorf("who has it loses it: %d", got.Status)
	}
	mustDo(t, h.Install(t.Context(), hosttest.Dana(), "hello", nil))
	south := hosttest.Dana()
	south.BillerID = "southgate"
	if err := h.Install(t.Context(), south, "hello", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("another biller installs it: %v", err)
	}
	mustDo(t, h.Remove(t.Context(), hosttest.Dana(), "hello"))
	if err := h.Install(t.Context(), hosttest.Dana(), "hello", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("installed again: %v", err)
	}
	if err := h.Approve(t.Context(), hosttest.Dana(), "nothing"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("approve what is not offered: %v", err)
	}
	if ok, err := h.Approved(t.Context(), "hello"); err != nil || ok {
		t.Errorf("Approved = %t, %v", ok, err)
	}
}

// TestAgreeingOnThePage upgrades to a version that asks for more; staff agree on
// the add-on's page, and the add-on has it at once.
func TestAgreeingOnThePage(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("1.1.0", "permissions:\n", "permissions:\n  - name: customers:read\n    reason: To greet customers by name.\n")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	if got := h.Get("/hello/northwind/customers"); got.Body != "<p>permission_denied</p>" {
		t.Errorf("before staff agree: %s", got.Body)
	}
	var page hosttest.Answer
	h.Until("staff are asked", func() bool {
		page = h.Get(hello)
		return strings.Contains(page.Body, "Version 1.1.0 asks for more than you agreed to")
	})
	asks := page.Body[strings.Index(page.Body, `aria-labelledby="asks"`):]
	asks = asks[:strings.Index(asks, "</section>")]
	if !strings.Contains(asks, "To greet customers by name.") || strings.Contains(asks, "billers:read") || !strings.Contains(asks, ">Agree</button>") {
		t.Errorf("the question is %s", asks)
	}
	viewer := hosttest.Dana()
	viewer.Abilities = nil
	if err := h.Install(t.Context(), viewer, "hello", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("a viewer agrees: %v", err)
	}
	if got := h.Post(hello+"/install", formOf(asks)); got.Status != 303 {
		t.Errorf("agree: %d %s", got.Status, got.Body)
	}
	h.Until("the permission counts", func() bool { return h.Get("/hello/northwind/customers").Body == "<p>not_found</p>" })
	h.Until("nothing is asked", func() bool { return !strings.Contains(h.Get(hello).Body, "asks for more") })
}

func as(s addon.Staff) func(r *http.Request) (addon.Staff, error) {
	return func(*http.Request) (addon.Staff, error) { return s, nil }
}
