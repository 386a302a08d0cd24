package services_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func message(key string) sdk.Message {
	return sdk.Message{
		Key: key, To: "jo@B1.example", CustomerID: "c-b1", Kind: "invitation",
		Subject: "Welcome", Text: "Hello", HTML: "<p>Hello",
	}
}

func TestMailIsComposed(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	got, err := h.Mail.Send(t.Context(), message("k"))
	wantResult := sdk.MailResult{MessageID: "b1.k@x", AcceptedAt: time.Unix(1, 0).UTC(), Response: "250 ok"}
	if diff := cmp.Diff(wantResult, got); err != nil || diff != "" {
		t.Errorf("result %v (-want +got):\n%s", err, diff)
	}
	want := addon.Mail{
		MessageID: "b1.k@x", Sender: "b1", FromName: "Northwind", ReplyTo: "office@northwind.example", To: "jo@B1.example",
		Subject: "Welcome", Text: "Hello", HTML: "<p>Hello",
		Footer: []string{"Northwind, 1 Main St, Clearwater, FL 33755", "Sent by Billhost for Northwind."},
	}
	if diff := cmp.Diff(want, w.mailer.sent[0]); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
}

func TestNameOfTwoLinesIsSentAsOne(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.name = "Northwind\r\nBcc: all@x.example\x00"
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	if _, err := h.Mail.Send(t.Context(), message("k")); err != nil {
		t.Fatal(err)
	}
	if got, want := w.mailer.sent[0].FromName, "Northwind Bcc: all@x.example"; got != want {
		t.Errorf("name = %q, want %q", got, want)
	}
}

func TestMailRecipients(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*sdk.Message)
		code apperr.Code
	}{
		{"the customer's address", func(*sdk.Message) {}, ""},
		{"another address", func(m *sdk.Message) { m.To = "x@evil.example" }, apperr.PermissionDenied},
		{"unknown customer", func(m *sdk.Message) { m.CustomerID = "nobody" }, apperr.NotFound},
		{"confirmation of a pending address", func(m *sdk.Message) { m.CustomerID, m.Kind, m.To = "", "confirmation", "new@x.example" }, ""},
		{"security notice to a sign-in", func(m *sdk.Message) { m.CustomerID, m.Kind, m.To = "", "security", "new@x.example" }, ""},
		{"another kind to nobody's address", func(m *sdk.Message) { m.CustomerID = "" }, apperr.PermissionDenied},
		{"confirmation that names a customer", func(m *sdk.Message) { m.Kind, m.To = "confirmation", "new@x.example" }, apperr.PermissionDenied},
		{"no address", func(m *sdk.Message) { m.To = "jo" }, apperr.Invalid},
		{"no key", func(m *sdk.Message) { m.Key = "" }, apperr.Invalid},
		{"a key no database takes", func(m *sdk.Message) { m.Key = "a\x00b" }, apperr.Invalid},
		{"no kind", func(m *sdk.Message) { m.Kind = "" }, apperr.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t)
			h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all(), Public: true})
			m := message("k")
			tt.edit(&m)
			_, err := h.Mail.Send(t.Context(), m)
			wantCode(t, "Send", err, tt.code)
			if n := len(w.mailer.sent); (n == 1) != (tt.code == "") {
				t.Errorf("%d mails sent", n)
			}
		})
	}
}

func TestMailKeys(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	ctx := t.Context()
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	w.mailer.send = func(n int) error {
		if n == 1 {
			return apperr.Errorf(apperr.Unavailable, "451 later")
		}
		return nil
	}
	_, err := h.Mail.Send(ctx, message("k"))
	wantCode(t, "first try", err, apperr.Unavailable)
	first, err := h.Mail.Send(ctx, message("k"))
	if err != nil || first.Repeated {
		t.Errorf("second try = %+v, %v", first, err)
	}
	again, err := h.Mail.Send(ctx, message("k"))
	first.Repeated = true
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("repeated %v (-want +got):\n%s", err, diff)
	}
	if n := len(w.mailer.sent); n != 2 || w.mailer.sent[0].MessageID != w.mailer.sent[1].MessageID {
		t.Errorf("%d tries, want 2 with one Message-ID", n)
	}
	theirs := mustHost(t, w, services.Grant{BillerID: other, Permissions: all()})
	m := message("k")
	m.To, m.CustomerID = "jo@b2.example", "c-b2"
	if got, err := theirs.Mail.Send(ctx, m); err != nil || got.Repeated {
		t.Errorf("the other biller's key = %+v, %v", got, err)
	}
}

func TestMailRefusedForGoodIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	w.mailer.send = func(int) error {
		return apperr.Errorf(apperr.Invalid, "The mail server refused the mail: 550 no such user")
	}
	for range 2 {
		_, err := h.Mail.Send(t.Context(), message("k"))
		wantCode(t, "Send", err, apperr.Invalid)
		if got := apperr.MessageOf(err); got != "The mail server refused the mail: 550 no such user" {
			t.Errorf("message = %q", got)
		}
	}
	if n := len(w.mailer.sent); n != 1 {
		t.Errorf("%d tries, want 1", n)
	}
}

func TestMailCaps(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	for _, key := range []string{"1", "2", "3"} {
		if _, err := h.Mail.Send(t.Context(), message(key)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.Mail.Send(t.Context(), message("4"))
	wantCode(t, "over the cap", err, apperr.TooManyRequests)
}

func TestMailResultIsRecordedWithoutItsCaller(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	ctx, cancel := context.WithCancel(t.Context())
	w.mailer.send = func(int) error { cancel(); return nil }
	if _, err := h.Mail.Send(ctx, message("k")); err != nil {
		t.Fatal(err)
	}
	got, err := h.Mail.Send(t.Context(), message("k"))
	if err != nil || !got.Repeated {
		t.Errorf("Send = %+v, %v, want the first result", got, err)
	}
}

func TestMailHasOneWinner(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := h.Mail.Send(t.Context(), message("k")); err != nil && !apperr.Is(err, apperr.Unavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(w.mailer.sent); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// lossyStore forgets that a mail was accepted.
type lossyStore struct{ services.Store }

func (lossyStore) AcceptMail(context.Context, string, string, string, addon.Receipt) error {
	return errors.New("database is gone")
}

func (lossyStore) ReserveMail(_ context.Context, e addon.MailEntry, _ addon.MailCaps, _ time.Duration) (addon.MailEntry, error) {
	e.State = addon.MailReserved
	return e, nil
}

func TestMailThatCannotBeRecordedCountsAsSent(t *testing.T) {
	t.Parallel()
	m := &mailer{}
	s := services.New(services.Config{
		Platform: &platform{}, Store: lossyStore{}, Mailer: m, Log: slog.New(slog.DiscardHandler),
		PortalURL: func(sdk.Biller, string) string { return "" },
	})
	h, err := s.Addon(portal).For(t.Context(), s.IssueRequest(services.Grant{BillerID: biller, AddonID: portal, Permissions: all()}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := h.Mail.Send(t.Context(), message("k")); err != nil {
			t.Error(err)
		}
	}
	if len(m.sent) != 2 || m.sent[0].MessageID != m.sent[1].MessageID {
		t.Errorf("mails = %+v, want two with one Message-ID", m.sent)
	}
}
