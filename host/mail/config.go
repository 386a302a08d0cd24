// Package mail sends mail over SMTP in the name of billers: one bounded pool
// of connections, a stable Message-ID per idempotency key, and errors that tell
// what may succeed later from what never will.
package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config says which server takes the mail and who sends it.
type Config struct {
	// URL is smtp://user:password@host:587 or smtps://user:password@host:465.
	// The query "starttls" of an smtp URL is "required" (the default),
	// "opportunistic" (loopback only, and the default there) or "none".
	URL string
	// From is MAIL_FROM: the bare address that every mail comes from. Its
	// domain is the right-hand side of each Message-ID.
	From string
	// PlatformName stands in From when a mail names nobody.
	PlatformName string
	// Key is the secret that Message-IDs are derived with, at least 32 bytes.
	Key []byte
	// Connections bounds the connections open at once; 0 means 4.
	Connections int
	// Timeout bounds one Send; 0 means 60 s. Half of it may be spent on waiting
	// for a connection.
	Timeout time.Duration
	// Log hears, at most once a minute, that the server cannot be reached, is not
	// who it should be or does not let the platform in; nil means slog.Default().
	Log *slog.Logger
	// RootCAs and the like for the server's certificate; nil means the system's.
	TLS *tls.Config
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

type startTLS int

const (
	startTLSRequired startTLS = iota
	startTLSOpportunistic
	startTLSNone
)

// server is what Config.URL says.
type server struct {
	host, port     string
	user, password string
	implicitTLS    bool
	startTLS       startTLS
}

func (s server) address() string { return net.JoinHostPort(s.host, s.port) }

// Validate reports the first thing that is wrong, without any secret.
func (c Config) Validate() error {
	if _, err := parseURL(c.URL); err != nil {
		return err
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil || from.Name != "" || from.Address != c.From {
		return errors.New("the sender must be a bare address such as portal@example.com")
	}
	if len(c.Key) < 32 {
		return errors.New("the key for Message-IDs must have 32 bytes")
	}
	return nil
}

// parseURL never quotes the URL: it holds a password.
func parseURL(raw string) (server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return server{}, errors.New("the SMTP URL must look like smtp://user:password@mail.example.com:587")
	}
	s := server{host: u.Hostname(), port: u.Port(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	query := u.Query()
	mode := query.Get("starttls")
	query.Del("starttls")
	if len(query) > 0 || strings.Trim(u.Path, "/") != "" {
		return server{}, errors.New("the SMTP URL takes one option, starttls, and no path")
	}
	switch {
	case u.Scheme == "smtps" && mode == "":
		s.implicitTLS = true
		s.port = defaultPort(s.port, "465")
		return s, nil
	case u.Scheme == "smtp":
		s.port = defaultPort(s.port, "587")
		s.startTLS, err = parseStartTLS(mode, isLoopback(s.host), s.user != "")
		return s, err
	}
	return server{}, errors.New("the SMTP URL must begin with smtp:// or smtps://, the latter without starttls")
}

func parseStartTLS(mode string, loopback, password bool) (startTLS, error) {
	switch {
	case mode == "required", mode == "" && !loopback:
		return startTLSRequired, nil
	case mode == "", mode == "opportunistic" && loopback:
		return startTLSOpportunistic, nil
	case mode == "opportunistic":
		return 0, errors.New("starttls=opportunistic is for a server on this machine; use required")
	case mode == "none" && password && !loopback:
		return 0, errors.New("starttls=none would send the password in clear; use required")
	case mode == "none":
		return startTLSNone, nil
	}
	return 0, fmt.Errorf("starttls is required, opportunistic or none, not %q", mode)
}

func defaultPort(port, otherwise string) string {
	if port == "" {
		return otherwise
	}
	return port
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
