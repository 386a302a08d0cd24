package marketplace_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestNewestRootIsKept lets a host see that a key was replaced and nothing else:
// from then on the old key counts no more, also if the new root is held back.
func TestNewestRootIsKept(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	s, dir := mustSite(t, m), t.TempDir()
	versions(t, m.mustClient(t, dir, s.at))
	stolen := copyOf(t, m)
	must(t, m.RotateKey(t.Context(), "timestamp"))
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		return !strings.HasSuffix(r.URL.Path, ".root.json") && down(w, r)
	})
	_, err := m.mustClient(t, dir, s.at).List(t.Context())
	refused(t, err, apperr.Unavailable)

	s.answer(nil)
	must(t, os.RemoveAll(m.Dir))
	must(t, os.CopyFS(m.Dir, os.DirFS(stolen.dir)))
	keys, err := filepath.Glob(filepath.Join(stolen.keys, "timestamp-*.pem"))
	must(t, err)
	data, err := os.ReadFile(filepath.Join(m.Dir, "metadata", "2.snapshot.json"))
	must(t, err)
	forged := metadata.Timestamp(m.clock().Add(day))
	forged.Signed.Version, forged.Signed.Meta["snapshot.json"] = 99, meta(2, data)
	sign(forger{tb: t, m: m, keys: keys}, "timestamp", forged, "timestamp.json")
	_, err = m.mustClient(t, dir, s.at).List(t.Context())
	refused(t, err, apperr.Unavailable, "timestamp.json is not signed by enough of the keys this host trusts")
}

// TestKeysAreNeverServed keeps private keys in the folder that is served, also
// through a link.
func TestKeysAreNeverServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	must(t, os.MkdirAll(filepath.Join(dir, "m"), 0o755))
	must(t, os.Symlink(filepath.Join(dir, "m"), link))
	for _, keys := range []string{filepath.Join(dir, "m", "keys"), filepath.Join(link, "keys"), filepath.Join(dir, "m")} {
		m := marketplace.Repository{Dir: filepath.Join(dir, "m"), Keys: keys}
		refused(t, m.Init(t.Context(), marketplace.Setup{}), apperr.Invalid, "would be served with the marketplace")
		if left, err := filepath.Glob(filepath.Join(dir, "m", "*", "*.pem")); err != nil || left != nil {
			t.Errorf("keys in the folder: %v, %v", left, err)
		}
	}
	mustInit := marketplace.Repository{Dir: filepath.Join(dir, "m"), Keys: filepath.Join(dir, "m-keys")}
	must(t, mustInit.Init(t.Context(), marketplace.Setup{}))
}

// TestAbandonedFiles are what a process leaves that is killed while it writes.
func TestAbandonedFiles(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	dir := t.TempDir()
	c := m.mustClient(t, dir)
	versions(t, c)
	shelves, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	old := time.Now().Add(-2 * time.Hour)
	var left []string
	for _, name := range []string{filepath.Join(m.Keys, ".new-1"), filepath.Join(m.Dir, "metadata", ".new-2"), filepath.Join(m.Dir, "targets", "hello", ".new-3"),
		filepath.Join(shelves[0], "look-4"), filepath.Join(shelves[0], "package-5"), filepath.Join(shelves[0], ".new-6")} {
		must(t, os.WriteFile(name, []byte("half"), 0o600))
		must(t, os.Chtimes(name, old, old))
		left = append(left, name)
	}
	young := filepath.Join(shelves[0], "look-young")
	must(t, os.Mkdir(young, 0o700))
	versions(t, c)
	_, err = m.Refresh(t.Context())
	must(t, err)
	for _, name := range left {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left over: %v", name, err)
		}
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what another process may work in: %v", err)
	}
}

// TestInterruptedDocuments stops a publication before each of its files: what was
// offered stays sound, and the next publication is whole.
func TestInterruptedDocuments(t *testing.T) {
	t.Parallel()
	for n := range 7 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			m := mustMarket(t, marketplace.Setup{})
			m.mustPublish(t, "1.0.0", "x")
			before := copyOf(t, m)
			file := described(t, "2.0.0", "icon.svg", all3())
			_, _, err := m.Publish(t.Context(), file, false)
			must(t, err)
			written := []string{"targets/hello/*.2.0.0.addon", "targets/hello/2.0.0/*.README.md", "targets/hello/2.0.0/*.CHANGELOG.md",
				"targets/hello/2.0.0/*.icon.svg", "metadata/3.targets.json", "metadata/3.snapshot.json"}
			before.restore(t, m, "metadata/timestamp.json")
			for _, pattern := range written[min(n, len(written)):] {
				found, err := filepath.Glob(filepath.Join(m.Dir, filepath.FromSlash(pattern)))
				if err != nil || len(found) != 1 {
					t.Fatal(pattern, found, err)
				}
				must(t, os.Remove(found[0]))
			}
			same(t, "offers", []string{"hello 1.0.0"}, versions(t, m.mustClient(t, t.TempDir())))
			_, _, err = m.Publish(t.Context(), file, false)
			must(t, err)
			_, err = m.Refresh(t.Context())
			must(t, err)
			same(t, "offers", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, m.mustClient(t, t.TempDir())))
			_, err = m.Verify(t.Context())
			must(t, err)
		})
	}
}

// TestFullDisk says that it is the disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.ENOSPC, fmt.Errorf("copy: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT})} {
		refused(t, marketplace.NoSpace(err), apperr.Unavailable, "The disk of this server is full")
	}
	if err := marketplace.NoSpace(os.ErrClosed); !errors.Is(err, os.ErrClosed) || marketplace.NoSpace(nil) != nil {
		t.Errorf("another error became %v", err)
	}
}

// TestPublishReadsNoPipes, which would keep it for ever.
func TestPublishReadsNoPipes(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	pipe := filepath.Join(t.TempDir(), "pipe.addon")
	must(t, syscall.Mkfifo(pipe, 0o600))
	_, _, err := m.Publish(t.Context(), pipe, false)
	refused(t, err, apperr.Invalid, "is no regular file")
}
