package manifest_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

var update = flag.Bool("update", false, "rewrite golden files")

const small = `id: hello
name: Hello
version: 1.0.0
summary: Says hello.
icon: wave
publisher: Acme
host: ">=1.0.0 <2.0.0"
capabilities: [events]
platforms: [linux/amd64]
`

// MustRead returns a file's bytes.
func MustRead(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// MustParse parses a manifest that must be right.
func MustParse(tb testing.TB, text string) *manifest.Manifest {
	tb.Helper()
	m, err := manifest.Parse("manifest.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// golden compares got with a file in testdata, or rewrites it under -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(MustRead(t, file)), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func TestParseListsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := manifest.Parse("broken.yaml", MustRead(t, "testdata/broken.yaml"))
	if !apperr.Is(err, apperr.Invalid) {
		t.Fatalf("code %q, want invalid", apperr.CodeOf(err))
	}
	if apperr.MessageOf(err) != err.Error() {
		t.Error("the text for people differs from the error")
	}
	golden(t, "broken.golden", err.Error()+"\n")
}

func TestPortalManifest(t *testing.T) {
	t.Parallel()
	m, err := manifest.Parse("manifest.yaml", MustRead(t, "../../manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "customer-portal" || m.Name != "Customer Portal" || m.Pages.Public.Prefix != "portal" {
		t.Errorf("got %s, %s, %s", m.ID, m.Name, m.Pages.Public.Prefix)
	}
	for _, name := range []string{"customers:read", "invoices:read", "mail:send", "billers:read", "staff:notify", "audit:write", "database"} {
		if !m.HasPermission(name) {
			t.Errorf("%s is not asked for", name)
		}
	}
	for _, name := range manifest.Capabilities() {
		if !m.HasCapability(name) {
			t.Errorf("capability %s is missing", name)
		}
	}
	golden(t, "portal.golden", m.Explain())
}

func TestParseMessages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":         {"", "m.yaml:1:1: is empty; addon init writes one to start from"},
		"comment only":  {"# nothing\n", "m.yaml:1:1: is empty; addon init writes one to start from"},
		"a list":        {"- a\n", "m.yaml:1:1: must have keys: id, name, version"},
		"not yaml":      {"id: [a\n", "m.yaml:1:5: is not YAML:"},
		"tab":           {"id: a\n\tname: b\n", "is not YAML: found character '\\t' that cannot start any token"},
		"key twice":     {small + "name: Again\n", `m.yaml:10:1: is not YAML: mapping key "name" already defined at [2:1]`},
		"two documents": {small + "---\nid: b\n", `m.yaml:10:1: holds more than one document`},
		"not UTF-8":     {"id: \xff\n", "m.yaml:1:1: is not UTF-8 text"},
		"too large":     {strings.Repeat("# x\n", 20000), "m.yaml:1:1: is larger than 64 KiB"},
		"too deep":      {strings.Repeat("[", 200), "m.yaml:1:101: brackets are nested too deeply"},
		"alias":         {strings.Replace(small, "Says hello.", "&a Says hello.", 1), "m.yaml:4:10: summary: anchors, aliases and tags are not used here"},
		"null":          {strings.Replace(small, "publisher: Acme", "publisher:", 1), "m.yaml:6:1: publisher: is missing; write up to 80 characters"},
		"number key":    {small + "5: x\n", `m.yaml:10:1: unknown key "5"; choose from id, name`},
		"taken id":      {strings.Replace(small, "id: hello", "id: host", 1), `m.yaml:1:5: id: "host" is what the platform calls a part of itself`},
		"missing":       {strings.Replace(small, "version: 1.0.0\n", "", 1), "m.yaml:1:1: version: is missing; write three numbers, such as 1.0.0"},
		"no quotes":     {strings.Replace(small, "version: 1.0.0", "version: 2", 1), `m.yaml:3:10: version: must be text; put it in quotes: "2"`},
		"near miss":     {small + "plattforms: []\n", `m.yaml:10:1: unknown key "plattforms"; did you mean platforms?`},
		"pages unsaid":  {small + "pages: {public: {prefix: hello}}\n", "m.yaml:8:15: capabilities: pages is missing, but the manifest lists pages or slots; add it"},
		"pages unused":  {strings.Replace(small, "[events]", "[pages]", 1), "m.yaml:8:15: capabilities: pages is listed, but there are no pages and no slots"},
		"no permission": {small + "permissions:\n  - reason: Because we like it.\n", "m.yaml:11:5: permissions[0].name: is missing; choose from customers:read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifest.Parse("m.yaml", []byte(tc.text))
			if err == nil {
				t.Fatalf("accepted; want %q", tc.want)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got\n%v\nwant it to contain\n%s", err, tc.want)
			}
		})
	}
}

func TestReservedPrefixesAreRefused(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"admin", "addon-static", "addons", "dev", "healthz", "readyz", "sign-in", "static", "metrics"} {
		text := strings.Replace(small, "[events]", "[pages]", 1) + "pages: {public: {prefix: " + word + "}}\n"
		_, err := manifest.Parse("m.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "belongs to the platform") {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestProblemsHavePositions(t *testing.T) {
	t.Parallel()
	_, err := manifest.Parse("m.yaml", []byte(strings.Replace(small, "id: hello", "id: H", 1)))
	e, ok := errors.AsType[*manifest.Error](err)
	if !ok {
		t.Fatalf("got %T", err)
	}
	want := []manifest.Problem{{Line: 1, Column: 5, Path: "id",
		Message: `"H" is not an id; use 3 to 40 lower-case letters, digits and hyphens, starting with a letter`}}
	if diff := cmp.Diff(want, e.Problems); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLongErrorsAreShortened(t *testing.T) {
	t.Parallel()
	_, err := manifest.Parse("m.yaml", []byte(small+"redirect_origins: ["+strings.Repeat("b, ", 5000)+strings.Repeat("x", 5000)+"]\n"))
	e, ok := errors.AsType[*manifest.Error](err)
	if !ok || len(e.Problems) != 101 {
		t.Fatalf("got %T with %d problems, want 101", err, len(e.Problems))
	}
	if got := e.Problems[100].Message; got != "4901 more mistakes follow; mend these first" {
		t.Errorf("got %q", got)
	}
	_, err = manifest.Parse("m.yaml", []byte(small+strings.Repeat("x", 5000)+": 1\n"))
	if len(err.Error()) > 600 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(MustRead(f, "../../manifest.yaml"))
	f.Add(MustRead(f, "testdata/broken.yaml"))
	for _, s := range []string{"", "a", "- - -", "{}", "[]", "? a\n: b", "<<: *a", "id: |\n x", "a: &b [*b]", "---\n---", "!!x y", "id: !!str 5", ":", "- :", "a: {b: c", "%YAML 1.2\n---\nid: x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := manifest.Parse("m.yaml", data)
		if err == nil {
			if again := m.Validate(); again != nil {
				t.Fatalf("parsed, but invalid: %v", again)
			}
			return
		}
		e, ok := errors.AsType[*manifest.Error](err)
		if !ok || len(e.Problems) == 0 {
			t.Fatalf("got %T without problems: %v", err, err)
		}
		for _, p := range e.Problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("problem without a place or text: %+v", p)
			}
		}
	})
}
