package mail_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// place is where a conversation with the mail server goes wrong.
type place string

const (
	inGreeting place = "in the greeting"
	atSender   place = "after MAIL FROM"
	afterDATA  place = "after DATA"
	inMail     place = "in the mail"
	afterDot   place = "after the final dot"
)

// badLine stands before a mail server and spoils conversations.
type badLine struct {
	Addr string
	// left is how many conversations will still be spoilt; hit how many were.
	left, hit atomic.Int64
	where     place
	cut       bool // hang up; otherwise say nothing more
}

func mustBadLine(tb testing.TB, to string, where place, cut bool) *badLine {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &badLine{Addr: l.Addr().String(), where: where, cut: cut}
	var mu sync.Mutex
	open := []io.Closer{l}
	tb.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, server)
			mu.Unlock()
			go b.carry(client, server)
		}
	}()
	return b
}

// carry passes lines on until it comes to the place. What the server answers
// after the final dot does not reach the client, but the server has the mail.
func (b *badLine) carry(client, server net.Conn) {
	spoilt := b.left.Add(-1) >= 0
	var muted atomic.Bool
	spoil := func() {
		b.hit.Add(1)
		if b.cut {
			client.Close()
			server.Close()
		}
	}
	if spoilt && b.where == inGreeting {
		spoil()
		return
	}
	go func() {
		for lines := bufio.NewReader(server); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				client.Close()
				return
			}
			if muted.Load() {
				spoil()
				return
			}
			io.WriteString(client, line)
		}
	}()
	data, lines := -1, bufio.NewReader(client)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			server.Close()
			return
		}
		word := strings.TrimSpace(line)
		switch {
		case data >= 0:
			data++
		case word == "DATA":
			data = 0
		}
		switch {
		case !spoilt:
		case b.where == inMail && data == 3:
			spoil()
			return
		case b.where == atSender && strings.HasPrefix(word, "MAIL FROM"), b.where == afterDATA && data == 0, b.where == afterDot && data > 0 && word == ".":
			muted.Store(true)
		}
		io.WriteString(server, line)
	}
}

// TestBadLines spoils the first conversation at each place: the mail is not lost,
// and if the server had it already, both have one Message-ID.
func TestBadLines(t *testing.T) {
	t.Parallel()
	for _, where := range []place{inGreeting, atSender, afterDATA, inMail, afterDot} {
		for _, cut := range []bool{false, true} {
			name := "silence "
			if cut {
				name = "cut "
			}
			t.Run(name+string(where), func(t *testing.T) {
				t.Parallel()
				srv := MustServe(t, serverOptions{})
				line := mustBadLine(t, srv.Addr, where, cut)
				line.left.Store(1)
				cfg := mail.Config{URL: "smtp://" + line.Addr, Timeout: time.Second, Log: slog.New(slog.DiscardHandler)}
				if cut {
					cfg.Timeout = 0 // it has to notice by itself
				}
				s := MustSender(t, cfg)
				start := time.Now()
				_, err := s.Send(t.Context(), sample(s))
				if !apperr.Is(err, apperr.Unavailable) || apperr.MessageOf(err) != "The mail server cannot be reached." {
					t.Fatalf("Send = %v, want Unavailable", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				if line.hit.Load() != 1 {
					t.Fatal("the conversation was not spoilt")
				}
				s = MustSender(t, mail.Config{URL: "smtp://" + line.Addr})
				if _, err := s.Send(t.Context(), sample(s)); err != nil {
					t.Fatalf("the second try: %v", err)
				}
				want := 1
				if where == afterDot {
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
