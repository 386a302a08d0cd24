package main

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const contoso = "contoso"

// rig is the add-on in process, with two billers, on 14 June 2026 in New York.
type rig struct {
	*sdktest.Instance
	tb testing.TB
}

func run(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		c := db.Config()
		now := func() time.Time { return time.Date(2026, 6, 15, 3, 0, 0, 0, time.UTC) }
		host := sdktest.NewHost()
		host.AddBiller(sdk.Biller{ID: contoso, Name: "Contoso Water", TimeZone: "America/New_York"})
		i := sdktest.Start(t, addon(now), sdktest.WithHost(host),
			sdktest.WithDatabase(sdk.Database{Driver: c.Driver, DSN: c.DSN, DirectDSN: c.DirectDSN}))
		for _, b := range []string{sdktest.Northwind, contoso} {
			host.SetSettings(b, sdktest.Defaults(sdktest.Manifest(t, manifest.FileName)))
		}
		i.Enable(sdktest.Northwind, contoso)
		f(t, &rig{i, t})
	})
}

// ask returns the status, the body and where a redirect leads.
func (r *rig) ask(surface wire.Surface, call sdk.Call, method, path string, form ...string) (status int, body, location string) {
	r.tb.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	req := httptest.NewRequest(method, path, strings.NewReader(values.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res := r.Do(surface, call, req)
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.tb.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header.Get("Location")
}

func (r *rig) writer(biller string) sdk.Call { return r.StaffCall(biller, "staff:configure") }

func (r *rig) mustAdd(biller, text, first, last string) {
	r.tb.Helper()
	status, body, location := r.ask(wire.Staff, r.writer(biller), http.MethodPost, "/notices", "text", text, "first", first, "last", last)
	if status != http.StatusSeeOther || location != "/admin/addons/addon/?told=added" {
		r.tb.Fatalf("add: %d %s %s", status, location, body)
	}
}

func (r *rig) public(biller string) string {
	_, body, _ := r.ask(wire.Public, r.PublicCall(biller), http.MethodGet, "/")
	return body
}

func TestCustomersReadWhatStaffWrite(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		if got := r.public(sdktest.Northwind); !strings.Contains(got, "<h1>Northwind Utilities</h1>") || !strings.Contains(got, "nothing new") {
			t.Errorf("empty: %s", got)
		}
		r.mustAdd(sdktest.Northwind, "Closed on <b>Friday</b>", "2026-06-14", "2026-06-19")
		r.mustAdd(sdktest.Northwind, "New prices", "2026-06-15", "2026-07-01")
		r.mustAdd(contoso, "Water is off", "2026-06-14", "2026-06-14")

		got := r.public(sdktest.Northwind)
		if !strings.Contains(got, "Closed on &lt;b&gt;Friday&lt;/b&gt;") || !strings.Contains(got, "June 19, 2026") ||
			strings.Contains(got, "New prices") || strings.Contains(got, "Water") {
			t.Errorf("public: %s", got)
		}
		if got := r.public(contoso); !strings.Contains(got, "Water is off") || strings.Contains(got, "Friday") {
			t.Errorf("the other biller's: %s", got)
		}
		_, tab, _ := r.ask(wire.Slot, r.writer(sdktest.Northwind), http.MethodGet, "/today?customer=c1")
		if !strings.Contains(tab, "Closed on") || strings.Contains(tab, "New prices") {
			t.Errorf("tab: %s", tab)
		}
		_, board, _ := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodGet, "/?told=added")
		if !strings.Contains(board, "New prices") || !strings.Contains(board, "by Dana Whitfield") || !strings.Contains(board, "is on the board") {
			t.Errorf("board: %s", board)
		}
	})
}

func board(values map[string]any, token string) sdk.Settings {
	s := map[string]any{"shown": int64(10), "order": "ending", "dates": true}
	maps.Copy(s, values)
	return sdk.NewSettings(s, map[string]string{"feed_token": token})
}

func TestSettingsChangeThePage(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		for _, b := range []string{sdktest.Northwind, contoso} {
			r.mustAdd(b, "Long", "2026-06-14", "2026-06-19")
			r.mustAdd(b, "Short", "2026-06-14", "2026-06-15")
		}
		r.Configure(sdktest.Northwind, board(map[string]any{"heading": "News & more", "shown": int64(1), "order": "newest", "dates": false}, ""))
		got := r.public(sdktest.Northwind)
		if !strings.Contains(got, "<h1>News &amp; more</h1>") || !strings.Contains(got, "Short") || strings.Contains(got, "Long") || strings.Contains(got, "Until") {
			t.Errorf("set: %s", got)
		}
		if got := r.public(contoso); !strings.Contains(got, "<h1>Contoso Water</h1>") || !strings.Contains(got, "Until") {
			t.Errorf("the other biller's: %s", got)
		}
		r.Configure(sdktest.Northwind, board(map[string]any{"refused_words": []string{"free"}}, ""))
		status, body, _ := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodPost, "/notices", "text", "Now free!", "last", "2026-06-19")
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, "“free” is one of the words not to use.") || !strings.Contains(body, "Now free!</textarea>") {
			t.Errorf("refused word: %d %s", status, body)
		}
	})
}

func TestFeed(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mustAdd(sdktest.Northwind, "Closed", "2026-06-14", "2026-06-19")
		r.mustAdd(contoso, "Theirs", "2026-06-14", "2026-06-19")
		feed := func(biller, token string) (int, string) {
			req := httptest.NewRequest(http.MethodGet, "/feed.json", nil)
			req.Header.Set("Feed-Token", token)
			res := r.Do(wire.Public, r.PublicCall(biller), req)
			b, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, string(b)
		}
		if status, _ := feed(sdktest.Northwind, ""); status != http.StatusNotFound {
			t.Errorf("without a token set: %d", status)
		}
		const token = "0123456789abcdef"
		r.Configure(sdktest.Northwind, board(nil, token))
		if status, body := feed(sdktest.Northwind, token); status != http.StatusOK || body != `{"notices":[{"text":"Closed","last_day":"2026-06-19"}]}` {
			t.Errorf("feed: %d %s", status, body)
		}
		for _, wrong := range []string{"", "0123456789abcdeF"} {
			if status, body := feed(sdktest.Northwind, wrong); status != http.StatusForbidden || strings.Contains(body, token) {
				t.Errorf("wrong token: %d %s", status, body)
			}
		}
		if status, _ := feed(contoso, token); status != http.StatusNotFound {
			t.Errorf("the other biller's: %d", status)
		}
	})
}

func TestChecksSettings(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		check := func(s sdk.Settings) error {
			return r.CheckSettings(t.Context(), r.writer(sdktest.Northwind), s)
		}
		if err := check(board(nil, "0123456789abcdef")); err != nil {
			t.Error(err)
		}
		err := check(board(map[string]any{"heading": "Free", "refused_words": []string{"free"}}, "short"))
		if fields := apperr.FieldsOf(err); !apperr.Is(err, apperr.Invalid) || fields["heading"] == "" || fields["feed_token"] == "" {
			t.Errorf("%v %v", err, fields)
		}
	})
}

var removal = regexp.MustCompile(`/notices/[^"]+/removal`)

func TestRemove(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mustAdd(sdktest.Northwind, "Closed", "2026-06-14", "2026-06-19")
		_, board, _ := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodGet, "/")
		path := removal.FindString(board)
		if status, _, _ := r.ask(wire.Staff, r.writer(contoso), http.MethodPost, path); status != http.StatusNotFound {
			t.Errorf("by another biller: %d", status)
		}
		if status, _, location := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodPost, path); status != http.StatusSeeOther || location != "/admin/addons/addon/?told=removed" {
			t.Errorf("remove: %d %s", status, location)
		}
		if status, body, _ := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodPost, path); status != http.StatusNotFound || !strings.Contains(body, "not there any more") {
			t.Errorf("again: %d %s", status, body)
		}
		if got := r.public(sdktest.Northwind); strings.Contains(got, "Closed") {
			t.Errorf("still there: %s", got)
		}
		var actions []string
		for _, a := range r.Host.Audits() {
			actions = append(actions, a.Biller+" "+a.StaffID+" "+a.Action)
		}
		if got := strings.Join(actions, ", "); got != "northwind staff-1 notice.added, northwind staff-1 notice.removed" {
			t.Errorf("audit: %s", got)
		}
	})
}

func TestFormKeepsWhatWasTyped(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		status, body, _ := r.ask(wire.Staff, r.writer(sdktest.Northwind), http.MethodPost, "/notices", "text", "Half <done>", "first", "2026-06-20", "last", "2026-06-19")
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, "Half &lt;done&gt;") || !strings.Contains(body, "The last day is before the first.") {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestOnlyWritersWrite(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		for _, path := range []string{"/notices", "/notices/x/removal"} {
			if status, _, _ := r.ask(wire.Staff, r.StaffCall(sdktest.Northwind, "staff:report"), http.MethodPost, path, "text", "x"); status != http.StatusForbidden {
				t.Errorf("%s: %d", path, status)
			}
		}
	})
}

func TestPlatformThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.Permissions = []string{}
	i := sdktest.Start(t, addon(time.Now), sdktest.WithHost(host), sdktest.WithSQLite(t))
	r := &rig{i, t}
	if status, body, _ := r.ask(wire.Public, r.PublicCall(sdktest.Northwind), http.MethodGet, "/"); status != http.StatusForbidden || !strings.Contains(body, "billers:read") {
		t.Errorf("%d %s", status, body)
	}
}

func TestExportIsTheBillers(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mustAdd(sdktest.Northwind, "Ours \"quoted\"", "2026-06-14", "2026-06-19")
		r.mustAdd(contoso, "Theirs", "2026-06-14", "2026-06-19")
		if err := r.Disable(t.Context(), sdktest.Northwind); err != nil {
			t.Fatal(err)
		}
		as, file, err := r.Export(t.Context(), sdktest.Northwind)
		if err != nil || as.FileName != "notices.jsonl" || as.MediaType != "application/jsonl" {
			t.Errorf("Export = %+v, %v", as, err)
		}
		if got := string(file); !strings.HasPrefix(got, `{"text":"Ours \"quoted\"","first_day":"2026-06-14","last_day":"2026-06-19","written_by":`) || strings.Count(got, "\n") != 1 {
			t.Errorf("file = %s", got)
		}
	})
}

func TestPurgeLeavesOthers(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mustAdd(sdktest.Northwind, "Ours", "2026-06-14", "2026-06-19")
		r.mustAdd(contoso, "Theirs", "2026-06-14", "2026-06-19")
		if err := r.Disable(t.Context(), sdktest.Northwind); err != nil {
			t.Fatal(err)
		}
		if got := r.public(sdktest.Northwind); !strings.Contains(got, "Ours") {
			t.Error("Disable deletes")
		}
		if err := r.Purge(t.Context(), sdktest.Northwind); err != nil {
			t.Fatal(err)
		}
		if got := r.public(sdktest.Northwind); strings.Contains(got, "Ours") {
			t.Error("Purge keeps")
		}
		if got := r.public(contoso); !strings.Contains(got, "Theirs") {
			t.Error("Purge deletes the other biller's")
		}
	})
}

func TestDatabaseThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	_, err := sdktest.TryStart(t, addon(time.Now), sdktest.WithDatabase(sdk.Database{Driver: "sqlite", DSN: "/no/such/folder/x.db"}))
	if !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	m := sdktest.Manifest(t, manifest.FileName)
	t.Run("in process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.InProcess(addon(time.Now))) })
	t.Run("as a process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.Program(sdktest.Build(t, "."))) })
	t.Run("on PostgreSQL", func(t *testing.T) {
		c := dbtest.Postgres(t)
		d := sdk.Database{Driver: c.Driver, DSN: c.DSN, DirectDSN: c.DirectDSN}
		sdktest.Conform(t, m, sdktest.InProcess(addon(time.Now), sdktest.WithDatabase(d)))
	})
}

func TestPacks(t *testing.T) {
	t.Parallel()
	program := sdktest.Build(t, ".")
	var first, again bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &again} {
		if err := pack.Write(out, pack.Source{Files: map[string]string{
			manifest.FileName:              manifest.FileName,
			"README.md":                    "README.md",
			pack.BinaryPath("linux/amd64"): program,
			"static/portal.css":            filepath.Join("..", "..", "web", "look", "portal.css"),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("two packages of the same files differ")
	}
}
