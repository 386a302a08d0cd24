package pack_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	dest := filepath.Join(t.TempDir(), "packages")
	p, err := pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Dir != filepath.Join(dest, p.Digest) || p.Manifest.Name != "Hello" {
		t.Errorf("got %+v", p)
	}
	if diff := cmp.Diff([]string{p.Digest}, leftovers(t, dest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, mode := range map[string]fs.FileMode{"bin/linux_amd64/addon": 0o555, "manifest.yaml": 0o444, "files.json": 0o444} {
		info, err := os.Stat(p.Path(name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := pack.Verify(p.Dir); err != nil {
		t.Error(err)
	}
	if err := p.Verify(); err != nil {
		t.Error(err)
	}
	if got := MustPackDir(t, p.Dir); !bytes.Equal(archive, got) {
		t.Error("packing the unpacked folder gives another archive")
	}
}

// MustPackDir returns the archive of a folder on disk.
func MustPackDir(tb testing.TB, dir string) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := pack.Write(&b, pack.Source{Dir: os.DirFS(dir)}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpackSixteenAtOnce(t *testing.T) {
	t.Parallel()
	archive, dest := MustPack(t, folder()), t.TempDir()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			p, err := pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := leftovers(t, dest); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnpackMendsADamagedFolder(t *testing.T) {
	t.Parallel()
	archive, dest := MustPack(t, folder()), t.TempDir()
	p, err := pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	MustChange(t, p.Path("static/app.css"), "body{ }")
	refused(t, p.Verify(), "static/app.css has changed")
	if _, err := pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, dest); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// MustChange rewrites a read-only file and keeps its mode.
func MustChange(tb testing.TB, file, data string) {
	tb.Helper()
	info, err := os.Stat(file)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(file, info.Mode()); err != nil {
		tb.Fatal(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	for name, tc := range map[string]struct {
		change func(p *pack.Package) error
		want   string
	}{
		"changed byte": {func(p *pack.Package) error {
			MustChange(t, p.Path("bin/linux_amd64/addon"), "\x7fELF prograM")
			return nil
		}, "bin/linux_amd64/addon has changed since it was packed (sha256 "},
		"extra file": {func(p *pack.Package) error {
			return os.WriteFile(p.Path("static/evil.js"), nil, 0o444)
		}, "static/evil.js is not listed in files.json."},
		"missing file": {func(p *pack.Package) error { return os.Remove(p.Path("README.md")) },
			"README.md is missing from the package."},
		"link instead of file": {func(p *pack.Package) error {
			outside := p.Path("../moved")
			if err := os.Rename(p.Path("README.md"), outside); err != nil {
				return err
			}
			return os.Symlink(outside, p.Path("README.md"))
		}, "README.md is a link or device"},
		"symlink": {func(p *pack.Package) error { return os.Symlink("/etc/passwd", p.Path("static/passwd")) },
			"static/passwd is a link or device"},
		"mode": {func(p *pack.Package) error { return os.Chmod(p.Path("README.md"), 0o755) },
			"README.md has mode 0755; it was packed as 0444."},
		"no list": {func(p *pack.Package) error { return os.Remove(p.Path("files.json")) },
			"files.json is missing or cannot be read."},
		"no manifest": {func(p *pack.Package) error { return os.Remove(p.Path("manifest.yaml")) },
			"manifest.yaml is missing or cannot be read."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := MustUnpack(t, archive)
			if err := tc.change(p); err != nil {
				t.Fatal(err)
			}
			refused(t, pack.Verify(p.Dir), tc.want)
			refused(t, p.Verify(), tc.want)
		})
	}
}

func TestVerifyRefusesAReplacedList(t *testing.T) {
	t.Parallel()
	p, other := MustUnpack(t, MustPack(t, folder())), folder()
	other["bin/linux_amd64/addon"].Data = []byte("another program")
	q := MustUnpack(t, MustPack(t, other))
	for _, name := range []string{"files.json", "bin/linux_amd64/addon"} {
		data, err := os.ReadFile(q.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		MustChange(t, p.Path(name), string(data))
	}
	if err := pack.Verify(p.Dir); err != nil {
		t.Errorf("the folder is sound in itself: %v", err)
	}
	refused(t, p.Verify(), "files.json has changed since it was packed")
}

func TestOpenAnyFolder(t *testing.T) {
	t.Parallel()
	p := MustUnpack(t, MustPack(t, folder()))
	elsewhere := filepath.Join(t.TempDir(), "hello")
	if err := os.Rename(p.Dir, elsewhere); err != nil {
		t.Fatal(err)
	}
	got, err := pack.Open(elsewhere)
	if err != nil || got.Digest != "" || got.ListDigest != p.ListDigest {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = pack.Open(t.TempDir())
	refused(t, err, "files.json is missing or cannot be read.")
}

// TestUnpackSweeps finds what killed processes left, and what is being unpacked:
// its folder is locked.
func TestUnpackSweeps(t *testing.T) {
	t.Parallel()
	dest := t.TempDir()
	for _, name := range []string{".unpack-old", ".damaged-old", ".unpack-new", "other-old"} {
		dir := filepath.Join(dest, name)
		mustDo(t, os.MkdirAll(filepath.Join(dir, "static"), 0o755))
		mustDo(t, os.WriteFile(filepath.Join(dir, "static", "x"), nil, 0o444))
	}
	work, err := os.Open(filepath.Join(dest, ".unpack-new"))
	mustDo(t, err)
	mustDo(t, syscall.Flock(int(work.Fd()), syscall.LOCK_EX))
	p, err := pack.Unpack(bytes.NewReader(MustPack(t, folder())), dest, pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { mustDo(t, work.Close()) }()
	want := []string{".unpack-new", p.Digest, "other-old"}
	if diff := cmp.Diff(want, leftovers(t, dest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func mustDo(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func TestVerifyButTrustsOneContentOnly(t *testing.T) {
	t.Parallel()
	p := MustUnpack(t, MustPack(t, folder()))
	const program = "bin/linux_amd64/addon"
	MustChange(t, p.Path(program), "another program")
	if err := p.VerifyBut(program); err != nil {
		t.Errorf("the content that the caller checks: %v", err)
	}
	refused(t, p.VerifyBut("static/app.css"), program+" has changed")
	if err := os.Chmod(p.Path(program), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, p.VerifyBut(program), program+" has mode")
	if err := os.Remove(p.Path(program)); err != nil {
		t.Fatal(err)
	}
	refused(t, p.VerifyBut(program), program+" is missing")
}
