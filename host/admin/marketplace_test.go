package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
)

// holds checks what an answer says and does not say.
func holds(t *testing.T, body string, want, not []string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(body, text) {
			t.Errorf("no %q in %s", text, body)
		}
	}
	for _, text := range not {
		if strings.Contains(body, text) {
			t.Errorf("%q in %s", text, body)
		}
	}
}

// TestStates shows each state on the card and on the page, for a biller that has
// the add-on and one that has not.
func TestStates(t *testing.T) {
	t.Parallel()
	withdrawn := func(newer string) func(*admin.Offer) {
		return func(o *admin.Offer) { o.State, o.WithdrawnAt, o.Newer = admin.Withdrawn, noon, newer }
	}
	evening := func(o *admin.Offer) { o.State, o.WithdrawnAt = admin.Withdrawn, noon.Add(14*time.Hour) } // where the biller is
	const install = `/customer-portal/install"`
	tests := []struct {
		name       string
		f          *fake
		card, page []string
		not        []string
	}{
		{"needs a newer platform", &fake{change: func(o *admin.Offer) { o.State, o.Wants = admin.NeedsPlatform, ">=2.0.0" }},
			[]string{"Needs a newer platform"}, []string{"works with platforms of version", "&gt;=2.0.0"}, []string{install}},
		{"not for this processor", &fake{change: func(o *admin.Offer) {
			o.State, o.Wants, o.Manifest.Platforms = admin.OtherProcessor, "linux/amd64", []string{"linux/arm64", "linux/riscv64"}
		}}, []string{"Not for this processor"}, []string{"This server is linux/amd64", "linux/arm64, linux/riscv64"}, []string{install}},
		{"waiting", &fake{change: func(o *admin.Offer) { o.State = admin.WaitsForOperator }},
			[]string{"Waiting for your operator"}, []string{"approves each add-on"}, []string{install}},
		{"waiting, but installed", &fake{installed: enabled("customer-portal"), change: func(o *admin.Offer) { o.State = admin.WaitsForOperator }},
			[]string{"Installed", ">Open<"}, []string{"Running"}, []string{"Waiting for", install}},
		{"withdrawn", &fake{change: withdrawn("")}, []string{"Withdrawn"}, []string{"was withdrawn from the marketplace on", "cannot be installed any more"}, []string{install}},
		{"withdrawn in the evening", &fake{zone: "America/New_York", change: evening}, nil, []string{"marketplace on <time datetime=\"2026-11-21\">November 21, 2026"}, nil},
		{"withdrawn and installed", &fake{installed: enabled("customer-portal"), change: withdrawn("")},
			[]string{"Installed", "Withdrawn", ">Open<"}, []string{"keeps running for you", "remove the add-on", "/remove"}, []string{install}},
		{"withdrawn and followed by another", &fake{installed: enabled("customer-portal"), change: withdrawn("1.1.0")},
			[]string{"Installed", "Withdrawn"}, []string{"upgrade to version 1.1.0"}, []string{install}},
		{"starting", &fake{installed: enabled("customer-portal"), run: func() admin.RunState { return admin.Starting }}, []string{"Starting"}, []string{"Starting"}, []string{install}},
		{"not available", &fake{installed: enabled("customer-portal"), run: func() admin.RunState { return admin.Unavailable }},
			[]string{"Not available now"}, []string{"Not available now"}, []string{install}},
		{"data being deleted", &fake{installed: map[string]addon.Installation{"northwind/customer-portal": {State: addon.Purging}}}, nil, nil, []string{install}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := MustHandler(t, tt.f)
			holds(t, request(h, "GET", "/admin/marketplace", nil).Body.String(), tt.card, tt.not)
			holds(t, request(h, "GET", "/admin/marketplace/customer-portal", nil).Body.String(), tt.page, tt.not)
			if w := request(h, "GET", "/admin/marketplace/customer-portal/install", nil); w.Code != 303 {
				t.Errorf("consent: %d", w.Code)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	f := &fake{trouble: "The marketplace cannot be reached."}
	h := MustHandler(t, f)
	holds(t, request(h, "GET", "/admin/marketplace", nil).Body.String(), []string{f.trouble, "Customer Portal", "keeps running"}, nil)
	if w := request(h, "GET", "/admin/marketplace/unknown", nil); w.Code != 503 || !strings.Contains(w.Body.String(), f.trouble) {
		t.Errorf("an add-on that is not known now: %d %s", w.Code, w.Body)
	}
}

const readme = "# Customer Portal\n\nIt <b onclick=x>sends</b> <script>alert(1)</script>\n\n## Use\n\n[![badge](https://spy.example/b.svg)](https://ci.example) ![standing alone](https://spy.example/p.png)\n\nPress ![the button](https://spy.example/p.png) " +
	"[site](https://a.example/x) [own](/admin/x) [js](javascript:alert(1)) [data](data:text/html,x)\n\n# Later\n\n" +
	"| a | b |\n|---|---|\n| 1 | 2 |\n\n    code <i>\n\n<iframe src=x></iframe><form action=x><input name=q></form><style>*{}</style>\n"

func TestDocuments(t *testing.T) {
	t.Parallel()
	f := &fake{detail: admin.Detail{Readme: readme, Changelog: "# Changelog\n\n## 1.0.0\n\n- First\n", Incomplete: true, Versions: []admin.Version{
		{Version: "2.0.0", At: noon, State: admin.NeedsPlatform}, {Version: "1.0.0", At: noon, Runs: true}, {Version: "0.9.0", At: noon, State: admin.Withdrawn},
	}}}
	for range 9 {
		f.detail.Versions = append(f.detail.Versions, admin.Version{Version: "0.1.0"})
	}
	body := request(MustHandler(t, f), "GET", "/admin/marketplace/customer-portal", nil).Body.String()
	holds(t, body, []string{
		"<h4>Use</h4>", "<h3>Later</h3>", "Press the button", `href="https://a.example/x" rel="nofollow noopener" target="_blank"`, `<table class="table dense">`,
		"<h3>1.0.0</h3>", "<li>First</li>", "cannot be had from the marketplace at the moment", "November 21, 2026", "Newer platform", "Runs here", "withdrawn ", "and 2 older",
	}, []string{"<script", "onclick", "<img", "spy.example", "javascript:", "data:text", "<iframe", "<form action", "<style", `href="/admin/x"`, "<h1>Later", "<h3>Customer Portal", "badge<", "standing alone"})
	if strings.Count(body, "<h1") != 1 {
		t.Errorf("more than one h1: %s", body)
	}
}

func TestIcon(t *testing.T) {
	t.Parallel()
	svg := `<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`
	for _, tt := range []struct{ data, kind string }{{svg, "image/svg+xml"}, {"\x89PNG\r\n\x1a\n", "image/png"}, {"<html>", "image/svg+xml"}} {
		h := MustHandler(t, &fake{icon: []byte(tt.data)})
		w := request(h, "GET", "/admin/marketplace/late-fees/icon", nil)
		head := w.Header()
		if w.Code != 200 || head.Get("Content-Type") != tt.kind || head.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasSuffix(head.Get("Content-Security-Policy"), "; sandbox") || !strings.HasPrefix(head.Get("Content-Security-Policy"), "default-src 'none'") || w.Body.String() != tt.data {
			t.Errorf("%d %v %s", w.Code, head, w.Body)
		}
		holds(t, request(h, "GET", "/admin/marketplace", nil).Body.String(), []string{`<img src="/admin/marketplace/late-fees/icon?v=2.0.4" alt=""`}, nil)
	}
	if w := request(MustHandler(t, &fake{}), "GET", "/admin/marketplace/late-fees/icon", nil); w.Code != 404 {
		t.Errorf("no icon: %d", w.Code)
	}
}

func TestInstalling(t *testing.T) {
	t.Parallel()
	under := func(change func(*addon.Installing)) addon.Installing {
		i := addon.Installing{BillerID: "northwind", AddonID: "customer-portal", Step: addon.InstallDownloads, Done: 3_200_000, Total: 18_400_000, UpdatedAt: noon}
		change(&i)
		return i
	}
	const path = "/admin/marketplace/customer-portal"
	for _, tt := range []struct {
		name      string
		f         *fake
		status    int
		location  string
		refreshes bool
		want, not []string
	}{
		{"downloads", &fake{under: under(func(*addon.Installing) {})}, 200, "", true,
			[]string{"<h1>Installing Customer Portal…</h1>", "3.2 of 18.4 MB", `<progress value="3200000" max="18400000"`, "Look again"}, []string{"Try again", "done"}},
		{"starts", &fake{under: under(func(i *addon.Installing) { i.Step, i.Total = addon.InstallStarts, 0 })}, 200, "", true, []string{"Unpack <span", "<b>Start</b>"}, []string{"<progress"}},
		{"failed", &fake{under: under(func(i *addon.Installing) { i.Problem = "No <network>." })}, 200, "", false,
			[]string{"could not be installed", "No &lt;network&gt;.", "Try again", `name="version" value="1.0.0"`, "failed here, after 3.2 of 18.4 MB"}, nil},
		{"failed, without the ability", &fake{staff: addon.Staff{ID: "s2", BillerID: "northwind"}, under: under(func(i *addon.Installing) { i.Problem = "x" })}, 200, "", false, []string{"could not be"}, []string{">Try again<"}},
		{"interrupted", &fake{under: under(func(i *addon.Installing) { i.UpdatedAt = noon.Add(-time.Minute) })}, 200, "", false, []string{"was stopped meanwhile", "Try again"}, nil},
		{"of another biller", &fake{under: under(func(i *addon.Installing) { i.BillerID = "southgate" })}, 303, path, false, nil, nil},
		{"ready", &fake{installed: enabled("customer-portal")}, 303, "/admin/addons/customer-portal/", false, nil, nil},
		{"never begun", &fake{}, 303, path, false, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := request(MustHandler(t, tt.f), "GET", path+"/installing", nil)
			if w.Code != tt.status || w.Header().Get("Location") != tt.location || (w.Header().Get("Refresh") != "") != tt.refreshes {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			holds(t, w.Body.String(), tt.want, tt.not)
		})
	}
}
