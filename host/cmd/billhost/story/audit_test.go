package story_test

import (
	"encoding/json"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// audited is a line of `billhost audit export`.
type audited struct {
	Action string            `json:"action"`
	Staff  string            `json:"staff"`
	IP     string            `json:"ip"`
	Detail map[string]string `json:"detail"`
}

// exported is northwind's audit.
func (p *platform) exported() (lines []audited, text string) {
	p.tb.Helper()
	text = p.mustRun("audit", "export", "--biller", "northwind")
	for line := range strings.Lines(text) {
		var a audited
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			p.tb.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, a)
	}
	return lines, text
}

// TestAuditOfTheMainFlows goes through what people do and finds each step in the
// audit, once, and none of the secrets they used on the way, neither there nor in
// the log, where no address of a person stands either. docs/audit.md lists the actions.
func TestAuditOfTheMainFlows(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			office := mustPostOffice(t)
			p := mustStart(t, database, "SMTP_URL="+office.URL, "LOG_LEVEL=debug")
			staff := mustPerson(t, true)
			installs(staff, p)
			address := invites(staff, p)
			customer := mustPerson(t, false)
			signsUp(customer, office, address)
			customer.sees("Open invoices")
			secrets := []string{password, url.QueryEscape(password)}

			again := newClient(t)
			for _, typed := range []string{"not " + password, password} {
				got := again.get(p.URL + "/portal/northwind/sign-in")
				form := mustForm(t, got, "Sign in")
				form.values.Set("email", address)
				form.values.Set("password", typed)
				again.post(got.URL.ResolveReference(form.action).String(), form.values)
			}
			secrets = append(secrets, cookies(again, p)...)
			again.post(p.URL+"/portal/northwind/sign-out", nil)
			used := newClient(t)
			if got := used.post(p.SignIn, nil); got.Status != 404 {
				t.Errorf("a used link: status %d", got.Status)
			}
			second := newClient(t)
			second.signIn(&platform{tb: t, SignIn: mustStaffLink(t, p), URL: p.URL})
			secrets = append(secrets, cookies(second, p)...)
			second.post(p.URL+"/sign-out", nil)
			p.mustRun("staff", "add", "--biller", "northwind", "--email", "june@northwindpool.example", "--role", "manager")
			for _, mail := range office.all() {
				if link := mail.link(t); strings.Count(link, "/") > 4 {
					secrets = append(secrets, link[strings.LastIndex(link, "/")+1:])
				}
			}
			secrets = append(secrets, p.SignIn[strings.LastIndex(p.SignIn, "/")+1:])

			want := []string{
				"biller.added", "staff.added", "staff.link_made", "staff.signed_in", "staff.signed_out", "staff.sign_in_refused", "staff.role_changed",
				"addon.installed", "invitation.sent", "signup.started", "signup.confirmed", "agreement.accepted",
				"session.refused", "session.new_device", "session.signed_out",
			}
			var missing []string
			for until := time.Now().Add(patience); ; { // a job repeats what a request could not write
				lines, _ := p.exported()
				missing = slices.DeleteFunc(slices.Clone(want), func(action string) bool {
					return slices.ContainsFunc(lines, func(a audited) bool { return a.Action == action })
				})
				if len(missing) == 0 || time.Now().After(until) {
					break
				}
			}
			if len(missing) > 0 {
				t.Errorf("not recorded: %q", missing)
			}
			_, text := p.exported()
			for _, secret := range secrets {
				if len(secret) < 8 {
					t.Fatalf("no secret: %q", secret)
				}
				if strings.Contains(text, secret) {
					t.Errorf("the audit holds the secret %q", secret)
				}
				if strings.Contains(p.log.String(), secret) {
					t.Errorf("the log holds the secret %q", secret)
				}
			}
			if found := firstAddress.FindString(p.log.String()); found != "" || strings.Contains(strings.ToLower(p.log.String()), strings.ToLower(address)) {
				t.Errorf("the log holds the address %q", found)
			}
			if len(secrets) < 6 {
				t.Errorf("only %d secrets were looked for", len(secrets))
			}
			if out := p.mustRun("audit", "verify"); strings.Contains(out, "BROKEN") {
				t.Errorf("%s", out)
			}
			looksAtAudit(staff, p)
		})
	}
}

// cookies are the values that the client holds.
func cookies(c *client, p *platform) []string {
	at, err := url.Parse(p.URL)
	if err != nil {
		c.tb.Fatal(err)
	}
	var values []string
	for _, cookie := range c.http.Jar.(*cookiejar.Jar).Cookies(at) {
		values = append(values, cookie.Value)
	}
	return values
}

func looksAtAudit(staff *person, p *platform) {
	staff.tb.Helper()
	staff.visit(p.URL + "/admin/")
	staff.press("Audit")
	staff.heading("Audit")
	staff.sees("Customer signed in on a new device")
	staff.look("audit")
	staff.fill("Customer", "nobody like this")
	staff.press("Apply")
	staff.sees("No customer has this account number or name.")
	staff.look("audit-error")
	staff.press("Show everything")
	staff.sees("Staff sign-in refused")
	staff.visit(p.URL + "/admin/audit?of=platform")
	staff.heading("Audit")
	staff.look("audit-platform")
}
