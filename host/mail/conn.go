package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// conn is one greeted, encrypted and authenticated connection.
type conn struct {
	net    net.Conn
	client *smtp.Client
	reused bool
	// sender is whose mail it takes.
	sender string
	expiry *time.Timer
}

// stepError says at which step of the dialogue a server or the network failed.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// Steps of the dialogue that errors are judged by.
const (
	stepWait    = "wait for a connection"
	stepConnect = "connect"
	stepTLS     = "start TLS"
	stepAuth    = "authenticate"
	stepSender  = "name the sender"
	stepTo      = "name the recipient"
	stepData    = "send the mail"
)

// dial opens a connection and brings it to where mail may be sent.
func dial(ctx context.Context, s server, base *tls.Config) (*conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		cfg = base.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = s.host
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, &stepError{stepConnect, err}
	}
	if err := setDeadline(ctx, raw); err != nil {
		return nil, errors.Join(&stepError{stepConnect, err}, raw.Close())
	}
	if s.implicitTLS {
		secured := tls.Client(raw, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(&stepError{stepTLS, err}, raw.Close())
		}
		raw = secured
	}
	c := &conn{net: raw}
	if err := c.greet(s, cfg); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) greet(s server, cfg *tls.Config) error {
	client, err := smtp.NewClient(c.net, s.host)
	if err != nil {
		return &stepError{stepConnect, err}
	}
	c.client = client
	if err := client.Hello(helloName()); err != nil {
		return &stepError{stepConnect, err}
	}
	if err := c.encrypt(s, cfg); err != nil {
		return &stepError{stepTLS, err}
	}
	if s.user == "" {
		return nil
	}
	auth, err := c.mechanism(s)
	if err == nil {
		err = client.Auth(auth)
	}
	if err != nil {
		return &stepError{stepAuth, err}
	}
	return nil
}

func (c *conn) encrypt(s server, cfg *tls.Config) error {
	if s.implicitTLS || s.startTLS == startTLSNone {
		return nil
	}
	offered, _ := c.client.Extension("STARTTLS")
	if !offered && s.startTLS == startTLSOpportunistic {
		return nil
	}
	if !offered {
		return errors.New("the server does not offer STARTTLS")
	}
	return c.client.StartTLS(cfg)
}

// mechanism picks the best that the server offers. Passwords go in clear only
// inside TLS or to this machine.
func (c *conn) mechanism(s server) (smtp.Auth, error) {
	_, offered := c.client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	has := func(name string) bool {
		for _, m := range mechanisms {
			if m == name {
				return true
			}
		}
		return false
	}
	switch {
	case has("SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(s.user, s.password), nil
	case has("PLAIN"):
		return smtp.PlainAuth("", s.user, s.password, s.host, isLoopback(s.host)), nil
	case has("LOGIN"):
		return smtp.LoginAuth(s.user, s.password, s.host, isLoopback(s.host)), nil
	}
	return nil, fmt.Errorf("the server offers no usable sign-in (offered: %q)", offered)
}

// deliver hands one rendered mail to the server and returns its last line.
// nothingSent tells a caller that a second try cannot make a duplicate.
func (c *conn) deliver(ctx context.Context, from, to string, raw []byte) (response string, nothingSent bool, err error) {
	if err := setDeadline(ctx, c.net); err != nil {
		return "", true, &stepError{stepConnect, err}
	}
	c.client.SkipSMTPUTF8(isASCII(to) && isASCII(from))
	if err := c.client.Mail("<" + from + ">"); err != nil {
		return "", true, &stepError{stepSender, err}
	}
	if err := c.client.Rcpt("<" + to + ">"); err != nil {
		return "", true, &stepError{stepTo, err}
	}
	w, err := c.client.Data()
	if err != nil {
		return "", true, &stepError{stepData, err}
	}
	if _, err := w.Write(raw); err != nil {
		return "", false, &stepError{stepData, err}
	}
	if err := w.Close(); err != nil {
		return "", false, &stepError{stepData, err}
	}
	if d, ok := w.(*smtp.DataCloser); ok {
		response = "250 " + strings.ReplaceAll(d.ServerResponse(), "\n", " ")
	}
	return response, false, nil
}

// alive asks the server whether a kept connection still works. A network that
// lost it silently must not use up the time of the mail.
func (c *conn) alive(patience time.Duration) bool {
	return c.net.SetDeadline(time.Now().Add(patience)) == nil && c.client.Noop() == nil
}

// quit says goodbye, without waiting long for the answer.
func (c *conn) quit() {
	if c.net.SetDeadline(time.Now().Add(time.Second)) == nil && c.client.Quit() == nil {
		return
	}
	c.close()
}

// close hangs up. The error is of no use: the connection is given up.
func (c *conn) close() { _ = c.net.Close() }

func setDeadline(ctx context.Context, c net.Conn) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return errors.New("no deadline")
	}
	return c.SetDeadline(deadline)
}

// helloName is this machine's name where it looks like one in DNS.
func helloName() string {
	name, err := os.Hostname()
	if err != nil || !strings.Contains(name, ".") || !isASCII(name) {
		return "localhost"
	}
	return name
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
