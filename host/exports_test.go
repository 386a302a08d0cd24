package host_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// TestOldExportsGo removes kept exports after 30 days, and what a killed process
// was writing after one; folders and younger files stay.
func TestOldExportsGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := site{data: dir, packages: t.TempDir(), host: sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")}}
	h, err := host.New(t.Context(), at.config(), &hosttest.Platform{})
	must(t, err)
	t.Cleanup(func() { must(t, h.Close()) })
	exports, now, day := filepath.Join(dir, "exports"), time.Now(), 24*time.Hour
	must(t, os.MkdirAll(filepath.Join(exports, "folder"), 0o700))
	for name, age := range map[string]time.Duration{"old.zip": 31 * day, "young.zip": 29 * day, ".old": 25 * time.Hour, ".young": 23 * time.Hour} {
		file := filepath.Join(exports, name)
		must(t, os.WriteFile(file, nil, 0o600))
		must(t, os.Chtimes(file, time.Time{}, now.Add(-age)))
	}
	must(t, os.Chtimes(filepath.Join(exports, "folder"), time.Time{}, now.Add(-99*day)))
	must(t, h.SweepExports(now))
	entries, err := os.ReadDir(exports)
	must(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".young", "folder", "young.zip"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

// TestKeptNamesDiffer: no two purges share a file, or the second would keep none.
func TestKeptNamesDiffer(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	seen := map[string]addon.Installation{}
	for _, i := range []addon.Installation{
		{AddonID: "notice", BillerID: "board-acme", UpdatedAt: noon},
		{AddonID: "notice-board", BillerID: "acme", UpdatedAt: noon},
		{AddonID: "notice-board", BillerID: "acme", UpdatedAt: noon.Add(time.Microsecond)},
		{AddonID: "notice-board", BillerID: "a.b", UpdatedAt: noon},
		{AddonID: "notice-board", BillerID: "a_b", UpdatedAt: noon},
	} {
		name := host.KeptName(i, "data.jsonl")
		if other, ok := seen[name]; ok || filepath.Ext(name) != ".jsonl" || filepath.Base(name) != name {
			t.Errorf("%+v and %+v are both kept as %s", i, other, name)
		}
		seen[name] = i
	}
}
