package limits_test

import (
	"bufio"
	"go/ast"
	"go/constant"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/internal/source"
)

const (
	root = "../../.."
	page = "docs/limits.md"
)

// line is a row of a table of the page: its cells by the heads of the columns.
type line map[string]string

// mustTable returns the table below a heading.
func mustTable(tb testing.TB, heading string) []line {
	tb.Helper()
	f, err := os.Open(filepath.Join(root, page))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var heads []string
	var rows []line
	inside := false
	for s := bufio.NewScanner(f); s.Scan(); {
		text := s.Text()
		if strings.HasPrefix(text, "#") {
			inside = strings.TrimLeft(text, "# ") == heading
		}
		cells := strings.Split(strings.Trim(text, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !inside || !strings.HasPrefix(text, "|") || strings.HasPrefix(text, "|---"):
		case heads == nil:
			heads = cells
		case len(cells) != len(heads):
			tb.Fatalf("%s: %q has %d cells, want %d", heading, text, len(cells), len(heads))
		default:
			row := line{}
			for i, h := range heads {
				row[h] = cells[i]
			}
			rows = append(rows, row)
		}
	}
	if heads == nil {
		tb.Fatalf("%s has no table below %q", page, heading)
	}
	return rows
}

var quoted = regexp.MustCompile("`([^`]+)`")

func quotes(cell string) (all []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// units are what figures of the page are counted in, as the code counts.
func units() map[string]int64 {
	return map[string]int64{
		"second": int64(time.Second), "minute": int64(time.Minute), "hour": int64(time.Hour), "day": 24 * int64(time.Hour),
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}
}

// figuresOf returns the numbers in a cell.
func figuresOf(cell string) (all []int64) {
	words := strings.Fields(quoted.ReplaceAllString(cell, ""))
	for i, w := range words {
		n, err := strconv.ParseInt(strings.ReplaceAll(strings.Trim(w, ",;.()"), ",", ""), 10, 64)
		if err != nil {
			continue
		}
		if i+1 < len(words) {
			unit := strings.Trim(words[i+1], ",;.()")
			for name, size := range units() {
				if unit == name || unit == name+"s" {
					n *= size
				}
			}
		}
		all = append(all, n)
	}
	return all
}

// figuresIn returns the numbers of a constant, or those in a function's body.
// exact tells that it is a constant.
func figuresIn(code *source.Code, ref string) (all []int64, exact, ok bool) {
	if ref == "manifest.yaml" {
		text, err := os.ReadFile(filepath.Join(root, ref))
		if err != nil {
			return nil, false, false
		}
		for _, w := range strings.Fields(string(text)) {
			if n, err := strconv.ParseInt(w, 10, 64); err == nil {
				all = append(all, n)
			}
		}
		return all, false, true
	}
	slash := strings.LastIndex(ref, "/") + 1
	folder, name, _ := strings.Cut(ref[slash:], ".")
	for _, p := range code.Packages {
		if p.Path != ref[:slash]+folder {
			continue
		}
		if c, ok := p.Types.Scope().Lookup(name).(*types.Const); ok {
			n, ok := constant.Int64Val(constant.ToInt(c.Val()))
			return []int64{n}, true, ok
		}
		for _, f := range p.Files {
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && named(p, d) == name {
					return numbers(p, d), false, true
				}
			}
		}
	}
	return nil, false, false
}

// named is "Type.Method" or "Func".
func named(p *source.Package, d *ast.FuncDecl) string {
	f, ok := p.Info.Defs[d.Name].(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return d.Name.Name
	}
	t := f.Signature().Recv().Type()
	if ptr, ok := t.(*types.Pointer); ok {
		t = ptr.Elem()
	}
	return t.(*types.Named).Obj().Name() + "." + d.Name.Name
}

func numbers(p *source.Package, n ast.Node) (all []int64) {
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok || p.Info.Types[e].Value == nil {
			return true
		}
		if v, ok := constant.Int64Val(constant.ToInt(p.Info.Types[e].Value)); ok {
			all = append(all, v)
		}
		return false
	})
	return all
}

// TestFiguresAreTheCodes: no figure of the page differs from the constant or the
// function that it names.
func TestFiguresAreTheCodes(t *testing.T) {
	t.Parallel()
	code, compared := mustCode(t), 0
	for heading, column := range map[string]string{
		"Fields of forms": "rule", "Names in addresses": "rule", "Limits for a person and an address": "limit", "Limits for a biller and for all": "limit",
	} {
		for _, row := range mustTable(t, heading) {
			stated, known := figuresOf(row[column]), []int64{}
			for _, ref := range quotes(row["code"]) {
				all, exact, ok := figuresIn(code, ref)
				if !ok {
					t.Errorf("%s: the code has no %s", heading, ref)
				}
				known = append(known, all...)
				if exact && !slices.Contains(stated, all[0]) {
					t.Errorf("%s: %q does not say that %s is %d", heading, row[column], ref, all[0])
				}
			}
			for _, n := range stated {
				if compared++; row["code"] != "" && !slices.Contains(known, n) {
					t.Errorf("%s: %q says %d, %s says %v", heading, row[column], n, row["code"], known)
				}
			}
		}
	}
	if compared < 80 {
		t.Errorf("compared %d figures only", compared)
	}
}

// TestEveryLimitIsWrittenDown: each function of the portal and of the platform's
// books that returns a number of tries, and each constant that names a life, a gap
// or a count, stands in the page.
func TestEveryLimitIsWrittenDown(t *testing.T) {
	t.Parallel()
	stated, found := map[string]bool{}, 0
	for _, heading := range []string{"Fields of forms", "Limits for a person and an address", "Limits for a biller and for all"} {
		for _, row := range mustTable(t, heading) {
			for _, ref := range quotes(row["code"]) {
				stated[ref] = true
			}
		}
	}
	for _, p := range mustCode(t).Packages {
		if p.Path != "plugin/portal" && p.Path != "host/cmd/billhost/books" {
			continue
		}
		for _, name := range p.Types.Scope().Names() {
			limit := false
			switch o := p.Types.Scope().Lookup(name).(type) {
			case *types.Const:
				limit = o.Exported() && limiting.MatchString(name)
			case *types.Func:
				r := o.Signature().Results()
				limit = r.Len() > 0 && counting.MatchString(types.TypeString(r.At(0).Type(), nil))
			}
			if !limit {
				continue
			}
			if found++; !stated[p.Path+"."+name] {
				t.Errorf("%s lacks the limit %s.%s", page, p.Path, name)
			}
		}
	}
	if found < 25 {
		t.Errorf("found %d limits only", found)
	}
}

var (
	limiting = regexp.MustCompile(`(Life|Idle|Window|Gap|Tries|Tried|ADay|AHour|Shown)$|^Max`)
	counting = regexp.MustCompile(`/portal\.(Attempts|Delays)$|/books\.Budget$`)
)

// TestNamedTestsExist: each test of the page is one.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	for _, heading := range []string{"Rules that join fields", "Limits for a person and an address", "Limits for a biller and for all"} {
		for _, row := range mustTable(t, heading) {
			for _, ref := range quotes(row["tests"]) {
				folder, name, _ := strings.Cut(ref, ":")
				if !hasTest(t, folder, name) {
					t.Errorf("%s: there is no test %s", heading, ref)
				}
			}
			if heading == "Rules that join fields" && row["tests"] == "" {
				t.Errorf("no test for %q", row["rule"])
			}
		}
	}
}

func hasTest(tb testing.TB, folder, name string) bool {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
