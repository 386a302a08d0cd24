package mail_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// smtpServer is a real SMTP server in the process. The hooks, when set, decide
// its answers.
type smtpServer struct {
	Addr string
	TLS  *tls.Config // for the client

	OnMail func(n int) error
	OnRcpt func(to string) error
	OnData func(c *smtp.Conn, n int, raw string) error

	mu       sync.Mutex
	mails    []string
	tries    int
	sessions int
	open     int
	maxOpen  int
}

type serverOptions struct {
	starttls bool
	user     string
	password string
	implicit bool
}

// MustServe starts the server on a free loopback port.
func MustServe(tb testing.TB, o serverOptions) *smtpServer {
	tb.Helper()
	s := &smtpServer{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.Addr = l.Addr().String()
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions++
		s.open++
		s.maxOpen = max(s.maxOpen, s.open)
		return &session{server: s, conn: c, options: o, signedIn: o.user == ""}, nil
	}))
	srv.Domain = "mx.example.com"
	srv.ErrorLog = nopLogger{}
	if o.starttls || o.implicit {
		certs := httptest.NewTLSServer(nil)
		defer certs.Close()
		srv.TLSConfig = &tls.Config{Certificates: certs.TLS.Certificates}
		roots := certs.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		s.TLS = &tls.Config{RootCAs: roots}
		if o.implicit {
			l = tls.NewListener(l, srv.TLSConfig)
		}
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	tb.Cleanup(func() {
		l.Close() // Serve may not have begun: srv.Close alone would miss it
		srv.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("smtp server: %v", err)
		}
	})
	return s
}

func (s *smtpServer) Mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *smtpServer) Sessions() (all, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions, s.maxOpen
}

type session struct {
	server   *smtpServer
	conn     *smtp.Conn
	options  serverOptions
	signedIn bool
}

func (s *session) AuthMechanisms() []string {
	if s.options.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.options.user || password != s.options.password {
			return smtp.ErrAuthFailed
		}
		s.signedIn = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.signedIn {
		return smtp.ErrAuthRequired
	}
	s.server.mu.Lock()
	s.server.tries++
	n := s.server.tries
	s.server.mu.Unlock()
	if s.server.OnMail != nil {
		return s.server.OnMail(n)
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.OnRcpt != nil {
		return s.server.OnRcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	n := s.server.tries
	s.server.mu.Unlock()
	if s.server.OnData != nil {
		if err := s.server.OnData(s.conn, n, string(raw)); err != nil {
			return err
		}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, string(raw))
	return nil
}

func (s *session) Reset() {}

func (s *session) Logout() error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.open--
	return nil
}

type nopLogger struct{}

func (nopLogger) Printf(string, ...any) {}
func (nopLogger) Println(...any)        {}

// until waits for a condition that another goroutine brings about.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
