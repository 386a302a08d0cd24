// Package services answers what add-ons ask of the platform. A token says for
// whom: it stands for one biller, one viewer and the permissions the biller
// agreed to, so an add-on has no way to name another biller.
package services

import (
	"context"
	"log/slog"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Platform is the part of host.Platform that add-ons reach.
type Platform interface {
	Customer(ctx context.Context, biller, id string) (sdk.Customer, error)
	CustomersByEmail(ctx context.Context, biller, email string) ([]sdk.Customer, error)
	ListCustomers(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error)
	Invoice(ctx context.Context, biller, id string) (sdk.Invoice, error)
	ListInvoices(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error)
	Biller(ctx context.Context, biller string) (sdk.Biller, error)
	StaffWith(ctx context.Context, biller, ability string) ([]addon.Staff, error)
	RecordAudit(ctx context.Context, biller string, r addon.AuditRecord) error
}

// Store remembers mails by idempotency key; host/store says what each does.
type Store interface {
	ReserveMail(ctx context.Context, e addon.MailEntry, caps addon.MailCaps, lease time.Duration) (addon.MailEntry, error)
	RenewMail(ctx context.Context, e addon.MailEntry, lease time.Duration) error
	AcceptMail(ctx context.Context, biller, addonID, key string, r addon.Receipt) error
	FailMail(ctx context.Context, e addon.MailEntry, response string) error
	ReleaseMail(ctx context.Context, e addon.MailEntry, response string) error
}

// Mailer hands mails to a mail server. Send is not cancelled by its caller and
// ends by a time-out of its own: Invalid for a refusal for good, Unavailable for what
// may succeed later.
type Mailer interface {
	Send(ctx context.Context, m addon.Mail) (addon.Receipt, error)
	MessageID(biller, addonID, key string) string
}

// Meter counts the mails of add-ons.
type Meter interface {
	// Mail hears of a mail that is handed to the mailer; the result, whether it was
	// "sent", "failed" for good or "deferred".
	Mail(addonID string) (end func(outcome string))
}

// noMeter hears nothing.
type noMeter struct{}

// Mail implements Meter.
func (noMeter) Mail(string) func(string) { return func(string) {} }

// Config is what the services are made of; all fields are required, but Now,
// Caps, Rate and Meter.
type Config struct {
	Platform Platform
	Store    Store
	Mailer   Mailer
	// PortalURL returns where the public pages of a biller begin for an add-on,
	// without a trailing slash; "" if the add-on has none.
	PortalURL func(b sdk.Biller, addonID string) string
	// StaffURL returns where the staff pages of an add-on begin, without a trailing
	// slash, and the add-on's name.
	StaffURL func(addonID string) (url, name string)
	// PlatformName stands in the footer of mails.
	PlatformName string
	// Key is the secret that recipients are hashed with, at least 32 bytes.
	Key []byte
	// Caps bound the mails of one installation; zero means 1,000 an hour and
	// 5,000 a day.
	Caps addon.MailCaps
	// Rate bounds the calls of one installation; zero fields have defaults.
	Rate Rate
	// Meter hears of each mail; nil hears nothing.
	Meter Meter
	Log   *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Services answers host calls and keeps the tokens they are made with. It is
// safe for concurrent use.
type Services struct {
	cfg    Config
	tokens *registry
	meter  *meter
	// refusals are listed in the log.
	refusals *refusal.Log
}

// New returns services without any token.
func New(cfg Config) *Services {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Meter == nil {
		cfg.Meter = noMeter{}
	}
	if cfg.Caps == (addon.MailCaps{}) {
		cfg.Caps = addon.MailCaps{Hour: 1000, Day: 5000}
	}
	return &Services{
		cfg: cfg, tokens: newRegistry(cfg.Now), meter: newMeter(cfg.Rate.withDefaults(), cfg.Now), refusals: refusal.New(cfg.Log, cfg.Now),
	}
}

// Addon returns the services as one add-on's process reaches them: a token of
// another add-on is worth nothing there. It implements wire.Services.
func (s *Services) Addon(id string) *AddonServices { return &AddonServices{services: s, id: id} }

// AddonServices resolves the tokens that one add-on presents.
type AddonServices struct {
	services *Services
	id       string
}

// For returns the platform with the rights that the token has now: ask again for
// each call. Unauthenticated for a
// token that is unknown, has ended or was issued to another add-on.
func (a *AddonServices) For(ctx context.Context, token string) (sdk.Host, error) {
	g, ok := a.services.tokens.find(token)
	if !ok || g.AddonID != a.id {
		a.services.refusals.Refused(ctx, refusal.Token, "addon", a.id)
		return sdk.Host{}, apperr.Errorf(apperr.Unauthenticated, "This call's token is unknown or has expired.")
	}
	b := bound{Services: a.services, grant: g}
	return sdk.Host{
		Customers: customers{b},
		Invoices:  invoices{b},
		Mail:      mails{b},
		Billers:   billers{b},
		Staff:     staff{b},
		Audit:     audit{b},
	}, nil
}

// CallOf implements wire.CallFinder: the biller and the request of a token.
func (a *AddonServices) CallOf(token string) sdk.Call {
	g, ok := a.services.tokens.find(token)
	if !ok || g.AddonID != a.id {
		return sdk.Call{}
	}
	return sdk.Call{BillerID: g.BillerID, RequestID: g.RequestID}
}

// bound is the services with the rights of one token.
type bound struct {
	*Services
	grant Grant
}
