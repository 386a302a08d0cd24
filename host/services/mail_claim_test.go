package services_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
)

// claims counts how often a claim is renewed.
type claims struct {
	lossyStore
	renewed int
	longest time.Duration
}

func (c *claims) RenewMail(_ context.Context, e addon.MailEntry, lease time.Duration) error {
	if e.BillerID == biller && e.AddonID == portal && e.Key == "k" {
		c.renewed++
		c.longest = max(c.longest, lease)
	}
	return nil
}

func (c *claims) AcceptMail(context.Context, string, string, string, addon.Receipt) error { return nil }

// TestSlowMailKeepsItsClaim has a mail server that takes a minute: nobody else may
// send the mail meanwhile, and the claim ends soon after a host that dies.
func TestSlowMailKeepsItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &claims{}
		m := &mailer{send: func(int) error { time.Sleep(time.Minute); return nil }}
		s := services.New(services.Config{
			Platform: &platform{}, Store: store, Mailer: m, Log: slog.New(slog.DiscardHandler),
			PortalURL: func(sdk.Biller, string) string { return "" },
		})
		h, err := s.Addon(portal).For(t.Context(), s.IssueRequest(services.Grant{BillerID: biller, AddonID: portal, Permissions: all()}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Mail.Send(t.Context(), message("k")); err != nil {
			t.Fatal(err)
		}
		if store.longest > 30*time.Second || time.Duration(store.renewed+1)*store.longest/2 < time.Minute {
			t.Errorf("renewed %d times for %s each", store.renewed, store.longest)
		}
		time.Sleep(time.Hour)
		if store.renewed > 12 {
			t.Errorf("renewed %d times: it goes on after the mail", store.renewed)
		}
	})
}
