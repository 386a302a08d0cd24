package hosttest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

var typedDay = regexp.MustCompile(`type="date" value="(\d{4}-\d\d-\d\d)"`)

// monthAfter is long after a day that the board takes for today.
func monthAfter(tb testing.TB, day string) string {
	tb.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		tb.Fatal(err)
	}
	return d.AddDate(0, 1, 0).Format(time.DateOnly)
}

// mustPack packs add-ons, named by their folder, into one folder.
func mustPack(tb testing.TB, addons ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	root := filepath.Join("..", "..")
	for _, folder := range addons {
		manifest := filepath.Join(root, folder, "manifest.yaml")
		if folder == "plugin" {
			manifest = filepath.Join(root, "manifest.yaml")
		}
		if err := hosttest.Pack(dir, "github.com/billing-addons/customer-portal/"+folder, manifest); err != nil {
			tb.Fatal(err)
		}
		name := strings.ReplaceAll(folder, "/", "-") + pack.Extension
		if err := os.Rename(filepath.Join(dir, "package"+pack.Extension), filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// Two add-ons with databases of their own run side by side.
func TestNoticeBoardBesideThePortal(t *testing.T) {
	t.Parallel()
	dir := mustPack(t, "plugin", "sdk/example/notices")
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	h.MustInstall("customer-portal")
	h.MustInstall("notice-board")

	if got := h.Get("/portal/northwind/sign-in"); got.Status != http.StatusOK {
		t.Errorf("portal: %d %s", got.Status, got.Body)
	}
	if got := h.Get("/notices/northwind/"); got.Status != http.StatusOK || !strings.Contains(got.Body, "There is nothing new today.") {
		t.Fatalf("empty board: %d %s", got.Status, got.Body)
	}
	const staff, form = "/admin/addons/notice-board/", "/admin/addons/notice-board/notices"
	board := h.Get(staff)
	day := typedDay.FindStringSubmatch(board.Body)
	if board.Status != http.StatusOK || !strings.Contains(board.Body, `action="`+form+`"`) || day == nil {
		t.Fatalf("staff page: %d %s", board.Status, board.Body)
	}
	if got := h.Post(form, "text=Closed+on+Friday&first="+day[1]+"&last=2999-12-31"); !strings.Contains(got.Body, "a year at most") {
		t.Errorf("too long: %d %s", got.Status, got.Body)
	}
	if got := h.Post(form, "text=Closed+on+Friday&last="+monthAfter(t, day[1])); got.Status != http.StatusSeeOther || got.Header.Get("Location") != staff+"?told=added" {
		t.Fatalf("add: %d %s %s", got.Status, got.Header.Get("Location"), got.Body)
	}
	if got := h.Get("/notices/northwind/"); !strings.Contains(got.Body, "Closed on Friday") {
		t.Errorf("board: %d %s", got.Status, got.Body)
	}
}
