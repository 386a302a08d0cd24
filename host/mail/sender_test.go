package mail_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"mime"
	"net"
	netmail "net/mail"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

var update = flag.Bool("update", false, "rewrite golden files")

// MustSender returns a sender for the server, with a timeout that a busy machine
// does not reach.
func MustSender(tb testing.TB, cfg mail.Config) *mail.Sender {
	tb.Helper()
	cfg.From = "portal@mail.example.com"
	cfg.PlatformName = "Billhost"
	cfg.Key = bytes.Repeat([]byte("k"), 32)
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	s, err := mail.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func sample(s *mail.Sender) addon.Mail {
	return addon.Mail{
		MessageID: s.MessageID("b1", "customer-portal", "invitation-1"),
		FromName:  "Müller & Söhne, Inc.",
		ReplyTo:   "office@northwind.example",
		To:        "jo@customer.example",
		Subject:   "Welcome to the Customer Portal — Müller & Söhne",
		Text:      "Hello Jo,\n\nhttps://pay.example.com/portal/northwind/welcome/abc\n.\n.leading dot\n",
		HTML:      "<html><body><p>Hello Jo</p></body></html>",
		Footer:    []string{"Müller & Söhne, Inc., 1 Main St", "Sent by Billhost for Müller & Söhne."},
	}
}

func TestSendGolden(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{starttls: true, user: "u", password: "p:@/"})
	now := time.Date(2026, 5, 2, 13, 4, 5, 0, time.FixedZone("x", 3600))
	s := MustSender(t, mail.Config{
		URL: "smtp://u:p%3A%40%2F@" + srv.Addr + "?starttls=required",
		TLS: srv.TLS, Now: func() time.Time { return now },
	})
	got, err := s.Send(t.Context(), sample(s))
	if err != nil {
		t.Fatal(err)
	}
	want := addon.Receipt{AcceptedAt: now.UTC(), Response: "250 2.0.0 OK: queued"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Receipt (-want +got):\n%s", diff)
	}
	raw := strings.ReplaceAll(srv.Mails()[0], "\r\n", "\n")
	boundary := regexp.MustCompile(`boundary=([0-9a-f]+)`).FindStringSubmatch(raw)
	if boundary == nil {
		t.Fatalf("no boundary in\n%s", raw)
	}
	raw = strings.ReplaceAll(raw, boundary[1], "BOUNDARY")
	const golden = "testdata/mail.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantRaw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wantRaw), raw); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	msg, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil || subject != sample(s).Subject {
		t.Errorf("Subject = %q, %v", subject, err)
	}
}

func TestMessageIDIsStable(t *testing.T) {
	t.Parallel()
	s := MustSender(t, mail.Config{URL: "smtp://127.0.0.1:1"})
	id := s.MessageID("b1", "a", "k")
	if id != s.MessageID("b1", "a", "k") {
		t.Error("two ids for one key")
	}
	if !strings.HasSuffix(id, "@mail.example.com") {
		t.Errorf("MessageID = %q, want the sender's domain", id)
	}
	for _, other := range []string{s.MessageID("b2", "a", "k"), s.MessageID("b1", "b", "k"), s.MessageID("b1", "a", "l"), s.MessageID("b1", "ak", "")} {
		if other == id {
			t.Errorf("the id %q is shared", id)
		}
	}
}

func TestServerAnswers(t *testing.T) {
	t.Parallel()
	later := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted"}
	never := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user\x01 here"}
	relay := &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relay access denied"}
	tests := []struct {
		name    string
		setup   func(*smtpServer)
		code    apperr.Code
		message string
	}{
		{"4xx at the sender", func(s *smtpServer) { s.OnMail = func(int) error { return later } }, apperr.Unavailable, "451 4.7.1 Greylisted"},
		{"5xx at the sender", func(s *smtpServer) { s.OnMail = func(int) error { return never } }, apperr.Unavailable, "does not take the platform's mail: 550"},
		{"4xx at the end", func(s *smtpServer) { s.OnData = func(*smtp.Conn, int, string) error { return later } }, apperr.Unavailable, "451 4.7.1 Greylisted"},
		{"no relaying", func(s *smtpServer) { s.OnRcpt = func(string) error { return relay } }, apperr.Unavailable, "does not take the platform's mail: 554"},
		{"5xx at the recipient", func(s *smtpServer) { s.OnRcpt = func(string) error { return never } }, apperr.Invalid, "550 5.1.1 No such user here"},
		{"5xx at the end", func(s *smtpServer) { s.OnData = func(*smtp.Conn, int, string) error { return never } }, apperr.Invalid, "550 5.1.1 No such user here"},
		{"hangs up in the mail", func(s *smtpServer) {
			s.OnData = func(c *smtp.Conn, _ int, _ string) error { c.Conn().Close(); return io.EOF }
		}, apperr.Unavailable, "cannot be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := MustServe(t, serverOptions{})
			tt.setup(srv)
			s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
			_, err := s.Send(t.Context(), sample(s))
			if got := apperr.CodeOf(err); got != tt.code {
				t.Errorf("code = %q (%v), want %q", got, err, tt.code)
			}
			if !strings.Contains(apperr.MessageOf(err), tt.message) {
				t.Errorf("message = %q, want it to hold %q", apperr.MessageOf(err), tt.message)
			}
			if n := len(srv.Mails()); n != 0 {
				t.Errorf("%d mails accepted", n)
			}
		})
	}
}

func TestRetryAfterTemporaryRefusal(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	srv.OnData = func(_ *smtp.Conn, n int, _ string) error {
		if n == 1 {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	if _, err := s.Send(t.Context(), sample(s)); !apperr.Is(err, apperr.Unavailable) {
		t.Fatalf("first try = %v, want Unavailable", err)
	}
	if _, err := s.Send(t.Context(), sample(s)); err != nil {
		t.Fatalf("second try = %v", err)
	}
	if n := len(srv.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := MustSender(t, mail.Config{URL: "smtp://u:secret@" + addr})
	_, err = s.Send(t.Context(), sample(s))
	if !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Send = %v, want Unavailable", err)
	}
	if strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("the error tells the password: %v", err)
	}
}

func TestServerSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := MustSender(t, mail.Config{URL: "smtp://" + l.Addr().String(), Timeout: 50 * time.Millisecond})
	if _, err := s.Send(t.Context(), sample(s)); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Send = %v, want Unavailable", err)
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	secure := MustServe(t, serverOptions{starttls: true, user: "u", password: "p"})
	implicit := MustServe(t, serverOptions{implicit: true, user: "u", password: "p"})
	clear := MustServe(t, serverOptions{})
	tests := []struct {
		name string
		cfg  mail.Config
		code apperr.Code
	}{
		{"STARTTLS and password", mail.Config{URL: "smtp://u:p@" + secure.Addr, TLS: secure.TLS}, ""},
		{"smtps and password", mail.Config{URL: "smtps://u:p@" + implicit.Addr, TLS: implicit.TLS}, ""},
		{"opportunistic without TLS", mail.Config{URL: "smtp://" + clear.Addr + "?starttls=opportunistic"}, ""},
		{"none", mail.Config{URL: "smtp://" + clear.Addr + "?starttls=none"}, ""},
		{"wrong password", mail.Config{URL: "smtp://u:q@" + secure.Addr, TLS: secure.TLS}, apperr.Unavailable},
		{"no password", mail.Config{URL: "smtp://" + secure.Addr, TLS: secure.TLS}, apperr.Unavailable},
		{"unknown certificate", mail.Config{URL: "smtp://u:p@" + secure.Addr}, apperr.Unavailable},
		{"required, not offered", mail.Config{URL: "smtp://" + clear.Addr + "?starttls=required"}, apperr.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := MustSender(t, tt.cfg)
			if _, err := s.Send(t.Context(), sample(s)); apperr.CodeOf(err) != tt.code {
				t.Errorf("Send = %v, want %q", err, tt.code)
			}
		})
	}
}

func TestSendOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	srv.OnData = func(*smtp.Conn, int, string) error { cancel(); return nil }
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	if _, err := s.Send(ctx, sample(s)); err != nil {
		t.Errorf("Send = %v", err)
	}
	if _, err := s.Send(ctx, sample(s)); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Send with an ended context = %v, want Unavailable", err)
	}
	if n := len(srv.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestConnectionsAreSharedAndBounded(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr, Connections: 3})
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := s.Send(t.Context(), sample(s)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(srv.Mails()); n != 40 {
		t.Errorf("%d mails, want 40", n)
	}
	if all, most := srv.Sessions(); all > 3 || most > 3 {
		t.Errorf("%d connections, %d at once, want at most 3", all, most)
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	srv.OnMail = func(n int) error {
		if n == 2 {
			return &smtp.SMTPError{Code: 421, Message: "too many mails on this connection"}
		}
		return nil
	}
	second := make(chan *smtp.Conn, 1)
	srv.OnData = func(c *smtp.Conn, n int, _ string) error {
		if n == 3 {
			second <- c
		}
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	for i := range 2 {
		if _, err := s.Send(t.Context(), sample(s)); err != nil {
			t.Fatalf("mail %d: %v", i+1, err)
		}
	}
	if err := (<-second).Conn().Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the server has hung up", func() bool { srv.mu.Lock(); defer srv.mu.Unlock(); return srv.open == 0 })
	if _, err := s.Send(t.Context(), sample(s)); err != nil {
		t.Fatalf("mail 3: %v", err)
	}
	if all, _ := srv.Sessions(); all != 3 {
		t.Errorf("%d connections, want 3", all)
	}
}

func TestNothingIsInjected(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	tests := []struct {
		name string
		edit func(*addon.Mail)
	}{
		{"line break in the subject", func(m *addon.Mail) { m.Subject = "Hi\r\nBcc: x@evil.example" }},
		{"bare LF in the subject", func(m *addon.Mail) { m.Subject = "Hi\nBcc: x@evil.example" }},
		{"line separator in the subject", func(m *addon.Mail) { m.Subject = "Hi\u2028Bcc: x@evil.example" }},
		{"line break in the name", func(m *addon.Mail) { m.FromName = "N\r\nBcc: x@evil.example" }},
		{"two recipients", func(m *addon.Mail) { m.To = "a@example.com, b@example.com" }},
		{"a name with the recipient", func(m *addon.Mail) { m.To = "A <a@example.com>" }},
		{"line break in the recipient", func(m *addon.Mail) { m.To = "a@example.com\r\nDATA" }},
		{"angle bracket in the recipient", func(m *addon.Mail) { m.To = "a@example.com> SIZE=1" }},
		{"no recipient", func(m *addon.Mail) { m.To = "" }},
		{"line break in Reply-To", func(m *addon.Mail) { m.ReplyTo = "a@example.com\nX: y" }},
		{"line break in the Message-ID", func(m *addon.Mail) { m.MessageID = "a@b\r\nX: y" }},
		{"no subject", func(m *addon.Mail) { m.Subject = " " }},
		{"a long subject", func(m *addon.Mail) { m.Subject = strings.Repeat("é", 251) }},
		{"no text", func(m *addon.Mail) { m.Text = "" }},
		{"broken UTF-8", func(m *addon.Mail) { m.Text = "\xff" }},
		{"too large", func(m *addon.Mail) { m.HTML = strings.Repeat("x", 1<<20+1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sample(s)
			tt.edit(&m)
			if _, err := s.Send(t.Context(), m); !apperr.Is(err, apperr.Invalid) {
				t.Errorf("Send = %v, want Invalid", err)
			}
		})
	}
	if n := len(srv.Mails()); n != 0 {
		t.Errorf("%d mails went out", n)
	}
}

// TestLongSubjects: the limit counts characters, whatever the script.
func TestLongSubjects(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	m := sample(s)
	m.Subject = strings.Repeat("請求書", 83) + "。"
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	msg, err := netmail.ReadMessage(strings.NewReader(srv.Mails()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil || got != m.Subject {
		t.Errorf("Subject = %q, %v", got, err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url string
		ok  bool
	}{
		{"smtp://user:pass@mail.example.com:587", true},
		{"smtp://user:pass@mail.example.com", true},
		{"smtps://user:pass@mail.example.com", true},
		{"smtp://mail.example.com?starttls=none", true},
		{"smtp://localhost:25?starttls=opportunistic", true},
		{"smtp://[::1]:25?starttls=opportunistic", true},
		{"smtp://mail.example.com?starttls=opportunistic", false},
		{"smtp://user:hunter2@mail.example.com?starttls=none", false},
		{"smtp://user:hunter2@mail.example.com?starttls=maybe", false},
		{"smtp://user:hunter2@mail.example.com?tls=1", false},
		{"smtps://user:hunter2@mail.example.com?starttls=none", false},
		{"http://user:hunter2@mail.example.com", false},
		{"smtp://user:hunter2@mail.example.com:port", false},
		{"mail.example.com:25", false},
		{"", false},
	}
	for _, tt := range tests {
		err := mail.Config{URL: tt.url, From: "a@example.com", Key: make([]byte, 32)}.Validate()
		if (err == nil) != tt.ok {
			t.Errorf("Validate(%q) = %v", tt.url, err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	for _, cfg := range []mail.Config{
		{URL: "smtp://localhost", From: "A <a@example.com>", Key: make([]byte, 32)},
		{URL: "smtp://localhost", From: "", Key: make([]byte, 32)},
		{URL: "smtp://localhost", From: "a@example.com", Key: make([]byte, 16)},
	} {
		if cfg.Validate() == nil {
			t.Errorf("Validate(%+v) = nil", cfg)
		}
	}
}
