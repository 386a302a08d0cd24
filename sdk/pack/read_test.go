package pack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestReadDescribesThePackage(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	p, err := pack.Read(iotest.OneByteReader(bytes.NewReader(archive)), pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hello.addon")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := pack.Digest(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest != want || p.Manifest.ID != "hello" || p.Dir != "" || len(p.Files) != 6 || len(p.ListDigest) != 64 {
		t.Errorf("got %+v", p)
	}
	f, err := p.Binary("linux/amd64")
	if err != nil || f.Path != "bin/linux_amd64/addon" || f.Mode != "0555" {
		t.Errorf("got %+v, %v", f, err)
	}
	_, err = p.Binary("linux/arm64")
	if got := apperr.MessageOf(err); got != "Hello 1.0.0 has no program for linux/arm64; it has linux/amd64." || !apperr.Is(err, apperr.NotFound) {
		t.Errorf("got %q", got)
	}
}

func TestReadRefusesAnArchive(t *testing.T) {
	t.Parallel()
	type change func(e []entry) []entry
	relist := func(e []entry) []entry { return append([]entry{listOf(t, e[1:])}, e[1:]...) }
	set := func(name, data string) change {
		return func(e []entry) []entry {
			e[slices.IndexFunc(e, func(x entry) bool { return x.name == name })].data = data
			return e
		}
	}
	add := func(x entry) change { return func(e []entry) []entry { return append(e, x) } }
	listed := func(x entry) change { return func(e []entry) []entry { return relist(append(e, x)) } }
	for name, tc := range map[string]struct {
		change change
		want   string
	}{
		"one changed byte":   {set("bin/linux_amd64/addon", "\x7fELF prograM"), "bin/linux_amd64/addon has changed since it was packed (sha256 "},
		"another size":       {set("static/app.css", "body{} "), "static/app.css has 7 bytes; files.json says 6."},
		"unlisted":           {add(entry{name: "static/evil.js"}), "static/evil.js is not listed in files.json."},
		"missing":            {func(e []entry) []entry { return e[:len(e)-1] }, "static/img/a.svg is listed in files.json and missing from the archive."},
		"twice":              {func(e []entry) []entry { return append(e, e[len(e)-1]) }, "static/img/a.svg is in the archive twice."},
		"no list":            {func(e []entry) []entry { return e[1:] }, "does not begin with files.json"},
		"list later":         {func(e []entry) []entry { e[0], e[1] = e[1], e[0]; return e }, "does not begin with files.json"},
		"empty":              {func([]entry) []entry { return nil }, "does not begin with files.json"},
		"list is no JSON":    {set("files.json", "hello"), "files.json is not a list of files."},
		"list has more":      {func(e []entry) []entry { e[0].data += "{}"; return e }, "files.json has something after the list."},
		"list unknown key":   {set("files.json", `{"format":1,"file":[]}`), "files.json is not a list of files."},
		"list from tomorrow": {set("files.json", `{"format":2,"files":[]}`), "format 2; this program reads format 1"},
		"list is empty":      {set("files.json", `{"format":1,"files":[]}`), "manifest.yaml is missing from the package."},
		"traversal":          {listed(entry{name: "../evil"}), `"../evil" is not an allowed file name`},
		"hidden traversal":   {listed(entry{name: "static/../../evil"}), `"static/../../evil" is not an allowed file name`},
		"absolute":           {listed(entry{name: "/etc/cron.d/evil"}), `"/etc/cron.d/evil" is not an allowed file name`},
		"backslash":          {listed(entry{name: `..\evil`}), "is not an allowed file name"},
		"control character":  {listed(entry{name: "static/a\nb"}), "has a control character"},
		"unlisted traversal": {add(entry{name: "../evil"}), `"../evil" is not an allowed file name`},
		"symlink":            {add(entry{name: "static/link", typeflag: tar.TypeSymlink, link: "/etc/passwd"}), `"static/link" is a symbolic link`},
		"hard link":          {add(entry{name: "static/link", typeflag: tar.TypeLink, link: "/etc/passwd"}), `"static/link" is a hard link`},
		"device":             {add(entry{name: "static/null", typeflag: tar.TypeChar}), `"static/null" is a device`},
		"fifo":               {add(entry{name: "static/pipe", typeflag: tar.TypeFifo}), `"static/pipe" is a device`},
		"folder entry":       {add(entry{name: "static/", typeflag: tar.TypeDir}), `"static/" is a folder entry`},
		"file and folder":    {listed(entry{name: "static/img"}), "static/img is both a file and a folder."},
		"second program":     {listed(entry{name: "bin/linux_amd64/helper"}), "bin/linux_amd64/helper does not belong there"},
		"unsaid platform":    {listed(entry{name: "bin/linux_386/addon"}), "bin/linux_386/addon is not for a platform of the manifest"},
		"listed twice":       {func(e []entry) []entry { return relist(append(e, e[1])) }, "files.json lists README.md twice."},
		"broken manifest":    {func(e []entry) []entry { return relist(set("manifest.yaml", "id: hello\n")(e)) }, "manifest.yaml:1:1: name: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive := MustTar(t, tc.change(entries(t)))
			_, err := pack.Read(bytes.NewReader(archive), pack.Limits{})
			refused(t, err, tc.want)
			dest := t.TempDir()
			_, err = pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{})
			refused(t, err, tc.want)
			if left := leftovers(t, dest); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestReadRefusesDamage(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	for n := 0; n < len(archive); n += 13 {
		_, err := pack.Read(bytes.NewReader(archive[:n]), pack.Limits{})
		if !apperr.Is(err, apperr.Invalid) {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(archive), err)
		}
	}
	_, err := pack.Read(bytes.NewReader(archive[:len(archive)/2]), pack.Limits{})
	refused(t, err, "The archive ends too early; copy or download it again.")
	_, err = pack.Read(strings.NewReader("PK\x03\x04 not a package at all"), pack.Limits{})
	refused(t, err, "This is not an add-on package; make one with addon pack.")
	_, err = pack.Read(bytes.NewReader(append(slices.Clone(archive), 'x')), pack.Limits{})
	refused(t, err, "The archive has data after its end.")
	_, err = pack.Read(bytes.NewReader(append(slices.Clone(archive), archive...)), pack.Limits{})
	refused(t, err, "The archive has data after its end.")
	wrongSum := slices.Clone(archive)
	wrongSum[len(wrongSum)-8] ^= 1
	_, err = pack.Read(bytes.NewReader(wrongSum), pack.Limits{})
	refused(t, err, "The archive is damaged; copy or download it again.")
}

func TestReadPassesOnAReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	archive := MustPack(t, folder())
	_, err := pack.Read(io.MultiReader(bytes.NewReader(archive[:200]), iotest.ErrReader(broken)), pack.Limits{})
	if !errors.Is(err, broken) || apperr.CodeOf(err) != apperr.Internal {
		t.Errorf("got %v", err)
	}
}

func TestReadKeepsLimits(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	for name, tc := range map[string]struct {
		limits pack.Limits
		want   string
	}{
		"files": {pack.Limits{Files: 5}, "The package has 6 files; 5 are allowed."},
		"file":  {pack.Limits{File: 100}, "manifest.yaml has 173 bytes; a file may have 100 bytes."},
		"total": {pack.Limits{Total: 200}, "The files of the package have more than 200 bytes together."},
	} {
		_, err := pack.Read(bytes.NewReader(archive), tc.limits)
		t.Run(name, func(t *testing.T) { refused(t, err, tc.want) })
	}
}

// TestReadStopsABomb gives files that say little about themselves and unpack to much.
func TestReadStopsABomb(t *testing.T) {
	t.Parallel()
	limits := pack.Limits{Files: 10, File: 1 << 20, Total: 1 << 20}
	list := entries(t)
	list = append(list, entry{name: "static/bomb", data: strings.Repeat("\x00", 8<<20)})
	_, err := pack.Read(bytes.NewReader(MustTar(t, list)), limits)
	refused(t, err, "static/bomb is not listed")
	list[0] = listOf(t, list[1:])
	dest := t.TempDir()
	_, err = pack.Unpack(bytes.NewReader(MustTar(t, list)), dest, limits)
	refused(t, err, "static/bomb has 8.0 MiB; a file may have 1.0 MiB.")
	if left := leftovers(t, dest); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	var trailing bytes.Buffer
	gz := gzip.NewWriter(&trailing)
	if _, err := io.CopyN(gz, zeros{}, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = pack.Read(&trailing, limits)
	refused(t, err, "does not begin with files.json")
}

func TestReadRefusesDataAfterTheLastFile(t *testing.T) {
	t.Parallel()
	in, err := gzip.NewReader(bytes.NewReader(MustPack(t, folder())))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	if _, err := io.Copy(gz, io.MultiReader(in, io.LimitReader(zeros{}, 8<<20))); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = pack.Read(&out, pack.Limits{})
	refused(t, err, "The archive has data after its last file.")
}

// TestReadStopsEndlessHeaders gives an archive of nothing but long headers.
func TestReadStopsEndlessHeaders(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	list := entries(t)[0].data
	if err := tw.WriteHeader(&tar.Header{Name: "files.json", Typeflag: tar.TypeReg, Size: int64(len(list))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(tw, list); err != nil {
		t.Fatal(err)
	}
	if err := tw.Flush(); err != nil {
		t.Fatal(err)
	}
	var header bytes.Buffer
	hw := tar.NewWriter(&header)
	if err := hw.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"ACME.comment": strings.Repeat("x", 900<<10)}}); err != nil {
		t.Fatal(err)
	}
	extension := header.Bytes()[:header.Len()-512] // without the file it belongs to
	for range 20 {
		if _, err := gz.Write(extension); err != nil {
			t.Fatal(err)
		}
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := pack.Read(&out, pack.Limits{Files: 10, File: 1 << 20, Total: 1 << 20})
	refused(t, err, "The archive unpacks to more than is allowed.")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzRead(f *testing.F) {
	archive := MustPack(f, folder())
	f.Add(archive)
	f.Add(archive[:len(archive)/2])
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add(MustTar(f, nil))
	f.Add(MustTar(f, []entry{{name: "files.json", data: "{}"}}))
	f.Add(MustTar(f, append(entries(f), entry{name: "../x", typeflag: tar.TypeSymlink, link: "/"})))
	limits := pack.Limits{Files: 50, File: 1 << 20, Total: 2 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := pack.Read(bytes.NewReader(data), limits)
		if err != nil {
			if !apperr.Is(err, apperr.Invalid) {
				t.Fatalf("an archive cannot cause %v", err)
			}
			return
		}
		again, err := pack.Unpack(bytes.NewReader(data), t.TempDir(), limits)
		if err != nil {
			t.Fatalf("read, but not unpacked: %v", err)
		}
		if err := again.Verify(); err != nil {
			t.Fatalf("unpacked, but not verified: %v", err)
		}
		if diff := cmp.Diff(p.Files, again.Files); diff != "" || p.Digest != again.Digest {
			t.Fatalf("read and unpacked differ:\n%s", diff)
		}
	})
}
