// Package asvs keeps docs/asvs.csv honest: it answers every requirement of OWASP
// ASVS that the project is held against, and names only proofs that exist.
package asvs_test

import (
	"encoding/csv"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const (
	root  = "../../.."
	table = "docs/asvs.csv"
)

// row is one line of the table. proof holds tests ("plugin/store:TestName") and
// files ("docs/decisions.md"), separated by spaces.
type row struct{ id, status, proof, note string }

func mustRows(tb testing.TB) []row {
	tb.Helper()
	f, err := os.Open(filepath.Join(root, table))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = 4
	lines, err := r.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	if head := strings.Join(lines[0], ","); head != "id,status,proof,note" {
		tb.Fatalf("%s begins with %q", table, head)
	}
	var rows []row
	for _, l := range lines[1:] {
		rows = append(rows, row{l[0], l[1], l[2], l[3]})
	}
	return rows
}

// mustIDs returns the requirements of the source and their levels.
func mustIDs(tb testing.TB) map[string]string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "ids.txt"))
	if err != nil {
		tb.Fatal(err)
	}
	ids := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, level, ok := strings.Cut(line, " ")
		if _, twice := ids[id]; !ok || twice || !slices.Contains([]string{"1", "2", "3"}, level) {
			tb.Fatalf("ids.txt: line %q", line)
		}
		ids[id] = level
	}
	return ids
}

// tests are the names that go test knows, by folder.
type tests map[string]map[string]bool

func mustTests(tb testing.TB) tests {
	tb.Helper()
	all := tests{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		all.add(filepath.ToSlash(folder), file)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func (all tests) add(folder string, file *ast.File) {
	if all[folder] == nil {
		all[folder] = map[string]bool{}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && isTest(f) {
			all[folder][f.Name.Name] = true
		}
	}
}

// isTest tells functions that go test runs from their helpers.
func isTest(f *ast.FuncDecl) bool {
	if f.Recv != nil || f.Type.Results != nil || f.Type.Params.NumFields() != 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	prefix := map[string]string{"T": "Test", "F": "Fuzz"}[of.Sel.Name]
	rest, ok := strings.CutPrefix(f.Name.Name, prefix)
	return prefix != "" && ok && (rest == "" || !unicode.IsLower([]rune(rest)[0]))
}

func (all tests) anywhere(name string) bool {
	for _, folder := range all {
		if folder[name] {
			return true
		}
	}
	return false
}

// TestSecurityIsReadInTenMinutes holds the page to ten minutes of 240 words, the
// pace of silent reading (Brysbaert 2019: 238).
func TestSecurityIsReadInTenMinutes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for _, word := range strings.Fields(string(text)) {
		if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			words++
		}
	}
	if words < 1000 || words > 2400 {
		t.Errorf("docs/security.md has %d words: what is looked up belongs into the pages it links to", words)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	ids, known := mustIDs(t), mustTests(t)
	seen, counts := map[string]bool{}, map[string]int{}
	for _, r := range mustRows(t) {
		if ids[r.id] == "" {
			t.Errorf("%s is no requirement of ids.txt", r.id)
		}
		if seen[r.id] {
			t.Errorf("%s stands twice", r.id)
		}
		seen[r.id] = true
		counts[r.status]++
		counts[r.status+", level "+ids[r.id]]++
		check(t, r, known)
	}
	for id := range ids {
		if !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
	for _, status := range []string{"met", "n/a", "not met"} {
		t.Logf("%-8s %3d (level 1: %d, 2: %d, 3: %d)", status, counts[status],
			counts[status+", level 1"], counts[status+", level 2"], counts[status+", level 3"])
	}
}

var testName = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)

// check judges one line alone.
func check(t *testing.T, r row, known tests) {
	t.Helper()
	if strings.TrimSpace(r.note) == "" {
		t.Errorf("%s has no note", r.id)
	}
	for _, name := range testName.FindAllString(r.note, -1) {
		if !known.anywhere(name) {
			t.Errorf("%s: its note names %s, which go test does not know", r.id, name)
		}
	}
	proofs := strings.Fields(r.proof)
	switch r.status {
	case "met":
		if len(proofs) == 0 {
			t.Errorf("%s is met without a proof", r.id)
		}
	case "n/a", "not met":
		if len(proofs) > 0 {
			t.Errorf("%s is %s and has a proof", r.id, r.status)
		}
	default:
		t.Errorf("%s has the status %q", r.id, r.status)
	}
	for _, p := range proofs {
		if why := missing(p, known); why != "" {
			t.Errorf("%s: %s %s", r.id, p, why)
		}
	}
}

// missing says what is wrong with a proof, or nothing.
func missing(proof string, known tests) string {
	if folder, name, ok := strings.Cut(proof, ":"); ok {
		name, _, _ = strings.Cut(name, "/") // of a subtest the test itself counts
		if !known[folder][name] {
			return "is no test that go test knows"
		}
		return ""
	}
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(proof)))
	if !filepath.IsLocal(proof) || err != nil || !info.Mode().IsRegular() {
		return "is no file of the repository"
	}
	return ""
}

func TestMissing(t *testing.T) {
	t.Parallel()
	known := mustTests(t)
	for proof, there := range map[string]bool{
		"sdk/internal/asvs:TestMissing":     true,
		"sdk/internal/asvs:TestMissing/a/b": true,
		"sdk/internal/asvs:TestNothing":     false,
		"sdk/internal/asvs:mustRows":        false,
		"sdk/internal/walls:TestMissing":    false,
		"sdk/serve:TestMain":                false,
		"sdk/web:FuzzSafePath":              true,
		"README.md":                         true,
		"docs":                              false,
		"docs/nothing.md":                   false,
		"../README.md":                      false,
	} {
		if why := missing(proof, known); (why == "") != there {
			t.Errorf("%s: %q", proof, why)
		}
	}
}
