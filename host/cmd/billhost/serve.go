package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/demo"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// grace is how long requests may go on when the program is told to end.
const grace = 10 * time.Second

type serveCommand struct {
	Dev bool `help:"On a developer's machine: plain HTTP on loopback, demonstration data, mails at /dev/mail, a printed sign-in link."`
}

// run serves until ctx ends.
func (*serveCommand) run(ctx context.Context, p *Program, c Config) error {
	s := &server{config: c, log: p.logger(c)}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	if c.Dev {
		if err := s.greet(ctx, p); err != nil {
			return err
		}
	}
	s.log.Info("listening", "address", s.listener.Addr().String(), "version", Version)
	return s.serve(ctx)
}

// server is the running platform.
type server struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	books    *ledger
	mails    mailbox
	host     addonHost
	web      *web.Server
	outbox   *jobs.Worker
	watch    watch
	closers  []func() error
}

// open opens and starts everything but the serving. What was opened is closed by
// close, also after an error.
func (s *server) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.lockData, s.listen, s.openBooks, s.openMail, s.openWeb, s.openWatch, s.openHost} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	s.listener, err = lc.Listen(ctx, "tcp", s.config.ListenAddr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use; set LISTEN_ADDR", s.config.ListenAddr)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.closers = append(s.closers, func() error {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	origin := "http://" + s.listener.Addr().String()
	if s.config.BaseURL == "" {
		s.config.BaseURL = origin
	}
	if s.config.PortalBaseURL == "" {
		s.config.PortalBaseURL = s.config.BaseURL
	}
	return nil
}

func (s *server) openBooks(ctx context.Context) (err error) {
	if s.books, err = openBooks(ctx, s.config, s.config.Dev); err != nil {
		return err
	}
	s.closers = append(s.closers, s.books.db.Close)
	if err := s.keepOrigin(); err != nil {
		return err
	}
	if err := s.keepMarket(); err != nil {
		return err
	}
	if !s.config.Dev {
		return nil
	}
	// Of several that start at once, one fills.
	return sqldb.Alone(ctx, s.books.db, func(ctx context.Context) error {
		empty, err := s.books.Empty(ctx)
		if err != nil || !empty {
			return err
		}
		_, err = demo.Fill(ctx, s.books.Store, now().UTC().Truncate(24*time.Hour))
		return err
	})
}

func (s *server) openWeb(context.Context) (err error) {
	s.web, err = web.New(web.Config{
		Store: s.books.Store, Log: s.log, Now: now, Dev: s.config.Dev,
		Secure: strings.HasPrefix(s.config.BaseURL, "https://"), TrustedProxies: s.config.proxies,
		Mails: s.mails.pages,
		Ready: func(ctx context.Context) error { return s.host.Ready(ctx) },
	})
	return err
}

func (s *server) openHost(ctx context.Context) (err error) {
	if s.host, err = newHost(ctx, s); err != nil {
		return err
	}
	s.closers = append(s.closers, s.host.Close)
	s.web.Attach(s.host)
	staff, err := s.openStaffMail()
	if err != nil {
		return err
	}
	if s.outbox, err = newOutbox(s.books.db, s.books.Store, s.host, staff, s.log); err != nil {
		return err
	}
	return s.countBooks()
}

// close closes what was opened, the last first.
func (s *server) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil {
			s.log.Error("closing failed", "error", err.Error())
		}
	}
}

// greet prints where to go, in two lines that people and scripts wait for.
func (s *server) greet(ctx context.Context, p *Program) error {
	link, err := s.devLink(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "Listening on http://%s\nSign in: %s%s\n", s.listener.Addr(), s.config.BaseURL, link)
	return err
}

// devLink is a one-time link for the demonstration's owner; the page that
// explains links if there is none.
func (s *server) devLink(ctx context.Context) (string, error) {
	biller, err := s.books.BillerBySlug(ctx, "northwind")
	var owner books.Staff
	if err == nil {
		owner, err = s.books.FirstOwner(ctx, biller.ID)
	}
	if apperr.Is(err, apperr.NotFound) {
		return "/sign-in", nil
	}
	if err != nil {
		return "", err
	}
	token, err := s.books.NewStaffLink(ctx, biller.ID, owner.ID)
	return "/sign-in/" + token, err
}

// serve runs until ctx ends or a part fails: requests first come to an end, then
// add-ons and the outbox.
func (s *server) serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, inner := errgroup.WithContext(base)
	group.Go(func() error { return ended(inner, "add-ons", s.host.Run(inner)) })
	group.Go(func() error { return ended(inner, "outbox", s.outbox.Run(s.traced(inner))) })
	group.Go(func() error { return ended(inner, "metrics", s.serveMetrics(inner)) })
	group.Go(func() error {
		err := s.listenAndServe(srv)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-inner.Done():
		}
		defer stop()
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := srv.Shutdown(wait); err != nil {
			s.log.Warn("requests were cut off", "error", err.Error())
			return srv.Close()
		}
		return nil
	})
	return group.Wait()
}

// handler answers on both origins.
func (s *server) handler() http.Handler {
	https := strings.HasPrefix(s.config.BaseURL, "https://")
	return pages.Strict(https, s.host.Observe(noIcon(splitOrigins(s.config, s.web.Handler(s.host.Handler())))))
}

// noIcon answers browsers that ask for an icon which no page names.
func noIcon(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.Header().Set("Cache-Control", "public, max-age=86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) listenAndServe(srv *http.Server) error {
	if s.config.TLSCertFile != "" {
		srv.TLSConfig = strictTLS()
		return srv.ServeTLS(s.listener, s.config.TLSCertFile, s.config.TLSKeyFile)
	}
	return srv.Serve(s.listener)
}

// strictTLS is TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only.
func strictTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}}
}

// ended tells the end of a part that was told to end from one that failed.
func ended(ctx context.Context, part string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("ended by itself")
	}
	return fmt.Errorf("%s: %w", part, err)
}
