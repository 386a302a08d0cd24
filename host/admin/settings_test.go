package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

func every() *manifest.Manifest {
	de := map[string]manifest.Translation{"de": {Label: "Schlüssel"}}
	return &manifest.Manifest{ID: "every", Name: "Every", Icon: "bell", Settings: []manifest.Setting{
		{Key: "line", Type: "text", Label: "Line", Help: "A <b>line</b>."},
		{Key: "lines", Type: "text", Label: "Lines", MaxLength: 500},
		{Key: "number", Type: "number", Label: "Number", Min: new(int64(-3))},
		{Key: "choice", Type: "choice", Label: "Choice", Choices: []manifest.Choice{{Value: "a", Label: "Aye"}, {Value: "b", Label: "Bee"}}},
		{Key: "on", Type: "switch", Label: "On"},
		{Key: "token", Type: "secret", Label: "Token", Translations: de},
		{Key: "key", Type: "secret", Label: "Key", MaxLength: 5000, Required: true},
		{Key: "list", Type: "list", Label: "List"},
	}}
}

func everyState() addon.SettingsState {
	return addon.SettingsState{
		Version:   4,
		Values:    map[string]any{"line": `"quoted"`, "lines": "one\ntwo", "number": int64(-2), "choice": "b", "on": true, "list": []string{"x", "y"}},
		Entries:   map[string]addon.Setting{"token": {Version: 3, At: time.Date(2026, 6, 2, 15, 4, 0, 0, time.UTC), By: "Dana"}, "key": {Version: 1}},
		SecretSet: map[string]bool{"token": true, "key": true},
	}
}

// MustEvery serves an installed add-on with every type of setting; save answers a
// save.
func MustEvery(tb testing.TB, f *fake, save func(addon.SettingsChange) error) http.Handler {
	tb.Helper()
	f.manifest = every()
	f.installed = enabled("every")
	f.staff = addon.Staff{ID: "s1", BillerID: "northwind", Abilities: []string{addon.AbilityConfigure}, Locale: f.staff.Locale}
	f.settings = func(addon.Staff, string) (addon.SettingsState, error) { return everyState(), nil }
	f.save = func(_ addon.Staff, _ string, c addon.SettingsChange) error { return save(c) }
	return MustHandler(tb, f)
}

func send(h http.Handler, values url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/admin/marketplace/every/settings", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestSettingsControls(t *testing.T) {
	t.Parallel()
	h := MustEvery(t, &fake{staff: addon.Staff{Locale: "de-CH"}}, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/admin/marketplace/every/settings", nil))
	body := w.Body.String()
	for _, want := range []string{
		`name="version" value="4"`, "A &lt;b&gt;line&lt;/b&gt;.", `value="&#34;quoted&#34;"`, "rows=\"5\">one\ntwo</textarea>",
		`id="setting-number" name="setting-number" aria-describedby="setting-number-rule" value="-2">`, "-3 or more", `<option value="b" selected>Bee</option>`,
		`<option value="">–</option>`, `name="setting-on" value="off"`, `value="on" checked`, `lang="de">Schlüssel</label>`,
		"June 2, 2026, 3:04 PM</time> by Dana. Leave empty to keep it.", `name="remove-token" value="yes">`, "rows=\"5\">x\ny</textarea>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %s in %s", want, body)
		}
	}
	if strings.Contains(body, "remove-key") {
		t.Error("a required secret can be removed")
	}
}

func TestSettingsAreRead(t *testing.T) {
	t.Parallel()
	var got addon.SettingsChange
	h := MustEvery(t, &fake{}, func(c addon.SettingsChange) error { got = c; return nil })
	w := send(h, url.Values{
		"version": {"4"}, "setting-line": {"  a  "}, "setting-lines": {"a\r\n\r\nb\r\n"}, "setting-number": {" 12 "}, "setting-choice": {"a"},
		"setting-on": {"off"}, "setting-token": {"  "}, "remove-token": {"yes"}, "setting-key": {"-----\r\nkey\r\n-----\r\n"},
		"setting-list": {" x \r\n\r\ny"}, "setting-other": {"ignored"}, "other": {"ignored"},
	})
	want := addon.SettingsChange{
		Version: 4,
		Values:  map[string]any{"line": "a", "lines": "a\n\nb", "number": int64(12), "choice": "a", "on": false, "list": []string{"x", "y"}},
		Secrets: map[string]string{"key": "-----\nkey\n-----"}, RemoveSecrets: []string{"token"},
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusSeeOther {
		t.Errorf("%d (-want +got):\n%s", w.Code, diff)
	}
	send(h, url.Values{"setting-on": {"off", "on"}, "setting-number": {""}, "setting-list": {""}})
	want = addon.SettingsChange{Version: -1, Values: map[string]any{"number": nil, "on": true, "list": []string{}}, Secrets: map[string]string{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("empty (-want +got):\n%s", diff)
	}
}

func TestSettingsThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	typed := url.Values{"version": {"4"}, "setting-line": {"<kept>"}, "setting-token": {"s3cret"}, "setting-on": {"off"}}
	for name, tc := range map[string]struct {
		err    error
		status int
		has    string
	}{
		"a field":         {apperr.Field("line", "Line is bad."), 422, `<a href="#setting-line">Line is bad.</a>`},
		"an unknown key":  {apperr.Field("nothing", "It does not work."), 422, "<b>It does not work.</b>"},
		"no key":          {apperr.Errorf(apperr.Invalid, "Too long together."), 422, "<b>Too long together.</b>"},
		"stale":           {apperr.Errorf(apperr.Conflict, "x"), 409, "Somebody else has saved"},
		"not available":   {&apperr.Error{Code: apperr.Unavailable, Message: "Please try again.", RetryAfter: 7 * time.Second}, 503, "Please try again."},
		"not allowed":     {apperr.Errorf(apperr.PermissionDenied, "No."), 403, "No."},
		"an inner matter": {errors.New("secret text"), 500, "Something went wrong"},
	} {
		h := MustEvery(t, &fake{}, func(addon.SettingsChange) error { return tc.err })
		w := send(h, typed)
		body := w.Body.String()
		if w.Code != tc.status || !strings.Contains(body, tc.has) || strings.Contains(body, "s3cret") {
			t.Errorf("%s: %d %s", name, w.Code, body)
		}
		if form := tc.status != 403 && tc.status != 500; form && (!strings.Contains(body, `value="&lt;kept&gt;"`) || !strings.Contains(body, "enter it once more") || strings.Contains(body, `value="on" checked`)) {
			t.Errorf("%s: something typed is lost: %s", name, body)
		}
		if tc.status == 503 && w.Header().Get("Retry-After") != "7" {
			t.Errorf("%s: Retry-After %q", name, w.Header().Get("Retry-After"))
		}
	}
	big := url.Values{"version": {"4"}, "setting-lines": {strings.Repeat("x", 1<<20)}}
	if w := send(MustEvery(t, &fake{}, nil), big); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "too long") {
		t.Errorf("big: %d", w.Code)
	}
}
