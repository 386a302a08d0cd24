package mail_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/host/mail/badline"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestBadLines spoils the first conversation at each place: the mail is not lost,
// and if the server had it already, both have one Message-ID.
func TestBadLines(t *testing.T) {
	t.Parallel()
	for _, where := range []badline.Place{badline.Greeting, badline.AtSender, badline.AfterData, badline.InMail, badline.AfterDot} {
		for _, cut := range []bool{false, true} {
			name := "silence "
			if cut {
				name = "cut "
			}
			t.Run(name+string(where), func(t *testing.T) {
				t.Parallel()
				srv := MustServe(t, serverOptions{})
				line := badline.Must(t, srv.Addr)
				line.Spoil(1, where, cut)
				cfg := mail.Config{URL: "smtp://" + line.Addr, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
				if cut {
					cfg.Timeout = 0 // it has to notice by itself
				}
				s := MustSender(t, cfg)
				start := time.Now()
				_, err := s.Send(t.Context(), sample(s))
				if !apperr.Is(err, apperr.Unavailable) || apperr.MessageOf(err) != "The mail server cannot be reached." {
					t.Fatalf("Send = %v, want Unavailable", err)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %s", took)
				}
				if line.Hit() != 1 {
					t.Fatal("the conversation was not spoilt")
				}
				s = MustSender(t, mail.Config{URL: "smtp://" + line.Addr})
				if _, err := s.Send(t.Context(), sample(s)); err != nil {
					t.Fatalf("the second try: %v", err)
				}
				want := 1
				if where == badline.AfterDot {
					want = 2
				}
				wantMails(t, srv, want, sample(s).MessageID)
			})
		}
	}
}

// wantMails checks how many mails the server has, all of them whole.
func wantMails(t *testing.T, srv *smtpServer, want int, messageID string) {
	t.Helper()
	mails := srv.Mails()
	if len(mails) != want {
		t.Errorf("the server has %d mails, want %d", len(mails), want)
	}
	for _, raw := range mails {
		m, err := netmail.ReadMessage(strings.NewReader(raw))
		if err != nil || m.Header.Get("Message-Id") != "<"+messageID+">" || !strings.Contains(raw, "Sent by Billhost") {
			t.Errorf("a mail is not whole, or has another id: %v\n%s", err, raw)
		}
	}
}

// TestServerThatCannotBeUsedIsLogged: operators read why, once a minute, and
// nobody reads the password.
func TestServerThatCannotBeUsedIsLogged(t *testing.T) {
	t.Parallel()
	secure := MustServe(t, serverOptions{starttls: true, user: "u", password: "p"})
	implicit := MustServe(t, serverOptions{implicit: true, user: "u", password: "p"})
	clear := MustServe(t, serverOptions{})
	notItsName := secure.TLS.Clone()
	notItsName.ServerName = "mail.example.org"
	oldTLS := secure.TLS.Clone()
	oldTLS.MaxVersion = tls.VersionTLS10
	t.Cleanup(func() {
		if len(clear.Mails())+len(secure.Mails())+len(implicit.Mails()) != 0 {
			t.Error("a mail went out over a line that is not secure")
		}
	})
	const insecure = "The connection to the mail server is not secure."
	tests := []struct {
		name          string
		cfg           mail.Config
		message, want string
	}{
		{"unknown certificate", mail.Config{URL: "smtp://u:hunter2@" + secure.Addr}, insecure, `step="start TLS" error="tls: failed to verify certificate`},
		{"unknown certificate, smtps", mail.Config{URL: "smtps://u:hunter2@" + implicit.Addr}, insecure, `step="start TLS" error="tls: failed to verify certificate`},
		{"another's certificate", mail.Config{URL: "smtp://u:hunter2@" + secure.Addr, TLS: notItsName}, insecure, `step="start TLS" error="tls: failed to verify certificate`},
		{"no common version", mail.Config{URL: "smtp://u:hunter2@" + secure.Addr, TLS: oldTLS}, insecure, `step="start TLS" error="tls: `},
		{"not offered", mail.Config{URL: "smtp://" + clear.Addr + "?starttls=required"}, insecure, `step="start TLS" error="the server does not offer STARTTLS"`},
		{"no TLS where it is implicit", mail.Config{URL: "smtps://u:hunter2@" + clear.Addr}, insecure, `step="start TLS" error="tls: `},
		{"wrong password", mail.Config{URL: "smtp://u:hunter2@" + secure.Addr, TLS: secure.TLS}, "The mail server does not let the platform in.", `step=authenticate error="535 `},
		{"nobody there", mail.Config{URL: "smtp://u:hunter2@127.0.0.1:1"}, "The mail server cannot be reached.", `step=connect error="dial tcp 127.0.0.1:1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log lines
			tt.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			s := MustSender(t, tt.cfg)
			for range 3 {
				_, err := s.Send(t.Context(), sample(s))
				if !apperr.Is(err, apperr.Unavailable) || apperr.MessageOf(err) != tt.message {
					t.Fatalf("Send = %v, want %q", err, tt.message)
				}
			}
			text := log.String()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=ERROR msg=\"mail server cannot be used\"") || !strings.Contains(text, tt.want) {
				t.Errorf("the log says, want one line with %s:\n%s", tt.want, text)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("the log tells the password:\n%s", text)
			}
		})
	}
}

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
