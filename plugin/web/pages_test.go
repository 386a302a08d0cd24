package web_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/web"
)

func MustTexts(tb testing.TB) *catalogue.Catalogue {
	tb.Helper()
	texts, err := catalogue.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return texts
}

func TestNewChecksTemplates(t *testing.T) {
	t.Parallel()
	config := web.Config{Service: &portal.Service{}, Texts: MustTexts(t), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	if _, err := web.New(config); err != nil {
		t.Fatal(err)
	}
	config.Service = nil
	if _, err := web.New(config); err == nil {
		t.Error("no error without a service")
	}
}
