package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

func fuzzWorld(f *testing.F) *world {
	f.Helper()
	return mustWorld(f, dbtest.MustOpen(f, dbtest.SQLite(f, store.Migrations()...)))
}

// FuzzTokens opens every kind of link with every kind of text: a live token opens
// its own kind, whatever else is an unknown link, and looking changes nothing.
func FuzzTokens(f *testing.F) {
	w := fuzzWorld(f)
	tokens := w.tokensOfEachPurpose(f)
	for _, token := range tokens {
		f.Add(token)
		f.Add(token + " ")
		f.Add(strings.ToUpper(token))
		f.Add(token[:len(token)-1])
	}
	for _, s := range []string{"", " ", "garbage", "\x00", "\xff", "%00", "../..", "' OR '1'='1", strings.Repeat("A", 43), strings.Repeat("é", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		ctx, c := t.Context(), public(w.caller)
		for purpose, open := range map[portal.Purpose]func(c portal.Caller) error{
			portal.PurposeInvitation:   func(c portal.Caller) error { _, err := w.Open(ctx, c, token, token, token); return err },
			portal.PurposeConfirmation: func(c portal.Caller) error { _, err := w.OpenConfirmation(ctx, c, token, token); return err },
			portal.PurposeProof:        func(c portal.Caller) error { _, err := w.OpenProofLink(ctx, c, token, token); return err },
			portal.PurposeReset:        func(c portal.Caller) error { _, err := w.OpenReset(ctx, c, token); return err },
			portal.PurposeDisown:       func(c portal.Caller) error { _, err := w.OpenDisown(ctx, c, token); return err },
		} {
			err := open(c)
			if right := token == tokens[purpose]; right && err != nil || !right && !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("%s opened with %q: %v", purpose, token, err)
			}
			if err := open(public(w.other)); !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("%s of the other biller opened with %q: %v", purpose, token, err)
			}
		}
		if _, err := w.Session(ctx, c, token); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("a session of %q: %v", token, err)
		}
		if _, err := w.SignUp(ctx, c, token); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("a sign-up of %q: %v", token, err)
		}
	})
}

// tokensOfEachPurpose are live ones.
func (w *world) tokensOfEachPurpose(tb testing.TB) map[portal.Purpose]string {
	tb.Helper()
	ctx, c := tb.Context(), public(w.caller)
	w.signedUp(tb, "c1")
	w.deliver(tb)
	must(tb, w.ForgotPassword(ctx, c, "jane@acme.com"))
	reset := w.take(tb)
	must(tb, w.ApplyCustomers(ctx, w.caller, []portal.Customer{{ID: "p1", Name: "Pat Moss", Email: "pat@moss.example", Version: 1}}))
	_, proof := w.askedProof(tb, "pat@moss.example")
	link := w.invited(tb, "c4")
	w.registered(tb, link, "c4")
	confirmation := w.take(tb)
	w.mail = nil
	_, err := w.ResetPassword(ctx, c, token(reset), goodPassword+" again")
	must(tb, err)
	notice := w.take(tb)
	must(tb, w.ForgotPassword(ctx, c, "jane@acme.com"))
	return map[portal.Purpose]string{
		portal.PurposeInvitation: link, portal.PurposeConfirmation: token(confirmation), portal.PurposeProof: token(proof),
		portal.PurposeReset: token(w.take(tb)), portal.PurposeDisown: token(notice),
	}
}

// FuzzAccessRequest sends requests for access: each is refused as invalid or kept
// as clean text within its limits.
func FuzzAccessRequest(f *testing.F) {
	w := fuzzWorld(f)
	link := w.invited(f, "c1")
	f.Add("Jo Doe", "jo@acme.example", "I pay")
	f.Add("", "", "")
	f.Add("Jo\r\nBcc: x@y.z", "jo@acme.example\r\nBcc: x@y.z", "\x00\x1b[31m")
	f.Add("<b>Jo</b>", "Jane@ACME.com", "<script>")
	f.Add("J\u202eo", "j@bücher.example", strings.Repeat("é\n", 3000))
	f.Add(strings.Repeat("x", 500), strings.Repeat("x", 300)+"@x.example", "\xff\xfe")
	f.Fuzz(func(t *testing.T, name, address, message string) {
		for _, table := range []string{"throttles", "access_requests"} {
			_, err := w.db.W.Exec(`DELETE FROM `+table+` WHERE biller_id = $1`, w.caller.BillerID)
			must(t, err)
		}
		err := w.AskAccess(t.Context(), public(w.caller), link, name, address, message)
		kept, listErr := w.AccessRequests(t.Context(), w.caller, "c1")
		must(t, listErr)
		if err != nil {
			if !apperr.Is(err, apperr.Invalid) || len(kept) != 0 {
				t.Errorf("AskAccess(%q, %q, %q) = %v, kept %d", name, address, message, err, len(kept))
			}
			return
		}
		if len(kept) != 1 {
			t.Fatalf("AskAccess(%q, %q, %q) kept %d", name, address, message, len(kept))
		}
		r := kept[0]
		norm, err := email.Normalize(r.Email)
		if err != nil || norm != r.EmailNorm || norm == "jane@acme.com" {
			t.Errorf("address %q, normal %q: %v", r.Email, r.EmailNorm, err)
		}
		if r.Name == "" || strings.ContainsFunc(r.Name, unicode.IsControl) || !utf8.ValidString(r.Name+r.Message) || strings.ContainsRune(r.Message, 0) {
			t.Errorf("name %q, message %q", r.Name, r.Message)
		}
	})
}

// FuzzAgreementDraft publishes drafts: each is refused with a reason, or kept with
// the hash of its text and in force not before now.
func FuzzAgreementDraft(f *testing.F) {
	w := fuzzWorld(f)
	f.Add("# Terms\n\nPay on time.", "2026-11-21", "1")
	f.Add("", "", "")
	f.Add("Pay.\r\n\x00", "2026-13-99", "-1")
	f.Add("\xff", "0000-00-00", "99999999999999999999")
	f.Add(strings.Repeat("# a\n", 30000), "2027-01-01", "1")
	f.Add("[x](javascript:alert(1)) <script>", "2028-11-21", "1")
	f.Fuzz(func(t *testing.T, text, on, base string) {
		_, err := w.db.W.Exec(`DELETE FROM agreements WHERE biller_id = $1 AND version <> '1'`, w.caller.BillerID)
		must(t, err)
		a, err := w.Publish(t.Context(), w.caller, portal.AgreementDraft{Text: text, On: on, Base: base, Zone: time.UTC})
		versions, listErr := w.AgreementVersions(t.Context(), w.caller)
		must(t, listErr)
		if err != nil {
			if code := apperr.CodeOf(err); code != apperr.Invalid && code != apperr.Conflict || len(versions) != 1 {
				t.Errorf("Publish(%q, %q, %q) = %v with %d versions", text, on, base, err, len(versions))
			}
			return
		}
		if len(versions) != 2 || versions[0].Text != a.Text || versions[0].TextHash != portal.AgreementHash(a.Text) || a.EffectiveOn.Before(w.clock.Now()) {
			t.Errorf("Publish(%q, %q, %q) = %+v, kept %+v", text, on, base, a, versions)
		}
		if !utf8.ValidString(a.Text) || strings.ContainsRune(a.Text, 0) {
			t.Errorf("text %q", a.Text)
		}
	})
}
