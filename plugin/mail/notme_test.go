package mail_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/mail"
	"github.com/billing-addons/customer-portal/plugin/portal"
)

const notMe = "https://pay.example.com/portal/northwind/not-me/8Hq2Zk7M"

// constants returns the values of the constants of a type, or of those with a
// prefix, as the source has them.
func constants(tb testing.TB, file, pattern string) []string {
	tb.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var values []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		values = append(values, m[1])
	}
	return values
}

// TestEverySecurityMailCanBeDisowned goes through every kind of mail there is, and
// every action that is told: each about a sign-in has "This wasn't me", in both
// parts; those that staff send, or that nobody can undo, say whom to ask.
func TestEverySecurityMailCanBeDisowned(t *testing.T) {
	t.Parallel()
	r := MustRenderer(t)
	undone := map[string]bool{
		mail.KindConfirmation: true, mail.KindReset: true, mail.KindAddress: true, mail.KindOpen: true, mail.KindKnown: true, mail.KindUnknown: true,
		mail.KindInvitation: false, mail.KindEnded: false, mail.KindApproved: false, mail.KindAdd: false, mail.KindDeclined: false,
		mail.KindReminder: false, mail.KindAddReminder: false,
	}
	check := func(name string, l mail.Letter, undo bool) {
		l.To, l.CustomerID, l.At = "elena@riverafamily.example", "c1", time.Date(2026, 6, 1, 3, 0, 0, 0, time.UTC)
		m, err := r.Render(northwind(), l)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for part, body := range map[string]string{"text": m.Text, "html": strings.NewReplacer("&#39;", "'", "&#x2F;", "/").Replace(m.HTML)} {
			says := strings.Contains(body, "This wasn't me") || strings.Contains(body, "I didn't do this")
			if says != undo || strings.Contains(body, notMe) != undo {
				t.Errorf("%s, %s: can be disowned: %t, want %t\n%s", name, part, says, undo, body)
			}
			if !strings.Contains(body, "office@northwindpool.example") || !strings.Contains(body, "(727) 555-0142") {
				t.Errorf("%s, %s: names nobody to ask\n%s", name, part, body)
			}
		}
	}
	const page = "https://pay.example.com/portal/northwind/"
	kinds := constants(t, "render.go", `\bKind\w+ += "(\w+)"`)
	if len(kinds) != len(undone)+1 {
		t.Errorf("%d kinds of mail: say of each new one whether it can be disowned", len(kinds))
	}
	for _, kind := range kinds {
		if kind == mail.KindNotice {
			continue
		}
		undo, told := undone[kind]
		if !told {
			t.Errorf("the kind %q is not known here", kind)
		}
		l := mail.Letter{Kind: kind, URL: page, Code: "048291", ExpiresAt: time.Date(2026, 6, 2, 3, 0, 0, 0, time.UTC)}
		if undo {
			l.NotMe = notMe
		}
		check(kind, l, undo)
	}
	staff := map[portal.Action]bool{
		portal.ActionUserDisabled: true, portal.ActionUserEnabled: true, portal.ActionAccessRemoved: true,
		portal.ActionAccessReplaced: true, portal.ActionUserErased: true,
	}
	told := 0
	for _, value := range constants(t, "../portal/activity.go", `\bAction\w+ +Action = "([\w.]+)"`) {
		a := portal.Action(value)
		if !a.Notice() {
			continue
		}
		told++
		if a.Disownable() == staff[a] {
			t.Errorf("%s: can be disowned: %t", a, a.Disownable())
		}
		l := mail.Letter{Kind: mail.KindNotice, Action: value, URL: page}
		if a.Disownable() {
			l.URL, l.ExpiresAt = notMe, time.Date(2026, 6, 4, 3, 0, 0, 0, time.UTC)
		}
		check(value, l, a.Disownable())
	}
	if told < 10 {
		t.Errorf("only %d actions are told", told)
	}
}
