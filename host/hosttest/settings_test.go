package hosttest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const (
	settingsPath = "/admin/marketplace/notice-board/settings"
	feedToken    = "s3cret-feed-token-0001"
)

// form is what a browser sends; pairs of name and value change it.
func form(version string, pairs ...string) string {
	v := url.Values{
		"version": {version}, "setting-heading": {""}, "setting-shown": {"10"}, "setting-order": {"ending"},
		"setting-dates": {"off", "on"}, "setting-feed_token": {""}, "setting-refused_words": {""},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// journal keeps what a host logs and audits.
type journal struct {
	mu      sync.Mutex
	log     bytes.Buffer
	records []addon.AuditRecord
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(b)
}

func (j *journal) record(_ context.Context, _ string, r addon.AuditRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
	return nil
}

func (j *journal) configured() (details []map[string]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		if r.Action == "addon.configured" {
			details = append(details, r.Detail)
		}
	}
	return details
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.String()
}

// notices packs the notice board once for all tests of this file.
var notices = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "notices")
	if err != nil {
		return "", err
	}
	return dir, hosttest.Pack(dir, "github.com/billing-addons/customer-portal/sdk/example/notices", filepath.Join("..", "..", "sdk", "example", "notices", "manifest.yaml"))
})

func mustNotices(t *testing.T, change ...func(*host.Config, *hosttest.Platform)) (*hosttest.Host, *journal) {
	t.Helper()
	dir, err := notices()
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{}
	first := func(c *host.Config, p *hosttest.Platform) {
		c.Packages, p.RecordAuditFn = dir, j.record
		c.Log = slog.New(slog.NewTextHandler(io.MultiWriter(j, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	h := hosttest.MustHost(t, append([]func(*host.Config, *hosttest.Platform){first}, change...)...)
	return h, j
}

// Settings that staff save change the add-on's page, for their own biller.
func TestSettingsChangeTheAddon(t *testing.T) {
	t.Parallel()
	h, j := mustNotices(t)
	h.MustInstall("notice-board")
	south := hosttest.Dana()
	south.BillerID = "southgate"
	if err := h.Install(t.Context(), south, "notice-board", nil); err != nil {
		t.Fatal(err)
	}
	if got := h.Get(settingsPath); got.Status != http.StatusOK || !strings.Contains(got.Body, ">Heading</label>") || !strings.Contains(got.Body, `value="10"`) {
		t.Fatalf("form: %d %s", got.Status, got.Body)
	}
	saved := h.Post(settingsPath, form("0", "setting-heading", "News & more", "setting-feed_token", feedToken, "setting-refused_words", "free\r\n\r\n for sale "))
	if saved.Status != http.StatusSeeOther || saved.Header.Get("Location") != settingsPath+"?saved=yes" {
		t.Fatalf("save: %d %s", saved.Status, saved.Body)
	}
	if got := h.Get("/notices/northwind/"); !strings.Contains(got.Body, "<h1>News &amp; more</h1>") {
		t.Errorf("page: %s", got.Body)
	}
	h.Until("the other biller's page is there", func() bool {
		return strings.Contains(h.Get("/notices/southgate/").Body, "<h1>southgate Pool Service</h1>")
	})
	if got := h.Get("/notices/northwind/feed.json", "Feed-Token", feedToken); got.Status != http.StatusOK {
		t.Errorf("feed: %d %s", got.Status, got.Body)
	}
	page := h.Get(settingsPath + "?saved=yes").Body
	if !strings.Contains(page, "The settings are saved.") || !strings.Contains(page, "by Dana Whitfield. Leave empty to keep it.") || !strings.Contains(page, ">free\nfor sale</textarea>") || strings.Contains(page, feedToken) {
		t.Errorf("saved form: %s", page)
	}
	want := []map[string]string{{"heading": `"" → "News & more"`, "feed_token": "set", "refused_words": `[] → ["free","for sale"]`}}
	if diff := cmp.Diff(want, j.configured()); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	if again := h.Post(settingsPath, form("1", "setting-heading", "News & more", "setting-refused_words", "free\nfor sale")); again.Status != http.StatusSeeOther || len(j.configured()) != 1 {
		t.Errorf("nothing changed: %d, %v", again.Status, j.configured())
	}
	if got := h.Post(settingsPath, form("1", "remove-feed_token", "yes", "setting-dates", "off")); got.Status != http.StatusSeeOther {
		t.Fatalf("remove: %d %s", got.Status, got.Body)
	}
	if got := h.Get("/notices/northwind/feed.json", "Feed-Token", feedToken); got.Status != http.StatusNotFound {
		t.Errorf("feed without a token: %d %s", got.Status, got.Body)
	}
	if strings.Contains(j.text(), feedToken) {
		t.Error("the log holds the secret")
	}
}

// Secrets are sealed where they are kept, for one place.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	var dir string
	h, _ := mustNotices(t, func(c *host.Config, _ *hosttest.Platform) { dir = c.DataDir })
	h.MustInstall("notice-board")
	if got := h.Post(settingsPath, form("0", "setting-heading", "Find me in a file", "setting-feed_token", feedToken)); got.Status != http.StatusSeeOther {
		t.Fatalf("save: %d %s", got.Status, got.Body)
	}
	var all []byte
	for _, name := range []string{"host.db", "host.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if !bytes.Contains(all, []byte("Find me in a file")) || bytes.Contains(all, []byte(feedToken)) {
		t.Error("the database holds the secret as it is, or no settings")
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	h, j := mustNotices(t)
	if got := h.Get(settingsPath); got.Status != http.StatusNotFound {
		t.Errorf("before it is installed: %d", got.Status)
	}
	h.MustInstall("notice-board")
	for name, tc := range map[string]struct {
		form   string
		status int
		has    []string
	}{
		"by the host": {
			form("0", "setting-heading", "Kept", "setting-shown", "many", "setting-feed_token", feedToken), http.StatusUnprocessableEntity,
			[]string{"Notices at once must be a whole number.", `value="Kept"`, `value="many"`, "enter it once more"},
		},
		"by the add-on": {
			form("0", "setting-heading", "Now free", "setting-refused_words", "free", "setting-feed_token", "short"), http.StatusUnprocessableEntity,
			[]string{"one of the words not to use", "Use 16 characters or more", `value="Now free"`},
		},
		"out of range":   {form("0", "setting-shown", "101"), http.StatusUnprocessableEntity, []string{"must be 100 or less", `value="101"`}},
		"empty":          {form("0", "setting-shown", " "), http.StatusUnprocessableEntity, []string{"Notices at once must not be empty."}},
		"unknown choice": {form("0", "setting-order", "oldest"), http.StatusUnprocessableEntity, []string{"Order must be one of What ends soonest comes first"}},
		"two lines":      {form("0", "setting-heading", "a\nb"), http.StatusUnprocessableEntity, []string{"Heading must be on one line"}},
		"no version":     {form("x", "setting-heading", "Kept"), http.StatusConflict, []string{`value="Kept"`, `name="version" value="0"`}},
	} {
		got := h.Post(settingsPath, tc.form)
		if got.Status != tc.status || slices.ContainsFunc(tc.has, func(s string) bool { return !strings.Contains(got.Body, s) }) ||
			strings.Contains(got.Body, feedToken) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	staff := hosttest.Dana()
	staff.Abilities = []string{addon.AbilityInstall}
	if _, err := h.Settings(t.Context(), staff, "notice-board"); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("without the ability: %v", err)
	}
	if err := h.SaveSettings(t.Context(), staff, "notice-board", addon.SettingsChange{}); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("without the ability: %v", err)
	}
	if got := h.Post(settingsPath, form("0"), "Sec-Fetch-Site", "cross-site"); got.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", got.Status)
	}
	if got := h.Get("/notices/northwind/"); !strings.Contains(got.Body, "<h1>northwind Pool Service</h1>") || len(j.configured()) != 0 {
		t.Errorf("something was saved: %s %v", got.Body, j.configured())
	}
}

// Of two tabs, the second is told what the first has changed.
func TestSettingsInTwoTabs(t *testing.T) {
	t.Parallel()
	h, _ := mustNotices(t)
	h.MustInstall("notice-board")
	if got := h.Post(settingsPath, form("0", "setting-heading", "First", "setting-order", "newest", "setting-feed_token", feedToken)); got.Status != http.StatusSeeOther {
		t.Fatalf("first tab: %d %s", got.Status, got.Body)
	}
	second := h.Post(settingsPath, form("0", "setting-heading", "Second", "setting-shown", "5"))
	for _, want := range []string{
		"Somebody else has saved", `value="Second"`, `value="5"`, `name="version" value="1"`,
		"Changed meanwhile by Dana Whitfield: now “First”.", "Changed meanwhile by Dana Whitfield: now “What was written last comes first”.",
		"Changed meanwhile by Dana Whitfield: another one was set.",
	} {
		if second.Status != http.StatusConflict || !strings.Contains(second.Body, want) {
			t.Errorf("second tab: %d lacks %q in %s", second.Status, want, second.Body)
		}
	}
	if got := h.Post(settingsPath, form("1", "setting-heading", "Second", "setting-shown", "5")); got.Status != http.StatusSeeOther {
		t.Fatalf("second tab again: %d %s", got.Status, got.Body)
	}
	if got := h.Get("/notices/northwind/feed.json", "Feed-Token", feedToken); got.Status != http.StatusOK {
		t.Errorf("the secret of the first tab is gone: %d", got.Status)
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			err := h.SaveSettings(t.Context(), hosttest.Dana(), "notice-board", addon.SettingsChange{Version: 2, Values: map[string]any{"shown": int64(7)}})
			if err == nil {
				won.Add(1)
			} else if !apperr.Is(err, apperr.Conflict) {
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 saved", won.Load())
	}
}

// An add-on that does not answer cannot check: nothing is saved, nothing is lost.
func TestSettingsOfAnAddonThatHangs(t *testing.T) {
	t.Parallel()
	h, _ := mustNotices(t)
	h.MustInstall("notice-board")
	list, err := h.Addons(t.Context())
	if err != nil || len(list) != 1 || list[0].PID == 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := syscall.Kill(list[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	got := h.Post(settingsPath, form("0", "setting-heading", "Kept"))
	if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, `value="Kept"`) || !strings.Contains(got.Body, "please try again") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	h.Until("another process answers", func() bool {
		return h.Post(settingsPath, form("0", "setting-heading", "Kept")).Status == http.StatusSeeOther
	})
	if got := h.Get("/notices/northwind/"); !strings.Contains(got.Body, "<h1>Kept</h1>") {
		t.Errorf("page: %d %s", got.Status, got.Body)
	}
}

// Staff read the form in their own language, else in that of their biller, else
// as the manifest has it.
func TestSettingsInGerman(t *testing.T) {
	t.Parallel()
	biller := "en-US"
	h, _ := mustNotices(t, func(_ *host.Config, p *hosttest.Platform) {
		p.BillerFn = func(_ context.Context, id string) (sdk.Biller, error) {
			return sdk.Biller{ID: id, Slug: id, Name: "Nordwind", Locale: biller, TimeZone: "Europe/Berlin"}, nil
		}
		p.StaffFromFn = func(r *http.Request) (addon.Staff, error) {
			s := hosttest.Dana()
			s.Locale = r.Header.Get("Staff-Locale")
			return s, nil
		}
	})
	h.MustInstall("notice-board")
	german := func(body string) bool {
		return strings.Contains(body, `lang="de">Überschrift</label>`) && strings.Contains(body, "Was zuerst endet, steht oben") &&
			strings.Contains(body, "Kunden lesen, bis wann ein Aushang gilt.")
	}
	if got := h.Get(settingsPath, "Staff-Locale", "de-AT"); !german(got.Body) {
		t.Errorf("staff: %s", got.Body)
	}
	for _, locale := range []string{"", "fr"} {
		if got := h.Get(settingsPath, "Staff-Locale", locale); german(got.Body) || !strings.Contains(got.Body, ">Heading</label>") {
			t.Errorf("fallback from %q: %s", locale, got.Body)
		}
	}
	if got := h.Post(settingsPath, form("0", "setting-shown", ""), "Staff-Locale", "de"); !strings.Contains(got.Body, "Aushänge auf einmal must not be empty.") {
		t.Errorf("error: %s", got.Body)
	}
}

// Hosts on one database learn what another one saved.
func TestSettingsReachEveryHost(t *testing.T) {
	t.Parallel()
	hosts, addons := dbtest.Postgres(t), dbtest.Postgres(t)
	share := func(c *host.Config, _ *hosttest.Platform) {
		c.Database = hosts
		c.AddonDatabase = func(context.Context, string) (sdk.Database, error) {
			return sdk.Database{Driver: addons.Driver, DSN: addons.DSN, DirectDSN: addons.DirectDSN}, nil
		}
	}
	one, _ := mustNotices(t, share)
	two, _ := mustNotices(t, share)
	one.MustInstall("notice-board")
	two.Until("the other host runs it", func() bool { return two.Get("/notices/northwind/").Status == http.StatusOK })
	if got := one.Post(settingsPath, form("0", "setting-heading", "For all hosts")); got.Status != http.StatusSeeOther {
		t.Fatalf("save: %d %s", got.Status, got.Body)
	}
	two.Until("the other host knows", func() bool { return strings.Contains(two.Get("/notices/northwind/").Body, "<h1>For all hosts</h1>") })
	if got := two.Post(settingsPath, form("0", "setting-heading", "Stale")); got.Status != http.StatusConflict || !strings.Contains(got.Body, "now “For all hosts”") {
		t.Errorf("stale on the other host: %d %s", got.Status, got.Body)
	}
}

const helloSettings = `settings:
  - {key: heading, type: text, label: Heading, default: Hi}
  - {key: days, type: number, label: Days, default: 3}
  - {key: token, type: secret, label: Token, required: true}
  - {key: gone, type: text, label: Gone}
platforms:`

// What another version of an add-on makes of settings: nothing is lost, nothing
// that it refuses is used.
func TestSettingsAcrossVersions(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0", "platforms:", helloSettings)
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	h.MustInstall("hello")
	if got := h.Get("/admin/marketplace/hello/installing"); got.Header.Get("Location") != "/admin/marketplace/hello/settings" {
		t.Errorf("after the install: %d %s", got.Status, got.Header.Get("Location"))
	}
	if got := h.Get("/admin/marketplace/hello/settings"); !strings.Contains(got.Body, "Hello needs one more thing from you") {
		t.Errorf("form: %s", got.Body)
	}
	state := func() addon.SettingsState {
		s, err := h.Settings(t.Context(), hosttest.Dana(), "hello")
		mustDo(t, err)
		return s
	}
	change := addon.SettingsChange{Values: map[string]any{"heading": "Ten", "days": int64(30), "gone": "x"}, Secrets: map[string]string{"token": "abc"}}
	mustDo(t, h.SaveSettings(t.Context(), hosttest.Dana(), "hello", change))
	if s := state(); len(s.Missing) != 0 || !s.SecretSet["token"] || s.Values["token"] != nil {
		t.Errorf("set: %+v", s)
	}
	if got := h.Get("/admin/marketplace/hello/installing"); got.Header.Get("Location") == "/admin/marketplace/hello/settings" {
		t.Error("people are led to settings that are complete")
	}
	add("2.0.0", "platforms:", strings.NewReplacer("{key: heading, type: text, label: Heading, default: Hi}", "{key: heading, type: list, label: Heading, default: [a]}",
		"default: 3}", "default: 3, max: 10}", "{key: gone, type: text, label: Gone}", "{key: fresh, type: switch, label: Fresh, default: true}").Replace(helloSettings))
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "2.0.0", ""))
	mustServe(t, h, "2.0.0")
	h.Until("the pages know the new version", func() bool { return state().Values["fresh"] == true })
	s := state()
	if diff := cmp.Diff(map[string]any{"heading": []string{"a"}, "days": int64(3), "fresh": true}, s.Values); diff != "" {
		t.Errorf("in force (-want +got):\n%s", diff)
	}
	want := map[string]string{"heading": "Heading was of another type.", "days": "Days must be 10 or less."}
	if diff := cmp.Diff(want, s.Refused); diff != "" || !s.SecretSet["token"] {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	page := h.Get("/admin/marketplace/hello/settings").Body
	if !strings.Contains(page, "What was set before no longer fits: Days must be 10 or less. The default is used until you save.") {
		t.Errorf("form: %s", page)
	}
	mustDo(t, h.SaveSettings(t.Context(), hosttest.Dana(), "hello", addon.SettingsChange{Version: 1, Values: map[string]any{"days": int64(3)}}))
	mustDo(t, h.Rollback(t.Context(), hosttest.Dana(), "hello", ""))
	mustServe(t, h, "1.0.0")
	h.Until("the pages know the old version", func() bool { return state().Values["heading"] == "Ten" })
	if diff := cmp.Diff(map[string]any{"heading": "Ten", "days": int64(3), "gone": "x"}, state().Values); diff != "" {
		t.Errorf("back (-want +got):\n%s", diff)
	}
}
