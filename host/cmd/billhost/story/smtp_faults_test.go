package story_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/billing-addons/customer-portal/host/mail/badline"
)

// mailStory is a platform whose mail server, or the way to it, fails.
type mailStory struct {
	*testing.T
	office *postOffice
	line   *badline.Line
	p      *platform
	staff  *client
	ids    []string // customers to invite
}

// TestMailsSurvive spoils the way to the mail server in each way that is known,
// and kills whoever sends: no mail is lost, only a killed host doubles any, and
// pages answer meanwhile.
func TestMailsSurvive(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			office := mustPostOffice(t)
			line := badline.Must(t, strings.TrimPrefix(office.URL, "smtp://"))
			s := &mailStory{T: t, office: office, line: line, p: mustStart(t, database, "SMTP_URL=smtp://"+line.Addr), staff: newClient(t)}
			s.staff.signIn(s.p)
			s.staff.install(s.p)
			s.ids = customerIDs(s.staff, s.p, 10)
			s.cutWhileTheAddonIsKilled()
			s.serverHangs()
			s.serverRefuses()
			s.wantOneEach(0)
			s.hostIsKilled()
		})
	}
}

// next is a customer whom nobody has invited, with their page and address.
func (s *mailStory) next() (id, tab, address string) {
	s.Helper()
	id, s.ids = s.ids[0], s.ids[1:]
	tab = s.p.URL + "/admin/customers/" + id + "?tab=customer-portal"
	address = firstAddress.FindString(s.staff.get(tab).Body)
	if address == "" {
		s.Fatalf("%s has no address", tab)
	}
	return id, tab, address
}

func (s *mailStory) shows(tab, words string) {
	s.Helper()
	s.staff.eventually(tab+" shows "+words, func() bool { return strings.Contains(s.staff.get(tab).Body, words) })
}

// cut waits until a mail was cut off in the middle, kills the add-on and waits
// for the mail.
func (s *mailStory) cut(address, subject string) letter {
	s.Helper()
	s.staff.eventually("the mail "+subject+" is cut", func() bool { return s.line.Hit() == 1 })
	killAddon(s.T, s.p)
	return s.office.await(s.T, address, subject)
}

// cutWhileTheAddonIsKilled goes through mails of each kind.
func (s *mailStory) cutWhileTheAddonIsKilled() {
	s.Helper()
	id, tab, address := s.next()
	s.line.Spoil(1, badline.InMail, true)
	s.staff.invite(s.p, id)
	invitation := s.cut(address, "welcome")
	s.shows(tab, "Mail sent")

	customer := newClient(s.T)
	s.line.Spoil(1, badline.InMail, true)
	got := customer.submit(customer.opens(invitation.link(s.T)), "Sign Up", "email", address, "password", password)
	got = customer.submit(got, "Continue")
	if !strings.Contains(got.Body, "It can take two or three minutes.") || !strings.Contains(got.Body, "Resend") {
		s.Fatalf("what somebody reads who waits for the mail, at %s:\n%s", got.URL, got.Body)
	}
	confirmation := s.cut(address, "confirm")
	got = customer.submit(customer.opens(confirmation.link(s.T)), "Confirm my email")
	customer.submit(got, "I Accept")

	forgot := s.p.URL + "/portal/northwind/forgot"
	stranger := newClient(s.T)
	s.line.Spoil(1, badline.InMail, true)
	if got := stranger.submit(stranger.opens(forgot), "Send me a link", "email", address); !strings.Contains(got.Body, "Nothing there after a few minutes?") {
		s.Fatalf("after the asking for a link:\n%s", got.Body)
	}
	reset := s.cut(address, "password")

	got = stranger.opens(reset.link(s.T))
	s.line.Spoil(1, badline.InMail, true)
	stranger.submit(got, "Save new password", "password", password+" again")
	s.cut(address, "was reset")

	s.p.mustRun("staff", "add", "--biller", "northwind", "--email", "fran@northwind.example", "--name", "Fran", "--role", "owner")
	s.line.Spoil(1, badline.InMail, true)
	stranger.submit(stranger.opens(s.p.URL+"/sign-in/forgot"), "Email me a link", "email", "fran@northwind.example")
	s.staff.eventually("staff's link is cut", func() bool { return s.line.Hit() == 1 })
	link := s.office.await(s.T, "fran@northwind.example", "sign-in link").link(s.T)
	if got := stranger.submit(stranger.opens(link), "Sign in"); !strings.HasPrefix(got.URL.Path, "/admin/") {
		s.Errorf("staff's link leads to %s:\n%s", got.URL, got.Body)
	}
}

// serverHangs has a mail server that says nothing once a mail begins.
func (s *mailStory) serverHangs() {
	s.Helper()
	id, tab, address := s.next()
	s.line.Spoil(1000, badline.AtSender, false)
	visitor := newClient(s.T)
	start := time.Now()
	quick := func(what string) {
		s.Helper()
		if took := time.Since(start); took > 20*time.Second {
			s.Errorf("%s: an answer after %s", what, took)
		}
		start = time.Now()
	}
	s.staff.invite(s.p, id)
	quick("the invitation")
	s.staff.eventually("the mail hangs", func() bool { return s.line.Hit() > 0 })
	start = time.Now()
	if body := s.staff.get(tab).Body; !strings.Contains(body, "Queued") {
		s.Errorf("staff read:\n%s", body)
	}
	quick("the customer's page")
	visitor.submit(visitor.get(s.p.URL+"/portal/northwind/forgot"), "Send me a link", "email", address)
	quick("a forgotten password")
	visitor.submit(visitor.get(s.p.URL+"/sign-in/forgot"), "Email me a link", "email", "fran@northwind.example")
	quick("staff's link")
	links := s.count("fran@northwind.example")
	s.line.Mend()
	s.office.await(s.T, address, "welcome")
	s.shows(tab, "Mail sent")
	s.staff.eventually("staff's link arrives", func() bool { return s.count("fran@northwind.example") == links+1 })
}

func (s *mailStory) count(address string) (n int) {
	for _, l := range s.office.all() {
		if l.To == address {
			n++
		}
	}
	return n
}

// serverRefuses answers 4xx, then takes the mail; and 5xx, which is the end.
func (s *mailStory) serverRefuses() {
	s.Helper()
	id, later, address := s.next()
	s.office.refuse(address, &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted"})
	s.staff.invite(s.p, id)
	id, never, refused := s.next()
	s.office.refuse(refused, &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"})
	s.staff.invite(s.p, id)
	s.shows(never, "Bounced")
	if body := s.staff.get(never).Body; !strings.Contains(body, "Mail failed") || !strings.Contains(body, "550 5.1.1 No such user") {
		s.Errorf("staff read:\n%s", body)
	}
	s.office.await(s.T, address, "welcome")
	s.shows(later, "Mail sent")
	if n := s.count(refused); n != 0 {
		s.Errorf("%d mails after a refusal for good", n)
	}
}

// hostIsKilled kills the platform while the mail server's answers are under way:
// the mails are out, and nobody knows.
func (s *mailStory) hostIsKilled() {
	s.Helper()
	before := len(s.office.all())
	s.line.Spoil(1000, badline.AfterDot, false)
	var ids []string
	for range 5 {
		id, _, _ := s.next()
		s.staff.invite(s.p, id)
		ids = append(ids, id)
	}
	open := 3 // that one biller may have
	s.staff.eventually("mails hang", func() bool { return s.line.Hit() == open })
	s.p.kill()
	s.line.Mend()
	s.p.start()
	for _, id := range ids {
		s.shows(s.p.URL+"/admin/customers/"+id+"?tab=customer-portal", "Mail sent")
	}
	if got := len(s.office.all()) - before; got < len(ids) || got > len(ids)+open {
		s.Errorf("%d mails, want %d and at most one more for each of %d connections", got, len(ids), open)
	}
	s.wantOneEach(open)
}

// wantOneEach checks that there are as many duplicates, each of one mail.
func (s *mailStory) wantOneEach(most int) {
	s.Helper()
	seen := map[string]int{}
	for _, l := range s.office.all() {
		if seen[l.MessageID]++; l.MessageID == "" || seen[l.MessageID] > 2 {
			s.Errorf("the mail %q (%s) arrived %d times", l.Subject, l.MessageID, seen[l.MessageID])
		}
	}
	if twice := len(s.office.all()) - len(seen); twice > most {
		s.Errorf("%d duplicates, want %d at most", twice, most)
	}
}

// kill ends billhost as a power cut does.
func (p *platform) kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.tb.Fatal(err)
	}
	if err := p.cmd.Wait(); err == nil {
		p.tb.Error("billhost outlived kill -9")
	}
}

// opens gets a page once the add-on is there.
func (c *client) opens(address string) (got page) {
	c.tb.Helper()
	c.eventually(address+" answers", func() bool {
		got = c.get(address)
		return got.Status == http.StatusOK
	})
	return got
}

// submit fills in a form and presses its button.
func (c *client) submit(p page, button string, fields ...string) page {
	c.tb.Helper()
	f := mustForm(c.tb, p, button)
	for i := 0; i+1 < len(fields); i += 2 {
		f.values.Set(fields[i], fields[i+1])
	}
	return c.post(p.URL.ResolveReference(f.action).String(), f.values)
}
