package mail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/mail"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// fakeMails answers as the portal does; unset fields do nothing.
type fakeMails struct {
	mail   func(portal.MailRef) (portal.Mail, error)
	sent   []portal.MailRef
	failed []string
}

func (f *fakeMails) MailFor(_ context.Context, _ portal.Caller, ref portal.MailRef) (portal.Mail, error) {
	return f.mail(ref)
}

func (f *fakeMails) MailSent(_ context.Context, _ portal.Caller, ref portal.MailRef) error {
	f.sent = append(f.sent, ref)
	return nil
}

func (f *fakeMails) MailFailed(_ context.Context, c portal.Caller, _ portal.MailRef, reason string) error {
	f.failed = append(f.failed, c.BillerID+": "+reason)
	return nil
}

// fakeHost has one biller and takes every mail, or answers err.
type fakeHost struct {
	off  bool
	err  error
	sent []sdk.Message
}

func (h *fakeHost) As(ctx context.Context, biller string) (context.Context, error) {
	if h.off {
		return nil, apperr.Errorf(apperr.NotFound, "not enabled")
	}
	return sdk.WithCall(ctx, sdk.Call{BillerID: biller, PortalURL: "https://pay.example.com/portal/northwind"}), nil
}

func (h *fakeHost) Biller(context.Context) (sdk.Biller, error) { return northwind(), nil }

func (h *fakeHost) Enabled() []string { return nil }

func (h *fakeHost) Permit(context.Context, string, string) (string, error) { return "", nil }

func (h *fakeHost) Send(_ context.Context, m sdk.Message) (sdk.MailResult, error) {
	h.sent = append(h.sent, m)
	return sdk.MailResult{}, h.err
}

const payload = `{"kind":"invitation","id":"i1","generation":2}`

func invitationMail(ref portal.MailRef) (portal.Mail, error) {
	return portal.Mail{Ref: ref, To: "elena@riverafamily.example", CustomerID: "c1", Link: "https://pay.example.com/portal/northwind/welcome/x", ExpiresAt: time.Unix(1e9, 0)}, nil
}

func newSender(tb testing.TB, mails *fakeMails, host *fakeHost) *mail.Sender {
	return &mail.Sender{Mails: mails, Host: sdk.Host{Billers: host, Mail: host}, Renderer: MustRenderer(tb), Now: time.Now}
}

func TestSendTellsThePortal(t *testing.T) {
	t.Parallel()
	mails, host := &fakeMails{mail: invitationMail}, &fakeHost{}
	if err := newSender(t, mails, host).Send(t.Context(), jobs.Job{Biller: "b1", Payload: payload}); err != nil {
		t.Fatal(err)
	}
	if len(host.sent) != 1 || host.sent[0].Key != "invitation/i1/2/0" || host.sent[0].CustomerID != "c1" {
		t.Errorf("sent %+v", host.sent)
	}
	if len(mails.sent) != 1 {
		t.Errorf("told %v", mails.sent)
	}
}

func TestSendNothing(t *testing.T) {
	t.Parallel()
	stale := func(portal.MailRef) (portal.Mail, error) { return portal.Mail{}, portal.ErrStaleMail }
	broken := func(portal.MailRef) (portal.Mail, error) { return portal.Mail{}, errors.New("no database") }
	for name, tt := range map[string]struct {
		mail    func(portal.MailRef) (portal.Mail, error)
		off     bool
		payload string
		fails   bool
	}{
		"stale mail is done":        {mail: stale, payload: payload},
		"no database is tried":      {mail: broken, payload: payload, fails: true},
		"biller off waits":          {mail: invitationMail, off: true, payload: payload, fails: true},
		"broken payload is no mail": {mail: invitationMail, payload: `[]`, fails: true},
	} {
		mails, host := &fakeMails{mail: tt.mail}, &fakeHost{off: tt.off}
		err := newSender(t, mails, host).Send(t.Context(), jobs.Job{Biller: "b1", Kind: portal.JobMail, Payload: tt.payload})
		if (err != nil) != tt.fails || len(host.sent) > 0 || len(mails.sent) > 0 {
			t.Errorf("%s: error %v, sent %d, told %d", name, err, len(host.sent), len(mails.sent))
		}
	}
}

func TestSomebodyWithASignInSignsIn(t *testing.T) {
	t.Parallel()
	mails, host := &fakeMails{mail: func(ref portal.MailRef) (portal.Mail, error) {
		m, err := invitationMail(ref)
		m.HasAccount, m.ButtonText = true, "Create your username and password"
		return m, err
	}}, &fakeHost{}
	if err := newSender(t, mails, host).Send(t.Context(), jobs.Job{Biller: "b1", Payload: payload}); err != nil {
		t.Fatal(err)
	}
	if m := host.sent[0]; m.Kind != mail.KindAdd || !strings.Contains(m.Text, "Sign in:\n\nhttps://pay.example.com/portal/northwind/sign-in\n") || strings.Contains(m.Text, "/welcome/") {
		t.Errorf("mail: %s", m.Text)
	}
}

func TestRefusedMailIsNotTold(t *testing.T) {
	t.Parallel()
	for _, code := range []apperr.Code{apperr.Invalid, apperr.Unavailable, apperr.TooManyRequests, apperr.Internal} {
		mails, host := &fakeMails{mail: invitationMail}, &fakeHost{err: apperr.Errorf(code, "refused")}
		err := newSender(t, mails, host).Send(t.Context(), jobs.Job{Biller: "b1", Payload: payload})
		if apperr.CodeOf(err) != code || len(mails.sent) > 0 {
			t.Errorf("%s: error %v, told %v", code, err, mails.sent)
		}
	}
}

func TestFailedKeepsAReasonWithoutSecrets(t *testing.T) {
	t.Parallel()
	mails := &fakeMails{}
	s := newSender(t, mails, &fakeHost{})
	job := jobs.Job{Biller: "b1", Kind: portal.JobMail, Payload: payload}
	for _, cause := range []error{apperr.Errorf(apperr.Invalid, "550 no mailbox"), errors.New("password=secret")} {
		if err := s.Failed(t.Context(), job, cause); err != nil {
			t.Fatal(err)
		}
	}
	if len(mails.failed) != 2 || mails.failed[0] != "b1: 550 no mailbox" || strings.Contains(mails.failed[1], "secret") {
		t.Errorf("kept %q", mails.failed)
	}
	if err := s.Failed(t.Context(), jobs.Job{Biller: "b1", Kind: portal.JobSync}, errors.New("x")); err != nil || len(mails.failed) != 2 {
		t.Errorf("a job that is no mail was told: %v", err)
	}
}
