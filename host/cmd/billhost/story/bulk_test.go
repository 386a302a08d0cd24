package story_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	imported = 1000
	invited  = 100
)

// TestBulk imports a customer list, imports it again, and invites a hundred of
// it while the add-on is killed twice: exactly one mail each.
func TestBulk(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			office := mustPostOffice(t)
			p := mustStart(t, database, "SMTP_URL="+office.URL)
			file := mustExport(t)
			p.mustRun("biller", "add", "--name", "Gulf Coast Pest Control", "--slug", "gulfcoast")
			link := firstURL.FindString(p.mustRun("staff", "add", "--biller", "gulfcoast", "--email", "owner@gulfcoast.example", "--name", "Gail Owner", "--role", "owner"))
			if out := p.mustRun("import", "--biller", "gulfcoast", file); !strings.Contains(out, "1000 created") {
				t.Fatalf("first import printed:\n%s", out)
			}
			if out := p.mustRun("import", "--biller", "gulfcoast", file); !strings.Contains(out, "1000 unchanged") {
				t.Fatalf("second import printed:\n%s", out)
			}
			c := newClient(t)
			c.signIn(&platform{tb: t, URL: p.URL, SignIn: link})
			c.install(p)
			ids := customerIDs(c, p, invited)
			inviteUnderFire(t, c, p, ids)
			for _, id := range ids {
				c.eventually("customer "+id+" is Sent", func() bool {
					return strings.Contains(c.get(p.URL+"/admin/customers/"+id+"?tab=customer-portal").Body, "Sent")
				})
			}
			exactlyOneEach(t, office)
		})
	}
}

// inviteUnderFire invites everybody; a third and two thirds of the way through
// it kills the add-on with SIGKILL.
func inviteUnderFire(t *testing.T, c *client, p *platform, ids []string) {
	t.Helper()
	var kills sync.WaitGroup
	for i, id := range ids {
		if i == len(ids)/3 || i == 2*len(ids)/3 {
			kills.Go(func() { killAddon(t, p) })
		}
		c.eventually("the invitation of "+id+" is taken", func() bool {
			got := c.get(p.URL + "/admin/customers/" + id + "?tab=customer-portal")
			if got.Status != http.StatusOK || !strings.Contains(got.Body, "Send Invitation") {
				return false // the add-on is just starting again
			}
			if !strings.Contains(got.Body, "Not invited") {
				return true // an earlier try was taken, only its answer was lost
			}
			f := mustForm(t, got, "Send Invitation")
			return c.post(got.URL.ResolveReference(f.action).String(), f.values).Status == http.StatusOK
		})
	}
	kills.Wait()
}

func killAddon(t *testing.T, p *platform) {
	pids := p.addonPIDs()
	if len(pids) == 0 {
		t.Error("no add-on process to kill")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("kill -9 %d: %v", pid, err)
		}
	}
}

func exactlyOneEach(t *testing.T, office *postOffice) {
	t.Helper()
	perAddress := map[string]int{}
	for _, m := range office.all() {
		perAddress[m.To]++
	}
	for to, n := range perAddress {
		if n != 1 {
			t.Errorf("%s got %d mails, want 1", to, n)
		}
	}
	if len(perAddress) != invited {
		t.Errorf("%d addresses got a mail, want %d", len(perAddress), invited)
	}
}

// mustExport writes a customer list as QuickBooks Online exports it.
func mustExport(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "customers.csv")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	rows := [][]string{{"Name", "Company name", "Street Address", "City", "State", "Country", "Zip", "Phone", "Email", "Customer type", "Attachments", "Open balance", "Notes"}}
	for i := range imported {
		rows = append(rows, []string{
			fmt.Sprintf("Customer %04d, Inc.", i), fmt.Sprintf("Company %04d", i), fmt.Sprintf("%d Main Street", i+1), "Tampa", "FL", "USA", "33601",
			fmt.Sprintf("(813) 555-%04d", i), fmt.Sprintf("Customer%04d@Example.com", i), "Residential", "0", fmt.Sprintf("$%d,%03d.50", 1+i%9, i), "",
		})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// mustRun runs a billhost command against the platform's database.
func (p *platform) mustRun(args ...string) string {
	p.tb.Helper()
	cmd := exec.Command(built.billhost, args...)
	cmd.Env = append(p.env, "BASE_URL="+p.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.tb.Fatalf("billhost %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
