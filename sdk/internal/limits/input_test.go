// Package limits holds docs/limits.md to the code: every input stands in it, and
// every figure is the code's.
package limits_test

import (
	"go/ast"
	"go/constant"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/internal/source"
)

var load = sync.OnceValues(func() (*source.Code, error) { return source.Load("plugin/...", "host/...", "sdk/...") })

func mustCode(tb testing.TB) *source.Code {
	tb.Helper()
	code, err := load()
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// surfaces are the packages that answer browsers, by what people call them.
func surfaces() map[string]string {
	return map[string]string{"plugin/web": "portal", "host/cmd/billhost/web": "billhost", "host/admin": "marketplace"}
}

// computed are functions that read fields whose names are no constants, and the
// names they read.
func computed() map[string][]string {
	settings, audit := []string{"setting-KEY", "remove-KEY"}, []string{"what", "from", "until", "who", "addon", "customer"}
	return map[string][]string{
		"required": nil, // the names are its callers' arguments, who read them too
		"fill":     nil, // draws what change read
		"change":   settings, "fillSecret": nil,
		"auditForm": audit, "auditFilter": audit, "Exported": audit,
	}
}

// inputs are what the handlers of one surface read: fields of forms and names of
// the query, for each route.
type inputs struct {
	code *source.Code
	pkg  *source.Package
	// bodies are the functions of the package.
	bodies map[*types.Func]*ast.FuncDecl
	odd    []string
	// query leaves forms out: nobody sends one with GET.
	query bool
}

func newInputs(code *source.Code, path string) *inputs {
	in := &inputs{code: code, bodies: map[*types.Func]*ast.FuncDecl{}}
	for _, p := range code.Packages {
		if p.Path != path {
			continue
		}
		in.pkg = p
		for _, f := range p.Files {
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok {
					if f, ok := p.Info.Defs[d.Name].(*types.Func); ok {
						in.bodies[f] = d
					}
				}
			}
		}
	}
	return in
}

var pattern = regexp.MustCompile(`^(GET|POST) (/\S*)$`)

// routes returns the fields and query names of each "METHOD /path".
func (in *inputs) routes() map[string][]string {
	all := map[string][]string{}
	for _, f := range in.pkg.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if len(n.Elts) > 1 {
					in.route(all, n.Elts)
				}
			case *ast.KeyValueExpr:
				in.route(all, []ast.Expr{n.Key, n.Value})
			}
			return true
		})
	}
	return all
}

// route notes a route whose pattern stands first, or whose method and path do.
func (in *inputs) route(all map[string][]string, parts []ast.Expr) {
	first, ok := in.text(parts[0])
	if !ok {
		return
	}
	rest := parts[1:]
	if (first == "GET" || first == "POST") && len(parts) > 2 {
		path, _ := in.text(parts[1])
		first, rest = first+" /marketplace"+path, parts[2:]
	}
	if !pattern.MatchString(first) {
		return
	}
	in.query = strings.HasPrefix(first, "GET ")
	names, seen := map[string]bool{}, map[*types.Func]bool{}
	for _, e := range rest {
		in.follow("", e, names, seen)
	}
	all[first] = slices.Sorted(maps.Keys(names))
}

func (in *inputs) text(e ast.Expr) (string, bool) {
	v := in.pkg.Info.Types[e].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// follow collects what is read below a node, in functions of the package too.
func (in *inputs) follow(inside string, n ast.Node, names map[string]bool, seen map[*types.Func]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			in.call(inside, call, names)
		}
		if id, ok := n.(*ast.Ident); ok {
			f, _ := in.pkg.Info.Uses[id].(*types.Func)
			if body := in.bodies[f]; f != nil && body != nil && !seen[f] {
				seen[f] = true
				in.follow(f.Name(), body.Body, names, seen)
			}
		}
		return true
	})
}

// readers are the functions that read what a browser sent.
func reader(f *types.Func) bool {
	name := strings.ReplaceAll(f.FullName(), source.Module, "")
	switch name {
	case "(*sdk/web.Form).Value", "(*sdk/web.Form).Text", "(*sdk/web.Form).Values", "(*sdk/web.Form).Has", "sdk/web.QueryValue",
		"(net/url.Values).Get", "(*net/http.Request).FormValue", "(*net/http.Request).PostFormValue", "(*net/http.Request).PathValue", "(net/url.Values).Has":
		return true
	}
	return false
}

func (in *inputs) call(inside string, call *ast.CallExpr, names map[string]bool) {
	f := in.pkg.Callee(call)
	if f == nil || !reader(f) {
		return
	}
	at := 0
	if f.Name() == "QueryValue" {
		at = 1
	}
	if in.query && at == 0 && !strings.HasPrefix(f.FullName(), "(net/url.Values)") {
		return // forms that are drawn again
	}
	name, ok := in.text(call.Args[at])
	if !ok {
		list, known := computed()[inside]
		if !known {
			in.odd = append(in.odd, in.code.At(call)+" in "+inside)
		}
		for _, l := range list {
			names[l] = true
		}
		return
	}
	if f.Name() != "PathValue" { // those stand in the pattern
		names[name] = true
	}
}

// TestEveryInputIsWrittenDown: each route that takes something stands in the page
// with all that its handler reads, and each name with its rule.
func TestEveryInputIsWrittenDown(t *testing.T) {
	t.Parallel()
	stated := map[string]string{}
	for _, row := range mustTable(t, "Inputs") {
		stated[row["route"]] = row["fields, names of the query"]
	}
	var rules string
	for _, heading := range []string{"Fields of forms", "Names in addresses"} {
		for _, row := range mustTable(t, heading) {
			rules += row["field"] + row["name"]
		}
	}
	count := 0
	for path, surface := range surfaces() {
		in := newInputs(mustCode(t), path)
		for route, names := range in.routes() {
			method, where, _ := strings.Cut(route, " ")
			for _, name := range append(names, segments.FindAllString(where, -1)...) {
				if !strings.Contains(rules, "`"+name+"`") {
					t.Errorf("%s %s reads %s, for which %s has no rule", surface, route, name, page)
				}
			}
			if method == "GET" && len(names) == 0 {
				continue
			}
			count++
			key, want := surface+" `"+route+"`", strings.Join(names, " ")
			if got, ok := stated[key]; !ok || got != want {
				t.Errorf("%s lacks this row (it says %q):\n| %s | %s |", page, got, key, want)
			}
			delete(stated, key)
		}
		for _, at := range in.odd {
			t.Errorf("%s reads a field whose name is no constant: name it in computed", at)
		}
	}
	for key := range stated {
		t.Errorf("%s has the row %s, which no handler reads", page, key)
	}
	if count < 60 {
		t.Errorf("found %d routes only", count)
	}
}

var segments = regexp.MustCompile(`\{[a-z]+\}`)

// TestEveryCallIsWrittenDown: each call between host and add-on stands in the page.
func TestEveryCallIsWrittenDown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(string(text), "| service | calls |")
	files, err := filepath.Glob(filepath.Join(root, "sdk/proto/addon/v1/*.proto"))
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		proto, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		service := ""
		for _, m := range declared.FindAllStringSubmatch(string(proto), -1) {
			if m[1] == "service" {
				service = m[2]
				continue
			}
			if !slices.ContainsFunc(strings.Split(calls, "\n"), func(row string) bool {
				cells := strings.Split(row, "|")
				return len(cells) > 2 && hasWord(cells[1], service) && hasWord(cells[2], m[2])
			}) {
				t.Errorf("%s: %s.%s is missing in %s", filepath.Base(f), service, m[2], page)
			}
		}
	}
}

var declared = regexp.MustCompile(`(?m)^\s*(service|rpc) (\w+)`)

func hasWord(cell, word string) bool {
	return slices.Contains(strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,()", r) }), word)
}

// TestFieldsAreReadByName: no handler goes over whatever fields were sent, or hands
// them on as a whole but to those who read them by name; so a field that is not
// listed has no effect.
func TestFieldsAreReadByName(t *testing.T) {
	t.Parallel()
	for _, p := range mustCode(t).Packages {
		if surfaces()[p.Path] == "" {
			continue
		}
		for _, f := range p.Files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					r, ok := n.(*ast.RangeStmt)
					if ok && types.TypeString(p.Info.TypeOf(r.X), nil) == "net/url.Values" {
						t.Errorf("%s goes over all fields", mustCode(t).At(r))
					}
					return true
				})
			}
		}
	}
}
