package hosttest_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const board = "/admin/marketplace/notice-board"

// boards is a host whose billers northwind and southgate have a notice each, and
// what the platform's audit logs hold.
type boards struct {
	*hosttest.Host
	t   *testing.T
	dir string

	mu     sync.Mutex
	audits map[string][]string // by biller
}

// onBothBoards runs f on both databases, host's and add-on's alike.
func onBothBoards(t *testing.T, f func(t *testing.T, b *boards)) {
	t.Helper()
	packages := mustPack(t, "sdk/example/notices")
	for driver, open := range map[string]func(testing.TB, ...sqldb.Migrations) sqldb.Config{sqldb.SQLite: dbtest.SQLite, sqldb.Postgres: dbtest.Postgres} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			b := &boards{t: t, audits: map[string][]string{}}
			its := open(t)
			b.Host = hosttest.MustHost(t, func(c *host.Config, p *hosttest.Platform) {
				c.Packages, c.Database, b.dir = packages, open(t), c.DataDir
				c.AddonDatabase = func(context.Context, string) (sdk.Database, error) {
					return sdk.Database{Driver: its.Driver, DSN: its.DSN, DirectDSN: its.DirectDSN}, nil
				}
				p.RecordAuditFn = b.audit
			})
			b.MustInstall("notice-board")
			south := hosttest.Dana()
			south.BillerID = "southgate"
			mustDo(t, b.Install(t.Context(), south, "notice-board", nil))
			b.mustWrite("northwind", "Ours")
			b.mustWrite("southgate", "Theirs")
			f(t, b)
			if !b.shows("southgate", "Theirs") {
				t.Error("the other biller's notice has gone")
			}
		})
	}
}

func (b *boards) audit(_ context.Context, biller string, r addon.AuditRecord) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.audits[biller] = append(b.audits[biller], r.Action)
	return nil
}

// count tells how often an action stands in a biller's audit log.
func (b *boards) count(biller, action string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.audits[biller] {
		if a == action {
			n++
		}
	}
	return n
}

func (b *boards) mustWrite(biller, text string) {
	b.t.Helper()
	b.Until("the board of "+biller+" is open", func() bool { return b.Get("/admin/addons/notice-board/", "Biller", biller).Status == 200 })
	page := b.Get("/admin/addons/notice-board/", "Biller", biller)
	day := typedDay.FindStringSubmatch(page.Body)
	if day == nil {
		b.t.Fatalf("staff page: %d %s", page.Status, page.Body)
	}
	if got := b.Post("/admin/addons/notice-board/notices", "text="+text+"&last="+monthAfter(b.t, day[1]), "Biller", biller); got.Status != http.StatusSeeOther {
		b.t.Fatalf("write: %d %s", got.Status, got.Body)
	}
}

func (b *boards) shows(biller, text string) bool {
	return strings.Contains(b.Get("/notices/"+biller+"/").Body, text)
}

// gone waits until the biller's data is deleted.
func (b *boards) gone() {
	b.t.Helper()
	b.Until("the data is deleted", func() bool {
		return strings.Contains(b.Get(board+"/purge").Body, "keeps nothing for you")
	})
}

// TestPurgeThroughPages goes the whole way: remove, export, type the name.
func TestPurgeThroughPages(t *testing.T) {
	t.Parallel()
	onBothBoards(t, func(t *testing.T, b *boards) {
		if got := b.Get(board + "/purge"); got.Status != 303 || got.Header.Get("Location") != board+"/remove" {
			t.Errorf("purge of an installed add-on: %d", got.Status)
		}
		if got := b.Post(board+"/purge", "name=Notice+Board"); got.Status != 303 || got.Header.Get("Location") != board+"/remove" {
			t.Errorf("purge of an installed add-on: %d %s", got.Status, got.Body)
		}
		b.Post(board+"/remove", "")
		mustShow(t, b.Host, board, "Export data", "Delete its data", "its data is kept")
		if got := b.Post(board+"/purge", "name=Notice+Board"); got.Status != 422 || !strings.Contains(got.Body, "Export the data before it is deleted.") {
			t.Errorf("without an export: %d %s", got.Status, got.Body)
		}
		file := b.Post(board+"/export", "")
		if file.Status != 200 || !strings.HasPrefix(file.Body, `{"text":"Ours"`) || strings.Contains(file.Body, "Theirs") ||
			file.Header.Get("Content-Type") != "application/jsonl" || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment; filename=notice-board-northwind-") {
			t.Errorf("export: %d %v %s", file.Status, file.Header, file.Body)
		}
		for _, name := range []string{"", "notice board", "Notice Board!", "Notice+Board%00"} {
			if got := b.Post(board+"/purge", "name="+name); got.Status != 422 {
				t.Errorf("typed %q: %d", name, got.Status)
			}
		}
		if !b.installed() {
			t.Fatal("a wrong name deleted it")
		}
		mustShow(t, b.Host, board+"/purge", "Exported ", "Delete all data")
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if got := b.Post(board+"/purge", "name=Notice+Board"); got.Status != 303 || got.Header.Get("Location") != board+"/purge" {
					t.Errorf("purge: %d %s", got.Status, got.Body)
				}
			})
		}
		wg.Wait()
		b.gone()
		for action, want := range map[string]int{"addon.removed": 1, "addon.exported": 1, "addon.purge_ordered": 1, "addon.purged": 1} {
			if n := b.count("northwind", action); n != want {
				t.Errorf("%s stands %d times in the audit log", action, n)
			}
		}
		list, err := b.Operations(t.Context(), hosttest.Dana(), "notice-board")
		if err != nil || len(list) != 2 || list[0].Action != addon.ActionPurged || list[1].Action != addon.ActionPurge || list[0].BillerID != "northwind" {
			t.Errorf("operations = %+v, %v", list, err)
		}
		b.MustInstall("notice-board")
		b.Until("the board is empty", func() bool { return b.shows("northwind", "nothing new today") })
	})
}

func (b *boards) installed() bool {
	list, err := b.Installed(b.t.Context(), "northwind")
	mustDo(b.t, err)
	return len(list) == 1 && list[0].State == addon.Suspended
}

// TestPurgeFromTheCommandLine is another process that shares the database: the
// running host keeps an export and deletes.
func TestPurgeFromTheCommandLine(t *testing.T) {
	t.Parallel()
	onBothBoards(t, func(t *testing.T, b *boards) {
		ctx, order := t.Context(), addon.PurgeOrder{AddonID: "notice-board", Name: "Notice Board", KeepExport: true}
		if err := b.Purge(ctx, hosttest.Dana(), order); !apperr.Is(err, apperr.Conflict) {
			t.Errorf("purge of an installed add-on: %v", err)
		}
		mustDo(t, b.Remove(ctx, hosttest.Dana(), "notice-board"))
		mustDo(t, b.Purge(ctx, hosttest.Dana(), order))
		if err := b.Purge(ctx, hosttest.Dana(), order); err != nil && !apperr.Is(err, apperr.NotFound) {
			t.Errorf("once more, while it goes on or is over: %v", err)
		}
		b.gone()
		files, err := filepath.Glob(filepath.Join(b.dir, "exports", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("exports = %v, %v", files, err)
		}
		kept, err := os.ReadFile(files[0])
		if err != nil || !bytes.Contains(kept, []byte("Ours")) || bytes.Contains(kept, []byte("Theirs")) || filepath.Ext(files[0]) != ".jsonl" {
			t.Errorf("%s holds %s, %v", files[0], kept, err)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if hidden, err := filepath.Glob(filepath.Join(b.dir, "exports", ".*")); err != nil || len(hidden) != 0 {
			t.Errorf("left behind: %v", hidden)
		}
		if err := b.Purge(ctx, hosttest.Dana(), order); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("purge of nothing: %v", err)
		}
		// On the same day once more: that is kept too, in a file of its own.
		b.MustInstall("notice-board")
		mustDo(t, b.Remove(ctx, hosttest.Dana(), "notice-board"))
		mustDo(t, b.Purge(ctx, hosttest.Dana(), order))
		b.gone()
		if files, err = filepath.Glob(filepath.Join(b.dir, "exports", "*")); err != nil || len(files) != 2 {
			t.Errorf("exports = %v, %v", files, err)
		}
	})
}

// TestDataIsForInstallers asks as somebody who may not install.
func TestDataIsForInstallers(t *testing.T) {
	t.Parallel()
	viewer := hosttest.Dana()
	viewer.Abilities = []string{"staff:report"}
	h := hosttest.MustHost(t, func(_ *host.Config, p *hosttest.Platform) { p.StaffFromFn = as(viewer) })
	h.MustInstall("hello")
	for _, got := range []hosttest.Answer{h.Post(hello+"/export", ""), h.Get(hello + "/purge"), h.Post(hello+"/purge", "name=Hello")} {
		if got.Status != 403 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	if _, err := h.Export(t.Context(), viewer, "hello", &bytes.Buffer{}); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("Export = %v", err)
	}
	if err := h.Purge(t.Context(), viewer, addon.PurgeOrder{AddonID: "hello", Name: "Hello"}); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("Purge = %v", err)
	}
}

// TestNothingToExport is an add-on without an export: the page says so, and the
// way to the deletion is free.
func TestNothingToExport(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	if got := h.Post(hello+"/export", ""); got.Status != 404 {
		t.Errorf("export: %d", got.Status)
	}
	h.Post(hello+"/remove", "")
	got := h.Post(hello+"/export", "")
	if got.Status != 303 || got.Header.Get("Location") != hello+"/purge?none=1" {
		t.Fatalf("export: %d %s", got.Status, got.Body)
	}
	mustShow(t, h, hello+"/purge?none=1", "has nothing that could be taken out")
	if got := h.Post(hello+"/purge", "name=Hello"); got.Status != 303 {
		t.Fatalf("purge: %d %s", got.Status, got.Body)
	}
	h.Until("it is gone", func() bool { return strings.Contains(h.Get(hello+"/purge").Body, "keeps nothing for you") })
}
