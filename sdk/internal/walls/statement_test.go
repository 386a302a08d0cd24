package walls_test

import (
	"fmt"
	"go/ast"
	"go/types"
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

// statementParts are functions whose results may stand in a statement though they
// are not made of constants, with the reason.
func statementParts() map[string]string {
	return map[string]string{
		"github.com/lib/pq.QuoteIdentifier": "roles and schemas of add-ons have no other way into DDL; their names are made by the host and quoted",
		"github.com/lib/pq.QuoteLiteral":    "the verifier of a role's password, which no statement of PostgreSQL takes as an argument; it is base64",
		"sdk/sqldb/dbtest.fingerprint":      "databases of tests are named after the hash of their migrations, in hex",
	}
}

// takesText tells whether a parameter of a library's function is a statement: the
// database packages call all of them "query".
func takesText(f *types.Func, v *types.Var) bool {
	if f.Pkg() == nil || v.Name() != "query" || !isString(v.Type()) {
		return false
	}
	path := f.Pkg().Path()
	return path == "database/sql" || path == "database/sql/driver" || path == "github.com/jmoiron/sqlx" || path == "github.com/lib/pq"
}

// statements follows every text that reaches a database back to where it comes
// from, and returns what is not made of constants.
type statements struct {
	*origins
	// takes tells which parameters of libraries texts are followed from.
	takes func(*types.Func, *types.Var) bool
	// sinks are parameters of our functions that reach a database; named those of
	// methods, by their names, for calls through interfaces.
	sinks map[*types.Var]bool
	named map[string]bool
	count int
}

func (s *statements) isSink(f *types.Func, v *types.Var) bool {
	if s.takes(f, v) || s.sinks[v] {
		return true
	}
	recv := f.Signature().Recv()
	return recv != nil && types.IsInterface(recv.Type()) && s.named[f.Name()+" "+v.Name()] && isString(v.Type())
}

// look judges the calls of all functions once, and says whether it found another
// parameter that reaches a database.
func (s *statements) look() (bad []string, more bool) {
	s.count = 0
	for _, p := range s.code.Packages {
		for _, file := range p.Files {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f := p.Callee(call)
				if f == nil {
					return true
				}
				for v := range f.Signature().Params().Variables() {
					if !s.isSink(f, v) {
						continue
					}
					for _, arg := range argument(f, call, v) {
						s.count++
						from := s.of(p, arg)
						for _, b := range from.bad {
							bad = append(bad, s.code.At(arg)+": "+b)
						}
						for _, param := range from.params {
							more = s.reaches(param) || more
						}
					}
				}
				return true
			})
		}
	}
	return bad, more
}

// reaches notes a parameter that reaches a database; true if it is new.
func (s *statements) reaches(v *types.Var) bool {
	if s.sinks[v] {
		return false
	}
	s.sinks[v] = true
	for f := range s.bodies {
		if f.Signature().Recv() != nil && f.Pkg() == v.Pkg() && hasParam(f, v) {
			s.named[f.Name()+" "+v.Name()] = true
		}
	}
	return true
}

func hasParam(f *types.Func, v *types.Var) bool {
	for p := range f.Signature().Params().Variables() {
		if p == v {
			return true
		}
	}
	return false
}

func findings(code *source.Code, takes func(*types.Func, *types.Var) bool, allowed map[string]string) (*statements, []string) {
	s := &statements{origins: newOrigins(code, allowed), takes: takes, sinks: map[*types.Var]bool{}, named: map[string]bool{}}
	for {
		if bad, more := s.look(); !more {
			return s, unique(bad)
		}
	}
}

// TestStatementsAreConstant: no value of anybody becomes part of a statement's
// text; all are bound.
func TestStatementsAreConstant(t *testing.T) {
	t.Parallel()
	s, bad := findings(mustCode(t), takesText, statementParts())
	for _, b := range bad {
		t.Errorf("a statement is not made of constants: %s", strings.TrimPrefix(b, "/"))
	}
	if s.count < 250 {
		t.Errorf("looked at %d texts only", s.count)
	}
	for name := range s.allowed {
		if !s.used[name] {
			t.Errorf("%s is allowed and not used", name)
		}
	}
}

// sample has a statement in each line that ends with "good" or "bad".
const sample = `package sample

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

const table = "things"

type row struct {
	column, value string
	Name string ` + "`db:\"name\"`" + `
}

type builder struct{ strings.Builder }

func (b *builder) and(condition string) { b.WriteString(" AND " + condition) }

type asker interface{ find(ctx context.Context, where string) }

type finder struct{ db *sql.DB }

func (f finder) find(ctx context.Context, where string) {
	_, _ = f.db.QueryContext(ctx, "SELECT 1 WHERE "+where)
}

func pick(down bool, typed string) (string, string) {
	if down {
		return " DESC", typed
	}
	return "", typed
}

func do(ctx context.Context, db *sql.DB, a asker, typed func() string, n int) {
	_, _ = db.ExecContext(ctx, "SELECT 1 FROM "+table, typed()) // good
	_, _ = db.ExecContext(ctx, "SELECT 1 LIMIT "+strconv.Itoa(n)+fmt.Sprintf("%d", n)) // good
	_, _ = db.ExecContext(ctx, "SELECT '"+typed()+"'") // bad
	_, _ = db.Exec(fmt.Sprintf("SELECT %s", typed())) // bad
	_, _ = db.Prepare(strings.Repeat(", ?", n)) // good
	for _, r := range []row{{column: "a", value: typed()}} {
		_ = db.QueryRowContext(ctx, "SELECT "+r.column, r.value) // good
		_ = db.QueryRowContext(ctx, "SELECT "+r.value) // bad
		_ = db.QueryRowContext(ctx, "SELECT "+r.Name) // bad
	}
	order, wish := pick(n > 1, typed())
	_, _ = db.QueryContext(ctx, "SELECT 1 ORDER BY 1"+order) // good
	_, _ = db.QueryContext(ctx, "SELECT 1 ORDER BY "+wish) // bad
	var b builder
	b.and("a = 1")
	_, _ = db.QueryContext(ctx, b.String()) // good
	b.and(typed()) // bad
	a.find(ctx, "TRUE") // good
	a.find(ctx, typed()) // bad
	text := "SELECT "
	text += typed()
	_, _ = db.QueryContext(ctx, text) // bad
	var scanned string
	_ = db.QueryRow("SELECT 1").Scan(&scanned) // good
	_, _ = db.Query(scanned) // bad
	_, _ = db.Query([]string{"a", "b"}[n]) // good
}
`

// TestStatementsFindsWhatIsNot: the check sees texts of others in all the ways that
// statements are put together here.
func TestStatementsFindsWhatIsNot(t *testing.T) {
	t.Parallel()
	code, err := source.Parse("sample", sample)
	if err != nil {
		t.Fatal(err)
	}
	_, bad := findings(code, takesText, nil)
	for i, line := range strings.Split(sample, "\n") {
		found := strings.Contains(strings.Join(bad, "\n"), fmt.Sprintf("sample.go:%d:", i+1))
		if _, want, ok := strings.Cut(line, ") // "); ok && found != (want == "bad") {
			t.Errorf("line %d: found = %v: %s", i+1, found, line)
		}
	}
}
