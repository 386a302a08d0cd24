package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/textproto"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Sender sends mail. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	server server
	pool   *pool

	mu   sync.Mutex
	told map[string]time.Time // when the log told last that a step fails
}

// New checks the configuration. It does not connect: a mail server that is down
// must not keep the platform from starting.
func New(cfg Config) (*Sender, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	srv, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Connections == 0 {
		cfg.Connections = 4
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 60 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Sender{cfg: cfg, server: srv, told: map[string]time.Time{}}
	s.pool = newPool(cfg.Connections, min(5*time.Second, cfg.Timeout/4), func(ctx context.Context) (*conn, error) {
		return dial(ctx, srv, cfg.TLS)
	})
	return s, nil
}

// Close hangs up the idle connections; mails under way finish.
func (s *Sender) Close() error {
	s.pool.close()
	return nil
}

// Send returns after the server accepted the mail. It is not cancelled with
// ctx, only by its own timeout: once begun, a mail is sent or known not to be.
//
// Errors: Invalid for a mail that no server would take and for a permanent
// refusal, with the server's words for staff; Unavailable for everything that
// may succeed later, no connection included.
func (s *Sender) Send(ctx context.Context, m addon.Mail) (addon.Receipt, error) {
	if err := check(m); err != nil {
		return addon.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return addon.Receipt{}, apperr.Wrap(apperr.Unavailable, "The mail was not sent: the caller gave up.", err)
	}
	raw, err := s.render(m, s.cfg.Now())
	if err != nil {
		return addon.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	response, err := s.deliver(ctx, m, raw)
	if err != nil {
		s.log(ctx, err)
		return addon.Receipt{}, codedError(err)
	}
	return addon.Receipt{AcceptedAt: s.cfg.Now().UTC().Truncate(time.Microsecond), Response: plain(response)}, nil
}

// deliver tries a kept connection first. When that turns out dead before any
// mail was handed over, it tries once more on a new one.
func (s *Sender) deliver(ctx context.Context, m addon.Mail, raw []byte) (string, error) {
	response, again, err := s.deliverOnce(ctx, m, raw, false)
	if err != nil && again {
		response, _, err = s.deliverOnce(ctx, m, raw, true)
	}
	return response, err
}

func (s *Sender) deliverOnce(ctx context.Context, m addon.Mail, raw []byte, fresh bool) (string, bool, error) {
	c, err := s.pool.get(ctx, m.Sender, fresh)
	if err != nil {
		return "", false, err
	}
	response, nothingSent, err := c.deliver(ctx, s.cfg.From, m.To, raw)
	if err == nil {
		s.pool.put(c)
		return response, false, nil
	}
	s.pool.drop(c)
	reply, answered := errors.AsType[*textproto.Error](err)
	gone := !answered || reply.Code == 421
	return "", nothingSent && c.reused && gone, err
}

// tellEvery is how often the log repeats that a step fails.
const tellEvery = time.Minute

// log tells operators that the server cannot be used, with the cause, which
// callers and other processes do not get: a certificate that is not its own, a
// password that it does not take. What it says of single mails is theirs.
func (s *Sender) log(ctx context.Context, err error) {
	step, ok := errors.AsType[*stepError](err)
	if !ok || step.step != stepConnect && step.step != stepTLS && step.step != stepAuth {
		return
	}
	s.mu.Lock()
	now := time.Now()
	repeated := now.Sub(s.told[step.step]) < tellEvery
	if !repeated {
		s.told[step.step] = now
	}
	s.mu.Unlock()
	if !repeated {
		s.cfg.Log.ErrorContext(ctx, "mail server cannot be used", "server", s.server.address(), "step", step.step, "error", plain(step.err.Error()))
	}
}

// codedError judges a failure: what the server refused for good is Invalid,
// the rest may be tried again.
func codedError(err error) error {
	reply, answered := errors.AsType[*textproto.Error](err)
	step, _ := errors.AsType[*stepError](err)
	switch {
	case step != nil && step.step == stepWait:
		return apperr.Wrap(apperr.Unavailable, "The mail server is busy with other mails.", err)
	case step != nil && step.step == stepTLS && !answered:
		return apperr.Wrap(apperr.Unavailable, "The connection to the mail server is not secure.", err)
	case !answered:
		return apperr.Wrap(apperr.Unavailable, "The mail server cannot be reached.", err)
	case step != nil && (step.step == stepConnect || step.step == stepTLS || step.step == stepAuth) || reply.Code == 530:
		return apperr.Wrap(apperr.Unavailable, "The mail server does not let the platform in.", err)
	case reply.Code >= 500 && step != nil && notWelcome(step.step, reply):
		// No fault of this mail, which goes out once the operator has mended that.
		return apperr.Wrap(apperr.Unavailable, fmt.Sprintf("The mail server does not take the platform's mail: %s", said(reply)), err)
	case reply.Code >= 500:
		return apperr.Wrap(apperr.Invalid, fmt.Sprintf("The mail server refused the mail: %s", said(reply)), err)
	}
	return apperr.Wrap(apperr.Unavailable, fmt.Sprintf("The mail server asked to try later: %s", said(reply)), err)
}

// notWelcome tells whether the server refuses the platform rather than this
// mail: its sender address, or that it relays for it (RFC 3463, X.7.n).
func notWelcome(step string, reply *textproto.Error) bool {
	return step == stepSender || step == stepTo && strings.HasPrefix(reply.Msg, "5.7.")
}

// said is the server's answer as one short line for staff.
func said(e *textproto.Error) string { return plain(fmt.Sprintf("%d %s", e.Code, e.Msg)) }

// plain makes a server's words safe for a table cell and a log line.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
