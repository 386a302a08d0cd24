package services_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func notice(key string) sdk.StaffNotice {
	return sdk.StaffNotice{Key: key, Kind: "access", Ability: "staff:invite", Subject: "Somebody asks", Text: "One.\nTwo.\n", Path: "/customers/17"}
}

func people(n int) []addon.Staff {
	list := []addon.Staff{}
	for i := range n {
		list = append(list, addon.Staff{ID: fmt.Sprint(i), Name: "Dana", Email: fmt.Sprintf("s%d@northwind.example", i)})
	}
	return list
}

func jobOf(billerID string) services.Grant {
	return services.Grant{BillerID: billerID, Permissions: all()}
}

// TestNoticeIsComposed: from the platform, with the host's own link, and nothing
// of it to whoever asks.
func TestNoticeIsComposed(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.staff = people(1)
	w.platform.staff[0].Name = "Dana\r\nBcc: all@x.example"
	told, err := mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), notice("k"))
	if told != 1 || err != nil {
		t.Errorf("told %d, %v", told, err)
	}
	want := addon.Mail{
		Sender: biller, To: "s0@northwind.example", Subject: "Somebody asks",
		Text:   "Hello Dana Bcc: all@x.example,\n\nOne.\nTwo.\n\nhttps://bill.example.com/admin/addons/customer-portal/customers/17\n",
		Footer: []string{"From the add-on Customer Portal, to those who look after it at Northwind.", "Sent by Billhost."},
	}
	got := w.mailer.sent[0]
	got.MessageID = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := notice("first page")
	first.Path = ""
	if _, err := mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), first); err != nil || !strings.HasSuffix(w.mailer.sent[1].Text, "/addons/customer-portal/\n") {
		t.Errorf("%v: %s", err, w.mailer.sent[1].Text)
	}
}

// TestNoticesStayWithTheirBiller: another biller's staff hear nothing, and its keys
// are its own.
func TestNoticesStayWithTheirBiller(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.staff = people(1)
	told, err := mustHost(t, w, jobOf(other)).Staff.Notify(t.Context(), notice("k"))
	if told != 0 || err != nil || len(w.mailer.sent) != 0 {
		t.Errorf("told %d, %v", told, err)
	}
	bad := notice("k")
	bad.Text = "https://evil.example"
	_, err = mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), bad)
	wantCode(t, "a link in the text", err, apperr.Invalid)
	m := message("k")
	if _, err := mustHost(t, w, jobOf(biller)).Mail.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	told, err = mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), notice("k"))
	if told != 1 || err != nil || len(w.mailer.sent) != 2 {
		t.Errorf("beside a mail with the same key: told %d, %v", told, err)
	}
}

// TestNoticeIsFinishedLater: a second try mails only those who lack it; who is
// refused for good keeps nobody.
func TestNoticeIsFinishedLater(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.staff = people(3)
	w.mailer.send = func(n int) error {
		switch n {
		case 1:
			return apperr.Errorf(apperr.Invalid, "550 nobody here")
		case 2:
			return apperr.Errorf(apperr.Unavailable, "451 later")
		}
		return nil
	}
	h := mustHost(t, w, jobOf(biller))
	told, err := h.Staff.Notify(t.Context(), notice("k"))
	wantCode(t, "first try", err, apperr.Unavailable)
	if told != 1 || len(w.mailer.sent) != 3 {
		t.Errorf("told %d with %d mails", told, len(w.mailer.sent))
	}
	for range 2 {
		if told, err := h.Staff.Notify(t.Context(), notice("k")); told != 2 || err != nil {
			t.Errorf("told %d, %v", told, err)
		}
	}
	if n := len(w.mailer.sent); n != 4 || w.mailer.sent[3].To != "s1@northwind.example" {
		t.Errorf("%d mails", n)
	}
}

// TestNoticesAreBounded: twenty people, and the mails' caps.
func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.staff = people(30)
	w.platform.staff[0].Email = "none"
	told, err := mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), notice("k"))
	wantCode(t, "over the cap", err, apperr.TooManyRequests)
	if told != 3 || len(w.mailer.sent) != 3 {
		t.Errorf("told %d with %d mails, want the cap of an hour", told, len(w.mailer.sent))
	}
	for range 6 {
		w.now.Add(3601)
		told, _ = mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), notice("k"))
	}
	if told != 10 {
		t.Errorf("told %d, want the cap of a day", told)
	}
	for range 6 {
		w.now.Add(86401)
		told, err = mustHost(t, w, jobOf(biller)).Staff.Notify(t.Context(), notice("k"))
	}
	if told != 19 || err != nil {
		t.Errorf("told %d, %v: want twenty people but the one without an address", told, err)
	}
}

// TestNoticeHasOneWinner: sixteen at once make one mail.
func TestNoticeHasOneWinner(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.staff = people(1)
	h := mustHost(t, w, jobOf(biller))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := h.Staff.Notify(t.Context(), notice("k")); err != nil && !apperr.Is(err, apperr.Unavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(w.mailer.sent); n != 1 {
		t.Errorf("%d mails", n)
	}
}
