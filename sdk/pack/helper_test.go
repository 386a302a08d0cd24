package pack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

const text = `id: hello
name: Hello
version: 1.0.0
summary: Says hello.
icon: icon.svg
publisher: Acme
host: ">=1.0.0 <2.0.0"
capabilities: [events]
platforms: [linux/amd64, linux/arm64]
`

// folder is a small sound package.
func folder() fstest.MapFS {
	fs := fstest.MapFS{}
	for name, content := range map[string]string{
		"manifest.yaml":         text,
		"icon.svg":              "<svg/>",
		"README.md":             "# Hello\n",
		"bin/linux_amd64/addon": "\x7fELF program",
		"static/app.css":        "body{}",
		"static/img/a.svg":      "<svg></svg>",
	} {
		fs[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return fs
}

// MustPack returns the archive of a folder.
func MustPack(tb testing.TB, fs fstest.MapFS) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := pack.Write(&b, pack.Source{Dir: fs}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// MustUnpack unpacks an archive below a fresh folder.
func MustUnpack(tb testing.TB, archive []byte) *pack.Package {
	tb.Helper()
	p, err := pack.Unpack(bytes.NewReader(archive), tb.TempDir(), pack.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// entry is one tar entry of a hand-made archive.
type entry struct {
	name, data, link string
	typeflag         byte
}

// MustTar writes a gzip'd tar of exactly these entries.
func MustTar(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.typeflag, Linkname: e.link, Mode: 0o444}
		if e.typeflag == 0 || e.typeflag == tar.TypeReg {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.data))
		}
		if err := tw.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(tw, e.data); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// entries returns the sound folder as tar entries, files.json first.
func entries(tb testing.TB) []entry {
	tb.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(MustPack(tb, folder())))
	if err != nil {
		tb.Fatal(err)
	}
	var list []entry
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			tb.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, entry{name: h.Name, data: string(data)})
	}
}

// listOf returns a files.json for entries, whatever their names.
func listOf(tb testing.TB, files []entry) entry {
	tb.Helper()
	var list []pack.File
	for _, e := range files {
		sum := sha256.Sum256([]byte(e.data))
		mode := "0444"
		if strings.HasSuffix(e.name, "/addon") {
			mode = "0555"
		}
		list = append(list, pack.File{Path: e.name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(e.data)), Mode: mode})
	}
	slices.SortFunc(list, func(a, b pack.File) int { return strings.Compare(a.Path, b.Path) })
	data, err := json.Marshal(map[string]any{"format": 1, "files": list})
	if err != nil {
		tb.Fatal(err)
	}
	return entry{name: "files.json", data: string(data)}
}

// refused checks that err is for people and contains want.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if !apperr.Is(err, apperr.Invalid) {
		t.Errorf("got %v, want it refused as invalid", err)
		return
	}
	if got := apperr.MessageOf(err); !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// leftovers returns what is in a folder.
func leftovers(tb testing.TB, dir string) []string {
	tb.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, filepath.Base(f.Name()))
	}
	return names
}
