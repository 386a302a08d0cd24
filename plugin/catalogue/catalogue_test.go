package catalogue_test

import (
	"html/template"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/sdk"
)

func MustLoad(tb testing.TB) *catalogue.Catalogue {
	tb.Helper()
	c, err := catalogue.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestText(t *testing.T) {
	t.Parallel()
	text := MustLoad(t).Text("en-US")
	eastern, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	late := time.Date(2026, 6, 16, 2, 1, 0, 0, time.UTC)
	day := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct{ got, want string }{
		"text":                 {text.T("start.hello", "Customer", "Rivera Family"), "Hello, Rivera Family"},
		"unknown key":          {text.T("no.such.key"), "no.such.key"},
		"one":                  {text.N("home.due.in", 1), "Due in 1 day"},
		"many":                 {text.N("home.due.in", 6), "Due in 6 days"},
		"money":                {text.Money(sdk.Money{Minor: 120843, Currency: "USD"}), "$1,208.43"},
		"negative money":       {text.Money(sdk.Money{Minor: -20000, Currency: "USD"}), "-$200.00"},
		"money without cents":  {text.Money(sdk.Money{Minor: 500, Currency: "JPY"}), "¥500"},
		"money of no currency": {text.Money(sdk.Money{Minor: 500}), "$5.00"},
		"unknown currency":     {text.Money(sdk.Money{Minor: 500, Currency: "???"}), "500 ???"},
		"date is local":        {text.In(eastern).Date(late), "June 15, 2026"},
		"moment has its zone":  {text.In(eastern).Moment(late), "June 15, 2026, 10:01 PM EDT"},
		"nameless zone":        {text.In(time.FixedZone("+0545", 20700)).Moment(late), "June 16, 2026, 7:46 AM UTC+0545"},
		"a browser":            {text.Browser("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"), "Firefox on Linux"},
		"a browser's address":  {text.Browser("pay-now.evil.example/1.0"), "Unknown browser"},
		"no browser":           {text.Browser(""), "Unknown browser"},
		"moment is local":      {text.In(eastern).DateTime(late), "June 15, 2026, 10:01 PM"},
		"day is the same day":  {text.In(eastern).Day(day), "June 15, 2026"},
		"short":                {text.ShortDate(day), "Jun 15, 2026"},
		"weekday":              {text.DayOfWeek(day), "Monday, June 15"},
		"element":              {string(text.In(eastern).TimeDay(day)), `<time datetime="2026-06-15">June 15, 2026</time>`},
		"moment's element":     {string(text.In(eastern).TimeMoment(late)), `<time datetime="2026-06-16T02:01:00Z">June 15, 2026, 10:01` + "\u00a0PM\u00a0EDT</time>"},
		"whole quantity":       {text.Quantity(4000), "4"},
		"part quantity":        {text.Quantity(1500), "1.5"},
		"negative quantity":    {text.Quantity(-250), "−0.25"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
}

func TestTextOfUnknownLocaleIsEnglish(t *testing.T) {
	t.Parallel()
	c := MustLoad(t)
	for _, locale := range []string{"", "xx", "zh-Hant-TW", "not a locale!", "en-GB"} {
		text := c.Text(locale)
		if got := text.T("signin.submit"); got != "Sign in" {
			t.Errorf("%q: got %q", locale, got)
		}
		if got := text.Lang(); got != "en" {
			t.Errorf("%q: language %q", locale, got)
		}
	}
}

func TestRichEscapesAllButMarkup(t *testing.T) {
	t.Parallel()
	text := MustLoad(t).Text("en")
	got := text.Rich("contact.both", "Phone", "<i>\x01\x31\x02&", "Email", template.HTML("<b>x</b>"))
	want := template.HTML("Questions? Call &lt;i&gt;1&amp; or write to <b>x</b>")
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	text := MustLoad(t).Text("en")
	for name, tt := range map[string]struct{ got, want template.HTML }{
		"phone":           {text.Phone("(727) 555-0142"), `<a href="tel:7275550142">(727) 555-0142</a>`},
		"international":   {text.Phone("+1 727"), `<a href="tel:+1727">+1 727</a>`},
		"in brackets":     {text.Phone("(+1) 727"), `<a href="tel:+1727">(+1) 727</a>`},
		"extension":       {text.Phone("555-0142 ext. 12"), `<a href="tel:5550142;ext=12">555-0142 ext. 12</a>`},
		"a word before":   {text.Phone("Tel. (727) 555-0142"), `<a href="tel:7275550142">Tel. (727) 555-0142</a>`},
		"and abroad":      {text.Phone("Office: +1 727 555 x4"), `<a href="tel:+1727555;ext=4">Office: +1 727 555 x4</a>`},
		"mail":            {text.Mailto("a@b.example", ""), `<a href="mailto:a@b.example">a@b.example</a>`},
		"mail with tail":  {text.Mailto("a@b.example?bcc=x", "Us"), `<a href="mailto:a@b.examplebcc=x">Us</a>`},
		"own path":        {text.Link("/portal/x/", "<x>"), `<a href="/portal/x/">&lt;x&gt;</a>`},
		"firm":            {text.Firm("a&b@acme.example"), `<b class="nowrap">a&amp;b@acme.example</b>`},
		"firm, but long":  {text.Firm("accounts.payable@international.example"), `<b>accounts.payable@international.example</b>`},
		"foreign address": {text.Link("javascript:alert(1)", "x"), `<a href="#">x</a>`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
}
