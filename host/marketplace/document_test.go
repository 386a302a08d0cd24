package marketplace_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 2h12"/></svg>`

// described is a package of hello with documents; extra files come on top.
func described(tb testing.TB, version, icon string, extra map[string]string) string {
	tb.Helper()
	files := fstest.MapFS{pack.BinaryPath(platform): {Data: []byte("x"), Mode: 0o755}}
	files["manifest.yaml"] = &fstest.MapFile{Data: []byte("id: hello\nname: Hello\nversion: " + version + "\nicon: " + icon + `
summary: Says hello.
publisher: Acme
host: ">=1.0.0 <2.0.0"
capabilities: [invite]
platforms: [` + platform + "]\n")}
	for name, text := range extra {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	path := filepath.Join(tb.TempDir(), "hello-"+version+".addon")
	var b bytes.Buffer
	must(tb, pack.Write(&b, pack.Source{Dir: files}))
	must(tb, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

func all3() map[string]string {
	return map[string]string{"README.md": "# Hello\n", "CHANGELOG.md": "# 1.0.0\n", "icon.svg": drawing}
}

func offerOf(tb testing.TB, from marketplace.Source, version string) *manifest.Manifest {
	tb.Helper()
	list, err := from.List(tb.Context())
	must(tb, err)
	for _, o := range list {
		if o.Manifest.Version == version {
			return o.Manifest
		}
	}
	tb.Fatalf("%s is not offered", version)
	return nil
}

func mustDocument(tb testing.TB, from marketplace.Source, m *manifest.Manifest, name, want string) {
	tb.Helper()
	data, err := from.Document(tb.Context(), m, name)
	if err != nil || string(data) != want {
		tb.Errorf("%s = %q, %v", name, data, err)
	}
}

// TestDocuments reads what is published beside a package: signed, kept, also
// without the marketplace, and from a folder of packages.
func TestDocuments(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	file := described(t, "1.0.0", "icon.svg", all3())
	_, _, err := m.Publish(t.Context(), file, false)
	must(t, err)
	s, dir := mustSite(t, m), t.TempDir()
	c := m.mustClient(t, dir, s.at)
	hello := offerOf(t, c, "1.0.0")
	folder := marketplace.NewFolder(filepath.Dir(file), nil)
	for _, from := range []marketplace.Source{c, folder} {
		mustDocument(t, from, hello, marketplace.Readme, "# Hello\n")
		mustDocument(t, from, hello, marketplace.Icon, drawing)
		_, err := from.Document(t.Context(), hello, "LICENSE")
		refused(t, err, apperr.NotFound, "Hello 1.0.0 has no LICENSE.")
	}
	s.answer(down)
	mustDocument(t, c, hello, marketplace.Readme, "# Hello\n")
	mustDocument(t, m.mustClient(t, dir, s.at), hello, marketplace.Icon, drawing)
	_, err = c.Document(t.Context(), hello, marketplace.Changelog)
	refused(t, err, apperr.Unavailable, "cannot be reached at the moment")
	kept, err := filepath.Glob(filepath.Join(dir, "*", "documents", "*"))
	if err != nil || len(kept) != 2 {
		t.Fatalf("kept = %v, %v", kept, err)
	}
	for _, file := range kept { // what was changed on disk is not shown
		must(t, os.WriteFile(file, []byte("evil"), 0o600))
	}
	_, err = c.Document(t.Context(), hello, marketplace.Readme)
	refused(t, err, apperr.Unavailable, "cannot be reached")

	s.answer(nil)
	must(t, m.Withdraw(t.Context(), "hello", "1.0.0"))
	_, err = c.Document(t.Context(), hello, marketplace.Readme)
	refused(t, err, apperr.NotFound, "has no README.md")
	if left, err := filepath.Glob(filepath.Join(m.Dir, "targets", "hello", "*", "*")); err != nil || left != nil {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestChangedDocuments changes, cuts and lengthens the file of a document, and
// offers one that is longer than any may be.
func TestChangedDocuments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"# hellO\n", "# Hell", "# Hello\n" + strings.Repeat("x", 1<<20)} {
		m := mustMarket(t, marketplace.Setup{})
		_, _, err := m.Publish(t.Context(), described(t, "1.0.0", "people", all3()), false)
		must(t, err)
		found, err := filepath.Glob(filepath.Join(m.Dir, "targets", "hello", "1.0.0", "*.README.md"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		must(t, os.WriteFile(found[0], []byte(text), 0o600))
		c := m.mustClient(t, t.TempDir())
		_, err = c.Document(t.Context(), offerOf(t, c, "1.0.0"), marketplace.Readme)
		refused(t, err, apperr.Invalid, "hello/1.0.0/README.md is refused: it is not the one that the marketplace signed.")
		_, err = m.Verify(t.Context())
		refused(t, err, apperr.Invalid, "hello/1.0.0/README.md is refused")
	}
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	all(t, m, "targets", "snapshot", "timestamp").forge(2, 9, func(targets *metadata.TargetsType) {
		targets.Targets["hello/1.0.0/README.md"] = &metadata.TargetFiles{Length: 1 << 40, Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
	})
	c := m.mustClient(t, t.TempDir())
	_, err := c.Document(t.Context(), offerOf(t, c, "1.0.0"), marketplace.Readme)
	refused(t, err, apperr.NotFound, "has no README.md")
}

func picture(tb testing.TB, side int) string {
	tb.Helper()
	var b bytes.Buffer
	must(tb, png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))))
	return b.String()
}

// TestUnsafeDocuments are refused when they are published, and not shown from a
// folder of packages.
func TestUnsafeDocuments(t *testing.T) {
	t.Parallel()
	in := func(shape string) string { return `<svg xmlns="http://www.w3.org/2000/svg">` + shape + `</svg>` }
	for name, tc := range map[string]struct{ file, data, says string }{
		"script":          {"icon.svg", in("<script>x</script>"), "it holds <script>"},
		"foreign object":  {"icon.svg", in("<foreignObject/>"), "it holds <foreignobject>"},
		"event":           {"icon.svg", in(`<g onload="x"/>`), "it has the attribute onload"},
		"link":            {"icon.svg", in(`<a href="javascript:x"/>`), "it has the attribute href"},
		"entities":        {"icon.svg", `<!DOCTYPE svg [<!ENTITY a "aa">]>` + in("&a;"), "it has a document type"},
		"a page":          {"icon.svg", "<html></html>", "it is no SVG"},
		"cut off":         {"icon.svg", "<svg>", "it is no SVG"},
		"empty":           {"icon.svg", "", "it is no SVG"},
		"no PNG":          {"icon.png", drawing, "it is no PNG"},
		"a huge picture":  {"icon.png", picture(t, 1025), "it measures more than 1024 pixels"},
		"a long document": {"README.md", strings.Repeat("x", marketplace.MaxDocument+1), "README.md has more than 262144 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			icon := "people"
			if strings.HasPrefix(tc.file, "icon") {
				icon = tc.file
			}
			file := described(t, "1.0.0", icon, map[string]string{tc.file: tc.data})
			m := mustMarket(t, marketplace.Setup{})
			_, _, err := m.Publish(t.Context(), file, false)
			refused(t, err, apperr.Invalid, tc.says)
			folder := marketplace.NewFolder(filepath.Dir(file), nil)
			name := marketplace.Icon
			if icon == "people" {
				name = tc.file
			}
			_, err = folder.Document(t.Context(), offerOf(t, folder, "1.0.0"), name)
			refused(t, err, apperr.NotFound, "has no ")
		})
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	small := picture(t, 64)
	_, _, err := m.Publish(t.Context(), described(t, "1.0.0", "img/icon.png", map[string]string{"img/icon.png": small}), false)
	must(t, err)
	c := m.mustClient(t, t.TempDir())
	mustDocument(t, c, offerOf(t, c, "1.0.0"), marketplace.Icon, small)
}

// TestReplacedDocuments publishes a version again with another README.
func TestReplacedDocuments(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	for _, text := range []string{"one", "two", "one"} {
		files := all3()
		files["README.md"] = text
		_, _, err := m.Publish(t.Context(), described(t, "1.0.0", "icon.svg", files), true)
		must(t, err)
		c := m.mustClient(t, t.TempDir())
		mustDocument(t, c, offerOf(t, c, "1.0.0"), marketplace.Readme, text)
		mustDocument(t, c, offerOf(t, c, "1.0.0"), marketplace.Changelog, "# 1.0.0\n")
		if files, err := filepath.Glob(filepath.Join(m.Dir, "targets", "hello", "1.0.0", "*")); err != nil || len(files) != 3 {
			t.Errorf("files = %v, %v", files, err)
		}
	}
	_, err := m.Verify(t.Context())
	must(t, err)
}

// TestLookWaitsForNobody asks a marketplace that never answers: what was known is
// there within seconds, and says so.
func TestLookWaitsForNobody(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	must(t, m.Withdraw(t.Context(), "hello", "1.0.0"))
	m.mustPublish(t, "1.1.0", "x")
	s := mustSite(t, m)
	soon := func(c *marketplace.ClientConfig) { c.Timeout, c.Every = time.Minute, time.Minute }
	look := func(c *marketplace.Client) marketplace.Listing {
		t.Helper()
		began := time.Now()
		got, err := c.Look(t.Context())
		must(t, err)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("a look took %s", took)
		}
		return got
	}
	const slow = "The marketplace takes long to answer."
	// settled looks until a busy machine has had the time to ask.
	settled := func(c *marketplace.Client) (got marketplace.Listing) {
		t.Helper()
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for late := time.Now().Add(time.Minute); time.Now().Before(late); <-again.C {
			if got = look(c); apperr.MessageOf(got.Trouble) != slow {
				break
			}
		}
		return got
	}
	if got := settled(m.mustClient(t, t.TempDir(), s.at, soon)); got.Trouble != nil || len(got.Offers) != 1 || len(got.Withdrawn) != 1 {
		t.Errorf("Look = %+v", got)
	}
	silent := func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) bool
		offers int // that were known before
		says   string
	}{
		"silent":         {silent, 1, slow},
		"silent and new": {silent, 0, slow},
		"away":           {down, 1, "The marketplace cannot be reached; this is what it offered when it last could be."},
		"away and new":   {down, 0, "The marketplace cannot be reached, and nothing is known of it yet."},
		"something else": {func(w http.ResponseWriter, _ *http.Request) bool {
			_, err := fmt.Fprint(w, "<html>")
			return err == nil
		}, 1, "json is damaged or something else altogether"},
	} {
		dir, ask := t.TempDir(), settled
		if tc.offers > 0 {
			s.answer(nil)
			versions(t, m.mustClient(t, dir, s.at))
		}
		if tc.says == slow {
			ask = look
		}
		s.answer(tc.answer)
		c := m.mustClient(t, dir, s.at, soon)
		got := ask(c)
		s.letGo(t, c)
		if len(got.Offers) != tc.offers || !strings.Contains(apperr.MessageOf(got.Trouble), tc.says) {
			t.Errorf("%s: %d offers, trouble %v", name, len(got.Offers), got.Trouble)
		}
	}
}

// TestLookIsShared opens many pages at once while the marketplace is silent: it is
// asked once.
func TestLookIsShared(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	s := mustSite(t, m)
	c := m.mustClient(t, t.TempDir(), s.at, func(c *marketplace.ClientConfig) { c.Timeout, c.Every = time.Minute, time.Minute })
	defer s.letGo(t, c)
	s.answer(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	done := make(chan error, 16)
	for range cap(done) {
		go func() {
			_, err := c.Look(t.Context())
			done <- err
		}()
	}
	for range cap(done) {
		must(t, <-done)
	}
	if asked := s.asked.Load(); asked > 1 {
		t.Errorf("the marketplace was asked %d times", asked)
	}
}

// TestProgress tells how far a download is, to the byte.
func TestProgress(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	o := m.mustPublish(t, "1.0.0", strings.Repeat("x", 1<<20))
	var steps []marketplace.Step
	var last marketplace.Progress
	ctx := marketplace.WithProgress(t.Context(), func(p marketplace.Progress) {
		if p.Total != o.Size || p.Done > p.Total || p.Step == last.Step && p.Done < last.Done {
			t.Errorf("%+v after %+v", p, last)
		}
		if last = p; len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	})
	_, err := marketplace.Unpack(ctx, m.mustClient(t, t.TempDir()), "hello", "", t.TempDir())
	must(t, err)
	same(t, "steps", []marketplace.Step{marketplace.Downloading, marketplace.Verifying, marketplace.Unpacking}, steps)
	same(t, "the end", o.Size, last.Done)
}
