package story_test

import (
	"errors"
	"io"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// postOffice is a real SMTP server that keeps what it accepts.
type postOffice struct {
	URL   string
	mu    sync.Mutex
	mails []letter
	// refusals are answers to the next mails to an address.
	refusals map[string][]error
}

// letter is one accepted mail.
type letter struct {
	To, Subject, MessageID string
	Raw                    string
}

func mustPostOffice(tb testing.TB) *postOffice {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	o := &postOffice{URL: "smtp://" + listener.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &delivery{office: o}, nil
	}))
	server.Domain = "localhost"
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
			tb.Error(err)
		}
	})
	return o
}

// delivery is one SMTP session.
type delivery struct {
	office *postOffice
	to     string
}

func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }
func (d *delivery) Reset()                               { d.to = "" }
func (d *delivery) Logout() error                        { return nil }

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	answers := d.office.refusals[strings.ToLower(to)]
	if len(answers) == 0 {
		return nil
	}
	d.office.refusals[strings.ToLower(to)] = answers[1:]
	return answers[0]
}

// refuse makes the office answer the next mails to the address like that.
func (o *postOffice) refuse(to string, answers ...error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refusals == nil {
		o.refusals = map[string][]error{}
	}
	o.refusals[strings.ToLower(to)] = answers
}

func (d *delivery) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	d.office.mails = append(d.office.mails, letter{
		To: d.to, Subject: m.Header.Get("Subject"), MessageID: m.Header.Get("Message-Id"), Raw: string(raw),
	})
	return nil
}

// all returns every mail accepted so far.
func (o *postOffice) all() []letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]letter(nil), o.mails...)
}

// newest returns the last mail to the address whose subject contains the word.
func (o *postOffice) newest(to, subject string) (letter, bool) {
	mails := o.all()
	for i := len(mails) - 1; i >= 0; i-- {
		if strings.EqualFold(mails[i].To, to) && strings.Contains(strings.ToLower(mails[i].Subject), strings.ToLower(subject)) {
			return mails[i], true
		}
	}
	return letter{}, false
}

var firstURL = regexp.MustCompile(`https?://[^\s"<>]+`)

// link is the first URL of the text part: the action.
func (l letter) link(tb testing.TB) string {
	tb.Helper()
	text := strings.ReplaceAll(l.Raw, "=\r\n", "") // quoted-printable soft breaks
	u := strings.ReplaceAll(firstURL.FindString(text), "=3D", "=")
	if u == "" {
		tb.Fatalf("no link in this mail:\n%s", l.Raw)
	}
	return u
}
