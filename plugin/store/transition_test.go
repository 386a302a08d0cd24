package store_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// writers are the functions that write a state, by table: the first makes a row,
// the others move one. Each asks package portal what the next state is.
func writers() map[string][]string {
	return map[string][]string{
		"invitations":     {"insertInvitation", "moveInvitation", "nextGeneration"},
		"signups":         {"insertSignUp", "moveSignUp"},
		"proofs":          {"StartProof", "moveProof"},
		"users":           {"insertUser", "moveUser"},
		"grants":          {"choose", "removeGrant"},
		"access_requests": {"AskAccess", "closeRequest", "expireRequests"},
	}
}

var (
	updates = regexp.MustCompile(`(?is)\bUPDATE\s+(\w+)\s+SET\s+(.*)`)
	inserts = regexp.MustCompile(`(?is)\bINSERT\s+INTO\s+(\w+)\s*\(([^)]*)\)\s*(.*)`)
	sets    = regexp.MustCompile(`(?i)\b(?:state|step)\s*=\s*(\S+)`)
	guarded = regexp.MustCompile(`(?i)\b(?:state|step)\s*=\s*\$\d+`)
	bound   = regexp.MustCompile(`^\$\d+,?$`)
)

// TestStatesAreWrittenByTransitions reads the package: whatever writes a state or a
// step is one of writers, binds what portal's Next returned, and moves a row only
// from the state that Next was asked about. So a transition that package portal
// does not know cannot be written.
func TestStatesAreWrittenByTransitions(t *testing.T) {
	t.Parallel()
	found := map[string][]string{}
	for _, f := range functions(t) {
		for _, query := range f.strings {
			table := writesState(t, f.name, query)
			if table == "" {
				continue
			}
			found[table] = append(found[table], f.name)
			if !f.asksNext {
				t.Errorf("%s writes a state of %s without asking Next", f.name, table)
			}
		}
	}
	for table, want := range writers() {
		got := slices.Sorted(slices.Values(found[table]))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("states of %s are written by %v, want %v", table, got, want)
		}
		delete(found, table)
	}
	for table, names := range found {
		t.Errorf("%v write states of %s", names, table)
	}
}

// writesState returns the table whose state a statement writes, or "".
func writesState(t *testing.T, function, query string) string {
	t.Helper()
	query = strings.Join(strings.Fields(query), " ")
	if m := updates.FindStringSubmatch(query); m != nil {
		set, where, _ := strings.Cut(m[2], " WHERE ")
		value := sets.FindStringSubmatch(set)
		if value == nil {
			return ""
		}
		if !bound.MatchString(value[1]) || !guarded.MatchString(where) {
			t.Errorf("%s writes a state of %s that is not bound, or from any state: %s", function, m[1], query)
		}
		return m[1]
	}
	m := inserts.FindStringSubmatch(query)
	if m == nil {
		return ""
	}
	columns := strings.Split(strings.ReplaceAll(m[2], " ", ""), ",")
	at := slices.IndexFunc(columns, func(c string) bool { return c == "state" || c == "step" })
	if at < 0 {
		return ""
	}
	values, then, _ := strings.Cut(strings.TrimPrefix(m[3], "VALUES ("), ")")
	if list := strings.Split(strings.ReplaceAll(values, " ", ""), ","); len(list) != len(columns) || !bound.MatchString(list[at]) {
		t.Errorf("%s makes a row of %s in a state that is not bound: %s", function, m[1], query)
	}
	if strings.Contains(then, "state = ") && !guarded.MatchString(then) {
		t.Errorf("%s moves a row of %s from any state: %s", function, m[1], query)
	}
	return m[1]
}

// function is one of the store's.
type function struct {
	name    string
	strings []string
	// asksNext tells that it calls a method Next.
	asksNext bool
}

// functions reads the sources of package store. Texts outside of functions count as
// of a function without a name.
func functions(tb testing.TB) (list []function) {
	tb.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			tb.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f := function{}
			if d, ok := decl.(*ast.FuncDecl); ok {
				f.name = d.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ImportSpec:
					return false
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == gotoken.STRING {
						f.strings = append(f.strings, text)
					}
				case *ast.SelectorExpr:
					f.asksNext = f.asksNext || n.Sel.Name == "Next"
				}
				return true
			})
			list = append(list, f)
		}
	}
	return list
}
