package story_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// greeter publishes versions of the add-on hello, whose program says the version
// of the manifest that it stands beside.
type greeter struct {
	*shop
	program, manifest string
}

func mustGreeter(t *testing.T, s *shop) *greeter {
	t.Helper()
	g := &greeter{shop: s, program: filepath.Join(t.TempDir(), "hello")}
	cmd := exec.Command("go", "build", "-o", g.program, "./host/hosttest/hello")
	cmd.Dir, cmd.Env = built.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hello: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(built.root, "host", "hosttest", "hello", "manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	g.manifest = string(text)
	return g
}

// publish offers a version; change are pairs of old and new text of the manifest.
func (g *greeter) publish(version string, change ...string) {
	g.tb.Helper()
	dir := g.tb.TempDir()
	text := strings.NewReplacer(append(change, "version: 1.0.0", "version: "+version)...).Replace(g.manifest)
	manifest, packed := filepath.Join(dir, "manifest.yaml"), filepath.Join(dir, "hello.addon")
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		g.tb.Fatal(err)
	}
	// The tool packs, for the race detector takes this process a minute for it.
	tool := exec.Command(built.addon, "pack", "--manifest", manifest, "--binary", runtime.GOOS+"/"+runtime.GOARCH+"="+g.program, "--out", packed)
	if out, err := tool.CombinedOutput(); err != nil {
		g.tb.Fatalf("pack %s: %v\n%s", version, err, out)
	}
	g.billhost("publish", packed)
}

// TestOperator upgrades, agrees, is shown a refusal, rolls back, and deletes the
// data of what was removed, with scripts and without.
func TestOperator(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		name := "scripts"
		if !scripts {
			name = "no scripts"
		}
		t.Run(name, func(t *testing.T) {
			g := mustGreeter(t, mustShop(t))
			g.publish("1.0.0")
			p := mustStartFrom(t, g.dir, "sqlite", "ADDON_POLICY=approved")
			staff := mustPerson(t, scripts)
			staff.visit(p.SignIn)
			staff.press("Sign in")
			approves(staff, p)
			p.mustOperate("addon", "install", "--biller", "northwind", "hello")
			g.publish("1.1.0", "permissions:\n", "permissions:\n  - name: customers:read\n    reason: To greet customers by name.\n")
			g.publish("1.2.0-broken")
			upgrades(staff, p)
			isRefused(staff, p)
			rollsBack(staff, p)
			deletes(staff, p)
			p.mustOperate("addon", "uninstall", "--biller", "northwind", "hello")
			if out := p.mustOperate("addon", "purge", "--biller", "northwind", "--name", "Hello", "--wait", "5m", "hello"); !strings.Contains(out, "is deleted") {
				t.Errorf("purge: %s", out)
			}
			history := p.mustOperate("addon", "history", "hello")
			for _, action := range []string{"addon.approve", "addon.upgrade\t1.0.0\t1.1.0", "addon.rollback\t1.1.0\t1.0.0", "addon.purged", "command line ("} {
				if !strings.Contains(history, action) {
					t.Errorf("no %q in %s", action, history)
				}
			}
		})
	}
}

func approves(staff *person, p *platform) {
	staff.tb.Helper()
	staff.visit(p.URL + "/admin/marketplace/hello")
	staff.sees("Waiting for your operator")
	staff.look("operate-waiting")
	staff.press("Operate")
	staff.heading("Operate Hello")
	staff.sees("Billers cannot install it before you approve it.")
	staff.look("operate-approve")
	staff.press("Approve")
	staff.sees("approved by Dana Whitfield")
}

func upgrades(staff *person, p *platform) {
	staff.tb.Helper()
	const at = "/admin/marketplace/hello/operate"
	staff.visit(p.URL + at)
	staff.until("Operate Hello")
	staff.shows("Healthy")
	staff.look("operate")
	staff.visit(p.URL + at + "/upgrade?version=1.1.0")
	staff.heading("Run Hello 1.1.0?")
	staff.look("operate-upgrade")
	staff.press("Upgrade to 1.1.0")
	staff.shows("On probation until")
	staff.look("operate-upgraded")
	staff.finds(p.URL+"/admin/marketplace/hello", func(text string) bool {
		return strings.Contains(text, "Version 1.1.0 asks for more than you agreed to")
	})
	staff.look("operate-agree")
	staff.press("Agree")
	staff.finds(p.URL+"/admin/marketplace/hello", func(text string) bool { return !strings.Contains(text, "asks for more") })
}

func isRefused(staff *person, p *platform) {
	staff.tb.Helper()
	staff.visit(p.URL + "/admin/marketplace/hello/operate/upgrade?version=1.2.0-broken")
	staff.press("Upgrade to 1.2.0-broken")
	staff.shows("Version 1.2.0-broken was refused")
	staff.look("operate-refused")
}

func rollsBack(staff *person, p *platform) {
	staff.tb.Helper()
	staff.press("Roll back")
	staff.heading("Roll back Hello to 1.0.0?")
	staff.look("operate-rollback")
	staff.press("Roll back to 1.0.0")
	staff.shows("Rollback from 1.1.0 to 1.0.0")
	staff.shows("On probation until")
}

// deletes installs the portal, removes it and has its data deleted.
func deletes(staff *person, p *platform) {
	staff.tb.Helper()
	const portal = "/admin/marketplace/customer-portal"
	p.mustOperate("addon", "approve", "customer-portal")
	p.mustOperate("addon", "install", "--biller", "northwind", "customer-portal")
	staff.finds(p.URL+portal, func(text string) bool { return strings.Contains(text, "Running") })
	staff.look("data-installed")
	staff.press("Remove")
	staff.press("Remove Customer Portal")
	staff.visit(p.URL + portal)
	staff.press("Delete its data")
	staff.heading("Delete the data of Customer Portal?")
	staff.look("data-delete")
	staff.fill("Type Customer Portal to confirm", "customer portal")
	staff.press("Delete all data")
	staff.sees("Type Customer Portal, exactly so.")
	staff.look("data-wrong-name")

	c := newClient(staff.tb)
	c.signIn(&platform{tb: p.tb, SignIn: mustStaffLink(staff.tb, p), URL: p.URL})
	if file := c.post(p.URL+portal+"/export", url.Values{}); file.Status != 200 || !strings.HasPrefix(file.Body, "PK\x03\x04") {
		staff.tb.Fatalf("export: %d, %d bytes", file.Status, len(file.Body))
	}
	staff.visit(p.URL + portal + "/purge")
	staff.sees("Exported")
	staff.look("data-exported")
	staff.fill("Type Customer Portal to confirm", "Customer Portal")
	staff.press("Delete all data")
	staff.shows("Customer Portal keeps nothing for you")
	staff.look("data-deleted")
}

// finds opens the page again until it is as it should be.
func (p *person) finds(address string, ok func(text string) bool) {
	p.tb.Helper()
	newClient(p.tb).eventually(address+" is as it should be", func() bool {
		p.visit(address)
		return ok(p.text())
	})
}

// shows waits until main shows the text: pages that change load themselves again.
func (p *person) shows(want string) {
	p.tb.Helper()
	newClient(p.tb).eventually("the page shows "+want, func() bool { return strings.Contains(p.text(), want) })
}

// mustOperate runs a command that asks the marketplace.
func (p *platform) mustOperate(args ...string) string {
	p.tb.Helper()
	return p.mustRun(append(args, "--marketplace-url", p.market, "--marketplace-root", filepath.Join(built.market, "metadata", "1.root.json"), "--addon-policy", "approved")...)
}
