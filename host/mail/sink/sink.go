// Package sink is a mail server for development: it takes every mail over real
// SMTP on this machine, keeps the last ones in memory and shows them as pages.
// Nothing leaves the machine.
package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	// kept is how many mails are kept.
	kept    = 500
	maxSize = 10 << 20
)

// Sink is a running mail server. It is safe for concurrent use.
type Sink struct {
	server   *smtp.Server
	listener net.Listener

	mu      sync.Mutex
	last    int
	mails   []Mail
	arrived chan struct{} // closed and replaced with each mail
}

// Open starts the server on a free loopback port.
func Open() (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	s := &Sink{arrived: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{sink: s}, nil
	}))
	s.server.Domain = "localhost"
	s.server.MaxMessageBytes = maxSize
	s.server.EnableSMTPUTF8 = true
	s.server.ReadTimeout, s.server.WriteTimeout = 5*time.Minute, time.Minute
	s.server.ErrorLog = silent{}
	s.listener = l
	go func() {
		// It ends with Close; what else could end it shows in the first mail.
		_ = s.server.Serve(l)
	}()
	return s, nil
}

// URL is what SMTP_URL has to be for mails to come here.
func (s *Sink) URL() string { return "smtp://" + s.listener.Addr().String() }

// Close stops the server. The mails stay readable.
func (s *Sink) Close() error {
	// The server closes the listener too, unless it has not begun to serve.
	for _, err := range []error{s.listener.Close(), s.server.Close()} {
		if err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("close mail server: %w", err)
		}
	}
	return nil
}

// Mails returns the mails that came, newest first.
func (s *Sink) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.mails)
	slices.Reverse(list)
	return list
}

// Mail returns one mail by its number.
func (s *Sink) Mail(id int) (Mail, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mails {
		if m.ID == id {
			return m, true
		}
	}
	return Mail{}, false
}

// Await returns the oldest kept mail for which ok is true, as soon as there is
// one, or the error of ctx.
func (s *Sink) Await(ctx context.Context, ok func(Mail) bool) (Mail, error) {
	for {
		s.mu.Lock()
		mails, arrived := slices.Clone(s.mails), s.arrived
		s.mu.Unlock()
		if i := slices.IndexFunc(mails, ok); i >= 0 {
			return mails[i], nil
		}
		select {
		case <-ctx.Done():
			return Mail{}, ctx.Err()
		case <-arrived:
		}
	}
}

func (s *Sink) add(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	m.ID = s.last
	s.mails = append(s.mails, m)
	if len(s.mails) > kept {
		s.mails = slices.Delete(s.mails, 0, len(s.mails)-kept)
	}
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// session is one connection's conversation.
type session struct {
	sink *Sink
	from string
	to   []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from, s.to = from, nil
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "this is no mail: " + err.Error()}
	}
	m.At, m.EnvelopeFrom, m.EnvelopeTo = time.Now(), s.from, slices.Clone(s.to)
	s.sink.add(m)
	return nil
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// silent drops what go-smtp says about broken connections.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
