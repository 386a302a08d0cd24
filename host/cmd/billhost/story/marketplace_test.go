package story_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

// shop is a copy of the signed marketplace behind a web server that can be slow.
type shop struct {
	tb        testing.TB
	dir, keys string
	URL       string

	mu   sync.Mutex
	hold chan struct{} // packages stop halfway until it is closed; nil: none do
	cut  bool          // and are cut off there
}

func mustShop(tb testing.TB) *shop {
	tb.Helper()
	s := &shop{tb: tb, dir: filepath.Join(tb.TempDir(), "market"), keys: filepath.Join(tb.TempDir(), "keys")}
	for from, to := range map[string]string{built.market: s.dir, filepath.Join(filepath.Dir(built.market), "keys"): s.keys} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			tb.Fatal(err)
		}
	}
	keys, err := filepath.Glob(filepath.Join(s.keys, "*.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, key := range keys {
		if err := os.Chmod(key, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	hold, cut := s.hold, s.cut
	s.mu.Unlock()
	if hold == nil || !strings.HasSuffix(r.URL.Path, pack.Extension) {
		http.FileServer(http.Dir(s.dir)).ServeHTTP(w, r)
		return
	}
	data, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	half := len(data) / 3
	if _, err := w.Write(data[:half]); err != nil {
		return
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-hold:
	case <-r.Context().Done():
		return
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(data[half:]) // the reader may have gone
}

// set says how packages are served from now on, and returns what releases them.
func (s *shop) set(holds, cut bool) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold, s.cut = nil, cut
	if !holds {
		return func() {}
	}
	hold := make(chan struct{})
	s.hold = hold
	return sync.OnceFunc(func() { close(hold) })
}

func (s *shop) billhost(args ...string) {
	s.tb.Helper()
	cmd := exec.Command(built.billhost, append(append([]string{"marketplace"}, args...), "--dir", s.dir, "--keys", s.keys, "--data-dir", filepath.Dir(s.dir))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.tb.Fatalf("%v: %v\n%s", args, err, out)
	}
}

const planIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b6b8a"/><path d="M9 10h14M9 16h14M9 22h8" stroke="#fff" stroke-width="2.5" stroke-linecap="round"/></svg>`

const planReadme = `# Payment Plans

Customers ask to pay in parts, you approve with one click, and **the rest runs on its own**.

![screenshot](https://example.com/x.png)

## How it works

1. The customer opens an invoice and asks for a plan.
2. You see the request on the invoice and approve it.
3. Each part is charged on its day; reminders go out before.

| Part | Day | Share |
|------|-----|-------|
| First | at once | 40 % |
| Second | after 30 days | 30 % |
| Third | after 60 days | 30 % |

### Limits

Read more on [the publisher's site](https://example.com/plans).

    plans:
      parts: 3
`

// offer publishes a small add-on.
func (s *shop) offer(id, name, version, summary, host, platform, icon string, files map[string]string) {
	s.tb.Helper()
	in := fstest.MapFS{pack.BinaryPath(platform): {Data: []byte("#!/bin/false\n"), Mode: 0o755}}
	in["manifest.yaml"] = &fstest.MapFile{Data: []byte("id: " + id + "\nname: " + name + "\nversion: " + version + "\nsummary: " + summary + "\nicon: " + icon +
		"\npublisher: Fieldnote Labs\nlicense: MIT\nhomepage: https://example.com/" + id + "\nhost: \"" + host + "\"\ncapabilities: [invite, report]\nplatforms: [" + platform + "]\n" +
		"permissions:\n  - name: customers:read\n    reason: To know whom a plan is for.\n")}
	for file, text := range files {
		in[file] = &fstest.MapFile{Data: []byte(text)}
	}
	path := filepath.Join(s.tb.TempDir(), id+pack.Extension)
	file, err := os.Create(path)
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := pack.Write(file, pack.Source{Dir: in}); err != nil {
		s.tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		s.tb.Fatal(err)
	}
	s.billhost("publish", path)
}

func (s *shop) fill() {
	const here = runtime.GOOS + "/" + runtime.GOARCH
	other := "linux/riscv64"
	s.offer("late-fees", "Late Fees", "1.9.0", "Adds a fee once a grace period is over.", ">=1.0.0 <2.0.0", here, "percent", nil)
	s.offer("late-fees", "Late Fees", "3.0.0", "Adds a fee once a grace period is over, with a notice before the first one.", ">=9.0.0", here, "percent", nil)
	s.billhost("withdraw", "late-fees", "1.9.0")
	s.offer("paper-mail", "Paper Mail", "1.2.0", "Prints and posts invoices for customers without email.", ">=1.0.0 <2.0.0", other, "mail", nil)
	s.offer("payment-plans", "Payment Plans", "1.0.3", "Customers ask to pay in parts, you approve with one click.", ">=1.0.0 <2.0.0", here, "icon.svg",
		map[string]string{"icon.svg": planIcon, "README.md": planReadme, "CHANGELOG.md": "# Changelog\n\n## 1.0.3\n\n- Plans of up to twelve parts\n\n## 1.0.2\n\n- Fewer mails\n"})
}

// TestMarketplace finds add-ons, reads about them and installs one over a network
// that fails midway the first time, with scripts and without.
func TestMarketplace(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		name := "scripts"
		if !scripts {
			name = "no scripts"
		}
		t.Run(name, func(t *testing.T) {
			s := mustShop(t)
			s.fill()
			p := mustStartFrom(t, s.URL, "sqlite")
			staff := mustPerson(t, scripts)
			staff.visit(p.SignIn)
			staff.press("Sign in")
			reads(staff, p)
			staff.visit(p.URL + "/admin/marketplace/customer-portal")
			staff.look("market-portal")
			staff.press("Install")
			staff.heading("Install Customer Portal?")
			staff.look("market-consent")
			fails(staff, s, p)
			recovers(staff, s, p)
		})
	}
}

// reads looks at the list and at pages of add-ons in every state.
func reads(staff *person, p *platform) {
	staff.tb.Helper()
	staff.press("Add-ons Marketplace")
	for _, text := range []string{"Needs a newer platform", "Not for this processor", "Payment Plans"} {
		staff.sees(text)
	}
	staff.look("market-list")
	staff.press("Payment Plans")
	staff.heading("Payment Plans")
	staff.sees("the rest runs on its own")
	staff.sees("Plans of up to twelve parts")
	staff.look("market-addon")
	staff.visit(p.URL + "/admin/marketplace/late-fees")
	staff.sees("works with platforms of version")
	staff.look("market-newer-platform")
	staff.visit(p.URL + "/admin/marketplace/paper-mail")
	staff.sees("made for linux/riscv64")
	staff.look("market-other-processor")
	staff.visit(p.URL + "/admin/marketplace?q=nothing")
	staff.sees("No add-on matches")
	staff.look("market-search")
}

// fails agrees, sees real progress in two tabs and after a reload, and what to do
// when the network breaks.
func fails(staff *person, s *shop, p *platform) {
	staff.tb.Helper()
	release := s.set(true, true)
	defer release()
	staff.press("Agree and install")
	staff.until("Installing Customer Portal…")
	second := newClient(staff.tb)
	second.signIn(&platform{tb: p.tb, SignIn: mustStaffLink(staff.tb, p), URL: p.URL})
	second.eventually("the progress shows megabytes", func() bool {
		got := second.get(p.URL + "/admin/marketplace/customer-portal/installing")
		return strings.Contains(got.Body, "<progress") && !strings.Contains(got.Body, ">0.0 of") && got.Header.Get("Refresh") != ""
	})
	staff.visit(p.URL + "/admin/marketplace/customer-portal/installing")
	if staff.scripts {
		staff.shots("market-installing")
	}
	release()
	staff.until("Customer Portal could not be installed")
	staff.sees("cannot be had from the marketplace")
	staff.look("market-failed")
}

func recovers(staff *person, s *shop, p *platform) {
	staff.tb.Helper()
	s.set(false, false)
	staff.press("Try again")
	staff.until("Customer Portal")
	staff.sees("in your books")
	staff.visit(p.URL + "/admin/marketplace")
	staff.sees("Installed (1)")
	staff.look("market-installed")
	staff.visit(p.URL + "/admin/marketplace/customer-portal")
	staff.sees("Running")
	staff.look("market-portal-installed")
}
