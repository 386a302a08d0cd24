package pack_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestWriteIsReproducible(t *testing.T) {
	t.Parallel()
	first := MustPack(t, folder())
	touched := folder()
	for _, f := range touched {
		f.ModTime, f.Mode = time.Now(), 0o600
	}
	touched["files.json"] = &fstest.MapFile{Data: []byte("stale")}
	if !bytes.Equal(first, MustPack(t, touched)) {
		t.Error("times, modes or an old list change the archive")
	}
	gz, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if gz.Name != "" || !gz.ModTime.IsZero() {
		t.Errorf("the gzip header has name %q and time %v", gz.Name, gz.ModTime)
	}
	var names []string
	for _, e := range entries(t) {
		names = append(names, e.name)
	}
	want := []string{"files.json", "README.md", "bin/linux_amd64/addon", "icon.svg", "manifest.yaml", "static/app.css", "static/img/a.svg"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteTakesFilesFromDisk(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "hello")
	if err := os.WriteFile(program, []byte("arm program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	src := pack.Source{Dir: folder(), Files: map[string]string{"bin/linux_arm64/addon": program, "README.md": program}}
	if err := pack.Write(&b, src); err != nil {
		t.Fatal(err)
	}
	p := MustUnpack(t, b.Bytes())
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, p.Platforms()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := os.ReadFile(p.Path("README.md"))
	if err != nil || string(got) != "arm program" {
		t.Errorf("README.md is %q, %v; a named file wins", got, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(fstest.MapFS)
		files  map[string]string
		want   string
	}{
		"no manifest":      {change: func(f fstest.MapFS) { delete(f, "manifest.yaml") }, want: "manifest.yaml is missing from the package."},
		"broken manifest":  {change: func(f fstest.MapFS) { f["manifest.yaml"].Data = []byte("id: x\n") }, want: "manifest.yaml:1:5: id:"},
		"no program":       {change: func(f fstest.MapFS) { delete(f, "bin/linux_amd64/addon") }, want: "it needs bin/linux_amd64/addon"},
		"unsaid platform":  {change: func(f fstest.MapFS) { f["bin/linux_386/addon"] = &fstest.MapFile{} }, want: "bin/linux_386/addon is not for a platform of the manifest (linux/amd64, linux/arm64)"},
		"stray program":    {change: func(f fstest.MapFS) { f["bin/helper"] = &fstest.MapFile{} }, want: "bin/helper does not belong there"},
		"no icon":          {change: func(f fstest.MapFS) { delete(f, "icon.svg") }, want: "icon icon.svg is not in the package"},
		"symlink":          {change: func(f fstest.MapFS) { f["static/link"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("x")} }, want: "static/link is a link or device"},
		"missing on disk":  {files: map[string]string{"LICENSE": "/nonexistent/LICENSE"}, want: "LICENSE is missing: there is no file /nonexistent/LICENSE."},
		"a folder on disk": {files: map[string]string{"LICENSE": os.TempDir()}, want: "is not a regular file"},
		"traversal":        {files: map[string]string{"../x": "/etc/hostname"}, want: `"../x" is not an allowed file name`},
		"absolute":         {files: map[string]string{"/x": "/etc/hostname"}, want: `"/x" is not an allowed file name`},
		"file and folder":  {change: func(f fstest.MapFS) { delete(f, "README.md") }, files: map[string]string{"static": "/etc/hostname"}, want: "static is both a file and a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder()
			if tc.change != nil {
				tc.change(dir)
			}
			var b bytes.Buffer
			refused(t, pack.Write(&b, pack.Source{Dir: dir, Files: tc.files}), tc.want)
			if b.Len() > 0 {
				t.Errorf("%d bytes were written", b.Len())
			}
		})
	}
}

func TestWriteReportsAFailingWriter(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pack.Write(w, pack.Source{Dir: folder()}); err == nil {
		t.Error("a closed pipe took the archive")
	}
}

func TestNamesOfAnyLanguageAndLength(t *testing.T) {
	t.Parallel()
	dir := folder()
	names := []string{"static/Überschrift.css", "static/日本語/字.svg", "static/" + strings.Repeat("long/", 30) + "name.css"}
	for _, name := range names {
		dir[name] = &fstest.MapFile{Data: []byte(name)}
	}
	p := MustUnpack(t, MustPack(t, dir))
	for _, name := range names {
		if got, err := os.ReadFile(p.Path(name)); err != nil || string(got) != name {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}
