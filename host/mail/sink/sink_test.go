package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/host/mail/sink"
)

// MustSink returns a sink and a sender to it.
func MustSink(tb testing.TB) (*sink.Sink, *mail.Sender) {
	tb.Helper()
	s, err := sink.Open()
	if err != nil {
		tb.Fatal(err)
	}
	sender, err := mail.New(mail.Config{URL: s.URL(), From: "portal@example.com", PlatformName: "Billhost", Key: bytes.Repeat([]byte("k"), 32)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := sender.Close(); err != nil {
			tb.Error(err)
		}
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s, sender
}

func mustSend(tb testing.TB, s *mail.Sender, n int) {
	tb.Helper()
	_, err := s.Send(tb.Context(), addon.Mail{
		MessageID: s.MessageID("b", "a", fmt.Sprint(n)), FromName: "Søren & Co", To: "jo@example.com",
		Subject: fmt.Sprintf("Grüße %d", n),
		Text:    "Hello <b>Jo</b>\n\nOpen https://pay.example.com/p?a=1&b=2.\nOr (http://x.example/y).\n",
		HTML:    "<html><head></head><body><script>alert(1)</script>Hello</body></html>",
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func TestMailsAreKept(t *testing.T) {
	t.Parallel()
	s, sender := MustSink(t)
	for n := range 502 {
		mustSend(t, sender, n)
	}
	mails := s.Mails()
	if len(mails) != 500 || mails[0].Subject != "Grüße 501" || mails[499].Subject != "Grüße 2" {
		t.Errorf("%d mails, first %q", len(mails), mails[0].Subject)
	}
	m := mails[0]
	m.Header, m.Raw, m.At = nil, nil, time.Time{}
	want := sink.Mail{
		ID: 502, From: `Søren & Co <portal@example.com>`, To: "<jo@example.com>", Subject: "Grüße 501",
		EnvelopeFrom: "portal@example.com", EnvelopeTo: []string{"jo@example.com"},
		Text: "Hello <b>Jo</b>\n\nOpen https://pay.example.com/p?a=1&b=2.\nOr (http://x.example/y).\n",
		HTML: "<html><head></head><body><script>alert(1)</script>Hello</body></html>",
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	if m.Link() != "https://pay.example.com/p?a=1&b=2" {
		t.Errorf("Link = %q", m.Link())
	}
	if _, ok := s.Mail(1); ok {
		t.Error("the first mail is still kept")
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	s, sender := MustSink(t)
	got := make(chan sink.Mail, 1)
	go func() {
		m, err := s.Await(t.Context(), func(m sink.Mail) bool { return strings.HasSuffix(m.Subject, " 2") })
		if err != nil {
			t.Error(err)
		}
		got <- m
	}()
	for n := range 3 {
		mustSend(t, sender, n)
	}
	if m := <-got; m.ID != 3 {
		t.Errorf("mail %d, want 3", m.ID)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Await(ctx, func(sink.Mail) bool { return false }); err == nil {
		t.Error("Await returned without a mail")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s, sender := MustSink(t)
	h, err := s.Handler("/dev/mail", "/static/portal.css")
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if body := get("/dev/mail").Body.String(); !strings.Contains(body, "No mail has been sent yet.") {
		t.Errorf("empty list:\n%s", body)
	}
	mustSend(t, sender, 1)
	tests := []struct {
		path   string
		status int
		has    []string
		policy string
	}{
		{"/dev/mail", 200, []string{`<a href="/dev/mail/1">Grüße 1</a>`, `href="/static/portal.css"`, "&lt;jo@example.com&gt;", time.Now().Format(" MST</time>")}, "default-src 'none'; style-src 'self'"},
		{"/dev/mail/1", 200, []string{
			`<a href="https://pay.example.com/p?a=1&amp;b=2">https://pay.example.com/p?a=1&amp;b=2</a>.`,
			`(<a href="http://x.example/y">http://x.example/y</a>)`, "<p>Hello &lt;b&gt;Jo&lt;/b&gt;</p>\n<p>Open ", ".<br>Or (",
			`sandbox="allow-top-navigation-by-user-activation"`,
		}, "frame-src 'self'"},
		{"/dev/mail/1/html", 200, []string{`<head><base target="_top"></head>`}, "sandbox allow-top-navigation-by-user-activation; default-src 'none'"},
		{"/dev/mail/1/raw", 200, []string{"Subject: =?UTF-8?q?"}, "default-src 'none'"},
		{"/dev/mail/2", 404, []string{"No such mail"}, "default-src 'none'"},
		{"/dev/mail/x/html", 404, nil, ""},
	}
	for _, tt := range tests {
		w := get(tt.path)
		if w.Code != tt.status || !strings.Contains(w.Header().Get("Content-Security-Policy"), tt.policy) {
			t.Errorf("%s: %d, policy %q", tt.path, w.Code, w.Header().Get("Content-Security-Policy"))
		}
		for _, part := range tt.has {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s lacks %q:\n%s", tt.path, part, w.Body)
			}
		}
	}
}
