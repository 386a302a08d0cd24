package host

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
)

func TestTidy(t *testing.T) {
	t.Parallel()
	now := time.Now()
	digest := func(c string) string { return strings.Repeat(c, 64) }
	dir := filepath.Join(t.TempDir(), "packages")
	s := &shelf{dir: dir, log: slog.New(slog.DiscardHandler), active: func(context.Context) ([]addon.Active, error) {
		return []addon.Active{{
			AddonID: "hello", Digest: digest("a"), Next: addon.Version{Digest: digest("b")}, Previous: addon.Version{Digest: digest("c")},
		}}, nil
	}}
	mustDo(t, s.tidy(t.Context(), now)) // there is no folder yet
	for _, name := range []string{digest("a"), digest("b"), digest("c"), digest("d"), digest("e"), digest("f"), ".unpack-1", ".damaged-1", "mine"} {
		mustDo(t, os.MkdirAll(filepath.Join(dir, name, "bin"), 0o755))
		past := now.Add(-time.Hour)
		mustDo(t, os.Chtimes(filepath.Join(dir, name), past, past))
	}
	mustDo(t, os.Chtimes(filepath.Join(dir, digest("d")), now, now)) // just unpacked
	running, err := os.Open(filepath.Join(dir, digest("e")))         // by another host
	mustDo(t, err)
	mustDo(t, syscall.Flock(int(running.Fd()), syscall.LOCK_SH))

	mustDo(t, s.tidy(t.Context(), now))
	check := func(want ...string) {
		t.Helper()
		var got []string
		entries, err := os.ReadDir(dir)
		mustDo(t, err)
		for _, e := range entries {
			got = append(got, e.Name()[:1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check("a", "b", "c", "d", "e", "m")
	mustDo(t, running.Close())

	// Without the database nobody knows what is needed.
	active := s.active
	s.active = func(context.Context) ([]addon.Active, error) { return nil, errors.New("away") }
	if err := s.tidy(t.Context(), now); err == nil {
		t.Error("tidy without the database")
	}
	check("a", "b", "c", "d", "e", "m")
	s.active = active
	// A process that another test starts just now may still hold the lock for it.
	for range 1000 {
		mustDo(t, s.tidy(t.Context(), now))
		if _, err := os.Stat(filepath.Join(dir, digest("e"))); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	check("a", "b", "c", "d", "m")
}
