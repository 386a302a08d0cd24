package hosttest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestMain(m *testing.M) {
	code := m.Run()
	hosttest.Clean()
	os.Exit(code)
}

// The first slice, end to end: what a biller does, then what goes wrong.
func TestInstallServeKillServe(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	garbage := h.Get("/garbage/northwind/")
	if got := h.Get("/hello/northwind/"); got.Status != 404 || got.Body != garbage.Body {
		t.Fatalf("before Install: %d %s", got.Status, got.Body)
	}
	consent := h.Get("/admin/marketplace/hello/install")
	if consent.Status != 200 || !strings.Contains(consent.Body, "Install Hello?") || !strings.Contains(consent.Body, "To greet people in your company&#39;s name.") {
		t.Fatalf("consent: %d %s", consent.Status, consent.Body)
	}
	agreed := h.Post("/admin/marketplace/hello/install", "version=1.0.0")
	if agreed.Status != 303 || agreed.Header.Get("Location") != "/admin/marketplace/hello/installing" {
		t.Fatalf("install: %d %s %s", agreed.Status, agreed.Header.Get("Location"), agreed.Body)
	}
	h.Until("the progress leads to the add-on", func() bool {
		now := h.Get("/admin/marketplace/hello/installing")
		return now.Status == 303 && now.Header.Get("Location") == "/admin/addons/hello/"
	})
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}

	pid := mustPID(t, h)
	staff := h.Get("/admin/addons/hello/")
	want := "[Hello there|addon:hello]<h1 id=\"hello-top\">Hello</h1><p>Dana Whitfield</p>\n\t\t<form method=\"post\" action=\"/admin/addons/hello/rename\"><button>Rename</button></form>"
	if diff := cmp.Diff(want, staff.Body); diff != "" {
		t.Error(diff)
	}
	if got := h.Post("/admin/addons/hello/rename", ""); got.Status != 303 || got.Header.Get("Location") != "/admin/addons/hello/" {
		t.Errorf("staff form: %d %s", got.Status, got.Header.Get("Location"))
	}

	mustKill(t, pid)
	h.Until("the page works again", func() bool {
		got := h.Get("/hello/northwind/")
		switch got.Status {
		case 200:
			return true
		case 502, 503:
			if !strings.Contains(got.Body, "Try again") || !strings.Contains(got.Body, "northwind Pool Service") {
				t.Fatalf("after the kill: %s", got.Body)
			}
			return false
		}
		t.Fatalf("after the kill: %d %s", got.Status, got.Body)
		return false
	})
	if again := mustPID(t, h); again == pid {
		t.Errorf("process %d was killed and still answers", pid)
	}
}

func TestKilledMidRequest(t *testing.T) {
	t.Parallel()
	waits := make(chan struct{})
	h := hosttest.MustHost(t, func(_ *host.Config, p *hosttest.Platform) {
		p.RecordAuditFn = func(_ context.Context, _ string, r addon.AuditRecord) error {
			if r.Action == "hello.waits" {
				waits <- struct{}{}
			}
			return nil
		}
	})
	h.MustInstall("hello")
	tests := []struct {
		path  string
		check func(hosttest.Answer, error)
	}{
		{"/hello/northwind/wait", func(got hosttest.Answer, err error) {
			if err != nil || got.Status != 502 || !strings.Contains(got.Body, `href="/hello/northwind/wait">Try again`) {
				t.Errorf("killed before the head: %d %v %s", got.Status, err, got.Body)
			}
		}},
		{"/hello/northwind/wait?head", func(got hosttest.Answer, err error) {
			if err == nil || got.Status != 200 {
				t.Errorf("killed after the head: looked whole: %d %v %s", got.Status, err, got.Body)
			}
		}},
		{"/admin/addons/hello/wait", func(got hosttest.Answer, err error) {
			if err != nil || got.Status != 502 || !strings.Contains(got.Body, "Hello does not answer") {
				t.Errorf("staff page killed: %d %v %s", got.Status, err, got.Body)
			}
		}},
	}
	for _, tt := range tests {
		pid := mustPID(t, h)
		heads := make(chan struct{}, 1)
		var wg sync.WaitGroup
		wg.Go(func() { tt.check(getInParts(t, h, tt.path, heads)) })
		<-waits
		if strings.HasSuffix(tt.path, "?head") {
			<-heads // on a way of its own, so later perhaps
		}
		mustKill(t, pid)
		wg.Wait()
		h.Until("the add-on runs again", func() bool { return h.Get("/hello/northwind/").Status == 200 })
	}
}

// getInParts is Try that tells when the head of the answer has come.
func getInParts(tb testing.TB, h *hosttest.Host, path string, heads chan<- struct{}) (hosttest.Answer, error) {
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, h.URL+path, nil)
	if err != nil {
		return hosttest.Answer{}, err
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	heads <- struct{}{}
	if err != nil {
		return hosttest.Answer{}, err
	}
	defer func() { _ = res.Body.Close() }() // read whole below
	body, err := io.ReadAll(res.Body)
	return hosttest.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}, err
}

func TestWhatAnAddonMayDo(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	for path, want := range map[string]string{
		"/hello/northwind/biller":    "<p>northwind Pool Service " + h.URL + "/hello/northwind</p>",
		"/hello/northwind/customers": "<p>permission_denied</p>",
		"/hello/northwind/cookie":    "<p>new</p>",
	} {
		if got := h.Get(path); got.Body != want {
			t.Errorf("%s: %d %s, want %s", path, got.Status, got.Body, want)
		}
	}
	set := h.Get("/hello/northwind/cookie").Header.Get("Set-Cookie")
	if set != "hello-northwind-seen=once; Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("Set-Cookie: %s", set)
	}
	if got := h.Get("/hello/northwind/cookie", "Cookie", "hello-northwind-seen=once"); got.Body != "<p>seen once</p>" {
		t.Errorf("cookie given back: %s", got.Body)
	}
	if got := h.Get("/hello/northwind/cookie", "Cookie", "hello-southgate-seen=once; seen=once"); got.Body != "<p>new</p>" {
		t.Errorf("foreign cookie: %s", got.Body)
	}
}

func TestBillersAreApart(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	garbage := h.Get("/x").Body
	if got := h.Get("/hello/southgate/"); got.Status != 404 || got.Body != garbage {
		t.Errorf("public page of a biller without it: %d", got.Status)
	}
	if got := h.Get("/admin/addons/hello/", "Biller", "southgate"); got.Status != 404 {
		t.Errorf("staff page of a biller without it: %d", got.Status)
	}
	southgate := hosttest.Dana()
	southgate.BillerID = "southgate"
	if views, err := h.Slots(t.Context(), southgate, addon.SlotNav); err != nil || len(views) != 0 {
		t.Errorf("slots of a biller without it: %v %v", views, err)
	}
	if err := h.Install(t.Context(), southgate, "hello", []string{"customers:read"}); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("a permission the manifest does not name: %v", err)
	}
	southgate.Abilities = nil
	if err := h.Install(t.Context(), southgate, "hello", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("without the ability: %v", err)
	}
	if err := h.Install(t.Context(), hosttest.Dana(), "nothing", nil); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("not offered: %v", err)
	}
}

func TestSlotsAndRemoval(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	nav, err := h.Slots(t.Context(), hosttest.Dana(), addon.SlotNav)
	if diff := cmp.Diff([]addon.SlotView{{AddonID: "hello", Slot: addon.SlotNav, Title: "Hello", Href: "/admin/addons/hello/"}}, nav); err != nil || diff != "" {
		t.Error(err, diff)
	}
	tabs, err := h.Slots(t.Context(), hosttest.Dana(), addon.SlotCustomerTab)
	if err != nil || len(tabs) != 1 {
		t.Fatal(tabs, err)
	}
	r, err := http.NewRequest(http.MethodGet, h.URL+"/admin/customers/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	fragment, err := h.Draw(r, hosttest.Dana(), tabs[0], map[string][]string{"customer": {"7"}})
	if err != nil || fragment != "<p>Customer 7</p>" {
		t.Errorf("slot: %s %v", fragment, err)
	}
	if got := h.Post("/admin/marketplace/hello/remove", ""); got.Status != 303 {
		t.Fatalf("remove: %d %s", got.Status, got.Body)
	}
	if got := h.Get("/hello/northwind/"); got.Status != 503 || !strings.Contains(got.Body, "The portal is not available") {
		t.Errorf("after removal: %d %s", got.Status, got.Body)
	}
	h.MustInstall("hello")
	h.Until("it is back", func() bool { return h.Get("/hello/northwind/").Status == 200 })
	all, err := h.Installed(t.Context(), "northwind")
	if err != nil || len(all) != 1 || all[0].State != addon.Enabled {
		t.Errorf("installations: %v %v", all, err)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	event := sdk.Event{ID: "e1", Kind: sdk.CustomerCreated, Customer: sdk.Customer{ID: "7", Version: 1}}
	if err := h.Publish(t.Context(), "northwind", event); err != nil {
		t.Errorf("without add-ons: %v", err)
	}
	h.MustInstall("hello")
	if err := h.Publish(t.Context(), "northwind", event); err != nil {
		t.Errorf("to an add-on that keeps it: %v", err)
	}
	event.Customer.Version = 0
	if err := h.Publish(t.Context(), "northwind", event); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("to an add-on that refuses it: %v", err)
	}
	if err := h.Publish(t.Context(), "southgate", event); err != nil {
		t.Errorf("for a biller without the add-on: %v", err)
	}
	mustKill(t, mustPID(t, h))
	event.Customer.Version = 1
	h.Until("the event is kept after a crash", func() bool { return h.Publish(t.Context(), "northwind", event) == nil })
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	dana, ctx := hosttest.Dana(), t.Context()
	const greeting = "Dana Whitfield of northwind"

	invite := h.Invite(dana, "hello")
	for name, call := range map[string]func() (string, error){
		"send":   func() (string, error) { i, err := invite.Send(ctx, "7"); return i.Status, err },
		"resend": func() (string, error) { i, err := invite.Resend(ctx, "7"); return i.Status, err },
		"status": func() (string, error) { s, err := invite.Status(ctx, "7"); return s.Status, err },
		"link":   func() (string, error) { return invite.Link(ctx, "7") },
	} {
		if got, err := call(); err != nil || got != greeting {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	var rows []string
	err := h.Report(dana, "hello").Registrations(ctx, sdk.RegistrationQuery{}, func(r sdk.Registration) error {
		rows = append(rows, r.Name)
		return nil
	})
	if diff := cmp.Diff([]string{greeting, greeting}, rows); err != nil || diff != "" {
		t.Error(err, diff)
	}

	powerless, elsewhere := dana, dana
	powerless.Abilities, elsewhere.BillerID = nil, "southgate"
	if _, err := h.Invite(powerless, "hello").Send(ctx, "7"); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("invite without the ability: %v", err)
	}
	if err := h.Report(powerless, "hello").Registrations(ctx, sdk.RegistrationQuery{}, nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("report without the ability: %v", err)
	}
	if _, err := h.Invite(elsewhere, "hello").Send(ctx, "7"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("invite for a biller without the add-on: %v", err)
	}
}

func TestSignUpWithoutPages(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	s, ctx, p := h.SignUp("northwind", "hello"), t.Context(), sdk.Person{}
	for name, step := range map[string]func() (string, error){
		"begin":    func() (string, error) { st, err := s.Begin(ctx, "token", p); return st.Step, err },
		"register": func() (string, error) { st, err := s.Register(ctx, "h", "a@b.example", "x", p); return st.Step, err },
		"profiles": func() (string, error) { l, err := s.Profiles(ctx, "h", p); return l[0].Name, err },
		"choose":   func() (string, error) { st, err := s.Choose(ctx, "h", []string{"7"}, p); return st.Step, err },
		"confirm":  func() (string, error) { st, err := s.Confirm(ctx, "h", "123456", p); return st.Step, err },
		"accept":   func() (string, error) { in, err := s.Accept(ctx, "h", "1", p); return in.Session, err },
	} {
		if got, err := step(); err != nil || got != name+" at northwind" {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if err := s.Resend(ctx, "h", p); !apperr.Is(err, apperr.TooManyRequests) {
		t.Errorf("resend: %v", err)
	}
	if _, err := h.SignUp("southgate", "hello").Begin(ctx, "token", p); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("sign-up at a biller without the add-on: %v", err)
	}
}

var process = regexp.MustCompile(`Hello from process (\d+) to 127\.0\.0\.1 at /hello/northwind`)

func mustPID(tb testing.TB, h *hosttest.Host) int {
	tb.Helper()
	got := h.Get("/hello/northwind/")
	m := process.FindStringSubmatch(got.Body)
	if m == nil {
		tb.Fatalf("page: %d %s", got.Status, got.Body)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		tb.Fatal(err)
	}
	return pid
}

func mustKill(tb testing.TB, pid int) {
	tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}
