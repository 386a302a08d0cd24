package mail_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/mail"
	"github.com/billing-addons/customer-portal/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

func MustRenderer(tb testing.TB) *mail.Renderer {
	tb.Helper()
	texts, err := catalogue.Load()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := mail.NewRenderer(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func northwind() sdk.Biller {
	return sdk.Biller{
		ID: "b1", Slug: "northwind", Name: "Northwind Pool Service", Brand: "#0b6b8a", OnBrand: "#ffffff",
		Email: "office@northwindpool.example", Phone: "(727) 555-0142",
		TimeZone: "America/New_York", Locale: "en-US", Currency: "USD",
	}
}

func letters() map[string]mail.Letter {
	until := time.Date(2026, 6, 2, 3, 0, 0, 0, time.UTC)
	return map[string]mail.Letter{
		"invitation": {
			Kind: mail.KindInvitation, To: "elena@riverafamily.example", CustomerID: "c1", CustomerName: "Rivera Family",
			URL: "https://pay.example.com/portal/northwind/welcome/8Hq2Zk7M", ExpiresAt: until,
		},
		"reminder": {
			Kind: mail.KindReminder, To: "elena@riverafamily.example", CustomerID: "c1", CustomerName: "Rivera Family",
			URL: "https://pay.example.com/portal/northwind/welcome/8Hq2Zk7M", ExpiresAt: until,
		},
		"started": {
			Kind: mail.KindReminder, Started: true, To: "elena@riverafamily.example", CustomerID: "c1", CustomerName: "Rivera Family",
			URL: "https://pay.example.com/portal/northwind/welcome/8Hq2Zk7M", Button: "Join us", ExpiresAt: until,
		},
		"add_reminder": {
			Kind: mail.KindAddReminder, To: "elena@riverafamily.example", CustomerID: "c2", CustomerName: "Rivera Rentals LLC",
			URL: "https://pay.example.com/portal/northwind/sign-in", ExpiresAt: until,
		},
		"confirmation": {
			Kind: mail.KindConfirmation, To: "elena@riverafamily.example", CustomerID: "c1", CustomerName: "Rivera Family",
			URL: "https://pay.example.com/portal/northwind/confirm/8Hq2Zk7M", Code: "048291", ExpiresAt: until,
			NotMe: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M",
		},
		"reset": {
			Kind: mail.KindReset, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/reset/8Hq2Zk7M",
			NotMe: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M", ExpiresAt: until,
		},
		"ended": {
			Kind: mail.KindEnded, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/reset/8Hq2Zk7M", ExpiresAt: until,
		},
		"device": {
			Kind: mail.KindNotice, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M",
			Action: "session.new_device", At: until.Add(-72 * time.Hour), ExpiresAt: until, IP: "203.0.113.9",
			Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		},
		"moved": {
			Kind: mail.KindNotice, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M",
			Action: "address.changed", At: until.Add(-72 * time.Hour), ExpiresAt: until,
		},
		"notice": {
			Kind: mail.KindNotice, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M",
			Action: "password.changed", At: until.Add(-72 * time.Hour), ExpiresAt: until,
		},
		"open": {
			Kind: mail.KindOpen, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/prove/8Hq2Zk7M", Code: "048291",
			NotMe: "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M", ExpiresAt: until,
		},
		"known":   {Kind: mail.KindKnown, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/sign-in", ExpiresAt: until},
		"unknown": {Kind: mail.KindUnknown, To: "elena@riverafamily.example", URL: "https://pay.example.com/portal/northwind/sign-up?again=1", ExpiresAt: until},
		"approved": {
			Kind: mail.KindApproved, To: "jo@acme.example", CustomerID: "c1", CustomerName: "Jo Doe",
			URL: "https://pay.example.com/portal/northwind/welcome/8Hq2Zk7M", ExpiresAt: until,
		},
		"add": {
			Kind: mail.KindAdd, To: "elena@riverafamily.example", CustomerID: "c2", CustomerName: "Rivera Rentals LLC",
			URL: "https://pay.example.com/portal/northwind/sign-in", ExpiresAt: until,
		},
	}
}

func TestRenderGolden(t *testing.T) {
	r := MustRenderer(t)
	for name, letter := range letters() {
		m, err := r.Render(northwind(), letter)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		golden(t, name+".html", m.HTML)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestFirstURLIsTheActionAlone(t *testing.T) {
	t.Parallel()
	for name, letter := range letters() {
		m, err := MustRenderer(t).Render(northwind(), letter)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(m.Text) {
			if strings.Contains(line, "://") {
				if got := strings.TrimSuffix(line, "\n"); got != letter.URL {
					t.Errorf("%s: first URL line is %q", name, got)
				}
				break
			}
		}
		if !strings.Contains(m.HTML, `href="`+letter.URL+`"`) {
			t.Errorf("%s: HTML part lacks the link", name)
		}
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	r := MustRenderer(t)
	for name, want := range map[string]string{
		"invitation":   "Welcome to the Customer Portal",
		"confirmation": "Please confirm your email address",
		"add":          "Welcome to the Customer Portal",
	} {
		m, err := r.Render(northwind(), letters()[name])
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != want {
			t.Errorf("%s: subject %q, want %q", name, m.Subject, want)
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	t.Parallel()
	b := northwind()
	b.Name = "<script>alert(1)</script>\r\nBcc: x@evil.example"
	b.Brand = "red;background:url(//evil.example)"
	b.Phone = `"><img src=x>`
	l := letters()["invitation"]
	l.CustomerName = "Bobby\nhttps://evil.example/\n"
	l.Button = "Press <b>here</b>\nnow"
	m, err := MustRenderer(t).Render(b, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>", "<img", "evil.example)", "<b>here"} {
		if strings.Contains(m.HTML, bad) {
			t.Errorf("HTML contains %q", bad)
		}
	}
	for line := range strings.Lines(m.Text) {
		if strings.Contains(line, "://evil") || strings.HasPrefix(line, "Bcc:") {
			t.Errorf("text has the line %q", line)
		}
	}
	if strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject %q", m.Subject)
	}
}

func TestOwnButtonText(t *testing.T) {
	t.Parallel()
	l := letters()["invitation"]
	l.Button = "Set up my account"
	m, err := MustRenderer(t).Render(northwind(), l)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.HTML, ">Set up my account</a>") || !strings.Contains(m.Text, "Set up my account:\n\n"+l.URL+"\n") {
		t.Errorf("button text is missing:\n%s", m.Text)
	}
}
