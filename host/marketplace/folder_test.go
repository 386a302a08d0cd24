package marketplace_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

const platform = runtime.GOOS + "/" + runtime.GOARCH

func archive(tb testing.TB, id, name, version, program string) []byte {
	tb.Helper()
	text := "id: " + id + "\nname: " + name + "\nversion: " + version + `
summary: Says hello.
publisher: Acme
icon: people
host: ">=1.0.0 <2.0.0"
capabilities: [invite]
platforms: [` + platform + "]\n"
	var b bytes.Buffer
	err := pack.Write(&b, pack.Source{Dir: fstest.MapFS{
		"manifest.yaml":           {Data: []byte(text)},
		pack.BinaryPath(platform): {Data: []byte(program), Mode: 0o755},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// world is a folder and what was logged about it.
type world struct {
	*marketplace.Folder
	dir string
	log bytes.Buffer
	now time.Time
}

func mustWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{dir: tb.TempDir(), now: time.Now().Add(-time.Hour)}
	w.Folder = marketplace.NewFolder(w.dir, slog.New(slog.NewTextHandler(&w.log, nil)))
	return w
}

func (w *world) put(tb testing.TB, name string, data []byte) {
	tb.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	if err := os.Chtimes(path, w.now, w.now); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) names(tb testing.TB) []string {
	tb.Helper()
	offers, err := w.List(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, o := range offers {
		list = append(list, o.Manifest.ID+" "+o.Manifest.Version)
	}
	return list
}

func TestNothingIsOffered(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		f := marketplace.NewFolder(dir, slog.New(slog.DiscardHandler))
		if offers, err := f.List(t.Context()); err != nil || len(offers) != 0 {
			t.Errorf("%q offers %v, %v", dir, offers, err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.put(t, "a.addon", archive(t, "zebra", "aardvark", "1.0.0", "x"))
	w.put(t, "b.addon", archive(t, "hello", "Hello", "1.9.0", "x"))
	w.put(t, "c.addon", archive(t, "hello", "Hello", "1.10.0", "x"))
	w.put(t, "d.addon", archive(t, "hello", "Hello", "1.10.0-rc.1", "x"))
	w.put(t, "notes.txt", []byte("x"))
	w.put(t, ".hidden.addon", []byte("x"))
	want := []string{"zebra 1.0.0", "hello 1.10.0", "hello 1.10.0-rc.1", "hello 1.9.0"}
	if diff := cmp.Diff(want, w.names(t)); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
	list, err := w.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := pack.Digest(filepath.Join(w.dir, "c.addon"))
	if err != nil || list[1].Digest != digest || list[1].Size == 0 || list[1].PackedAt.IsZero() {
		t.Errorf("offer = %+v, want digest %s", list[1], digest)
	}
}

func TestFolderIsFollowed(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.put(t, "a.addon", archive(t, "hello", "Hello", "1.0.0", "x"))
	first, err := w.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, "a.addon", archive(t, "hello", "Hello", "1.0.0", "new build"))
	second, err := w.List(t.Context())
	if err != nil || second[0].Digest == first[0].Digest {
		t.Errorf("the new build is not offered: %v", err)
	}
	w.put(t, "older.addon", archive(t, "hello", "Hello", "1.0.0", "x"))
	if err := os.Chtimes(filepath.Join(w.dir, "older.addon"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	third, err := w.List(t.Context())
	if err != nil || third[0].Digest != second[0].Digest {
		t.Errorf("an older build of the same version won: %v", err)
	}
	p, err := marketplace.Unpack(t.Context(), w, "hello", "", t.TempDir())
	if err != nil || p.Digest != second[0].Digest {
		t.Errorf("unpacked %v, want the offered build", err)
	}
	for _, name := range []string{"a.addon", "older.addon"} {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.names(t); got != nil {
		t.Errorf("offers = %v", got)
	}
}

func TestBrokenPackagesAreReportedNotOffered(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	good := archive(t, "hello", "Hello", "1.0.0", "x")
	w.put(t, "good.addon", good)
	w.put(t, "cut.addon", good[:len(good)-20])
	w.put(t, "text.addon", []byte("not a package"))
	if diff := cmp.Diff([]string{"hello 1.0.0"}, w.names(t)); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
	w.names(t)
	if n := strings.Count(w.log.String(), "package is not offered"); n != 2 {
		t.Errorf("%d warnings, want 2:\n%s", n, w.log.String())
	}
	broken, err := w.Broken(t.Context())
	if err != nil || len(broken) != 2 || broken[0].File != "cut.addon" || !apperr.Is(broken[1].Err, apperr.Invalid) {
		t.Errorf("broken = %v, %v", broken, err)
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.put(t, "1.addon", archive(t, "hello", "Hello", "1.0.0", "one"))
	w.put(t, "2.addon", archive(t, "hello", "Hello", "2.0.0", "two"))
	folder := filepath.Join(t.TempDir(), "packages")
	for version, want := range map[string]string{"": "2.0.0", "1.0.0": "1.0.0", "2.0.0": "2.0.0"} {
		p, err := marketplace.Unpack(t.Context(), w, "hello", version, folder)
		if err != nil || p.Manifest.Version != want || filepath.Dir(p.Dir) != folder || filepath.Base(p.Dir) != p.Digest {
			t.Errorf("Unpack(%q) = %+v, %v", version, p, err)
			continue
		}
		if err := p.Verify(); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"nothing", "hello"} {
		if _, err := marketplace.Unpack(t.Context(), w, id, "9.9.9", folder); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("Unpack(%s 9.9.9) = %v, want NotFound", id, err)
		}
	}
}

// switching offers one thing and hands over another.
type switching struct {
	*marketplace.Folder
	data []byte
}

func TestUnpackRefusesAnotherPackage(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.put(t, "1.addon", archive(t, "hello", "Hello", "1.0.0", "one"))
	s := switching{w.Folder, archive(t, "other", "Other", "1.0.0", "evil")}
	if _, err := marketplace.Unpack(t.Context(), s, "hello", "", t.TempDir()); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("Unpack = %v, want Invalid", err)
	}
}

// Fetch implements marketplace.Source.
func (s switching) Fetch(context.Context, string, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.data)), nil
}

// TestPipeIsNotRead puts a pipe there, which would keep its reader for ever.
func TestPipeIsNotRead(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	if err := syscall.Mkfifo(filepath.Join(w.dir, "pipe.addon"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, err := w.Broken(t.Context())
	if err != nil || len(broken) != 1 || apperr.MessageOf(broken[0].Err) != "pipe.addon is no regular file." {
		t.Errorf("broken = %v, %v", broken, err)
	}
}
