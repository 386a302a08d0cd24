package walls_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/internal/source"
)

// origins tells where texts come from: which values reach an expression, through
// variables, fields, containers, builders and functions of this repository.
type origins struct {
	code   *source.Code
	bodies map[*types.Func]body
	writes map[*types.Var][]write
	params map[*types.Var]bool
	busy   map[any]bool
	// allowed are functions whose result is judged by a person.
	allowed map[string]string
	used    map[string]bool
}

type body struct {
	pkg  *source.Package
	decl *ast.FuncDecl
}

// write is a value given to a variable: a result of a call if there are several.
type write struct {
	pkg    *source.Package
	expr   ast.Expr
	result int
	// unknown is why nobody can say what is written.
	unknown string
}

// origin is what reaches an expression besides constants and numbers.
type origin struct {
	// params are those of functions of this repository.
	params []*types.Var
	bad    []string
}

func (o *origin) add(other origin) {
	o.params = append(o.params, other.params...)
	o.bad = append(o.bad, other.bad...)
}

func newOrigins(code *source.Code, allowed map[string]string) *origins {
	o := &origins{code: code, bodies: map[*types.Func]body{}, writes: map[*types.Var][]write{}, params: map[*types.Var]bool{}, busy: map[any]bool{}, allowed: allowed, used: map[string]bool{}}
	for _, p := range code.Packages {
		for _, f := range p.Files {
			ast.Inspect(f, func(n ast.Node) bool {
				o.read(p, n)
				return true
			})
		}
	}
	return o
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// of says what reaches an expression.
func (o *origins) of(p *source.Package, e ast.Expr) origin {
	e = ast.Unparen(e)
	tv := p.Info.Types[e]
	if b, ok := tv.Type.(*types.Basic); tv.Value != nil || tv.IsNil() || ok && b.Info()&(types.IsInteger|types.IsBoolean) != 0 {
		return origin{}
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		left := o.of(p, e.X)
		left.add(o.of(p, e.Y))
		return left
	case *ast.IndexExpr:
		return o.of(p, e.X)
	case *ast.SliceExpr:
		return o.of(p, e.X)
	case *ast.StarExpr:
		return o.of(p, e.X)
	case *ast.UnaryExpr:
		return o.of(p, e.X)
	case *ast.CompositeLit:
		return o.elements(p, e)
	case *ast.CallExpr:
		return o.call(p, e, 0)
	case *ast.Ident, *ast.SelectorExpr:
		if v := variable(p, e); v != nil {
			return o.variable(p, e, v)
		}
	}
	return o.bad(p, e, "is no constant")
}

func (o *origins) bad(_ *source.Package, e ast.Node, why string) origin {
	return origin{bad: []string{o.code.At(e) + " " + why}}
}

func (o *origins) elements(p *source.Package, e *ast.CompositeLit) (all origin) {
	if _, ok := p.Info.TypeOf(e).Underlying().(*types.Struct); ok {
		return all // what is in its fields counts where they are read
	}
	for _, x := range e.Elts {
		if kv, ok := x.(*ast.KeyValueExpr); ok {
			all.add(o.of(p, kv.Key))
			x = kv.Value
		}
		if lit, ok := x.(*ast.CompositeLit); ok {
			all.add(o.elements(p, lit))
			continue
		}
		all.add(o.of(p, x))
	}
	return all
}

// variable says what reaches a variable: all that is ever written to it.
func (o *origins) variable(p *source.Package, e ast.Expr, v *types.Var) (all origin) {
	if o.params[v] {
		all.params = append(all.params, v)
	}
	if o.busy[v] {
		return all
	}
	o.busy[v] = true
	defer delete(o.busy, v)
	if v.IsField() && tagged(o, v) {
		return o.bad(p, e, "is a field that a database or a message fills")
	}
	if len(o.writes[v]) == 0 && !o.params[v] && !isBuilder(v.Type()) {
		return o.bad(p, e, "comes from where nobody knows")
	}
	for _, w := range o.writes[v] {
		switch call, isCall := ast.Unparen(w.expr).(*ast.CallExpr); {
		case w.unknown != "":
			all.add(o.bad(p, e, w.unknown))
		case w.result >= 0 && isCall:
			all.add(o.call(w.pkg, call, w.result))
		default:
			all.add(o.of(w.pkg, w.expr))
		}
	}
	return all
}

func isBuilder(t types.Type) bool { return strings.HasSuffix(t.String(), "strings.Builder") }

// tagged tells fields with a tag: sqlx or an encoding writes them.
func tagged(o *origins, v *types.Var) bool {
	for _, p := range o.code.Packages {
		if p.Types != v.Pkg() {
			continue
		}
		for _, f := range p.Files {
			if f.FileStart <= v.Pos() && v.Pos() < f.FileEnd {
				return fieldTag(f, v.Pos())
			}
		}
	}
	return false
}

func fieldTag(f *ast.File, at token.Pos) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && field.Tag != nil && field.Pos() <= at && at < field.End() {
			found = true
		}
		return n == nil || n.Pos() <= at && at < n.End()
	})
	return found
}

// through are functions of libraries whose result is made of their arguments.
func through(f *types.Func) bool {
	if f.Pkg() == nil {
		return false
	}
	switch f.Pkg().Path() {
	case "strings", "slices", "maps", "strconv", "fmt":
		return true
	case "github.com/jmoiron/sqlx":
		return f.Name() == "In" || f.Name() == "Rebind"
	}
	return false
}

// call says what reaches a result of a call.
func (o *origins) call(p *source.Package, call *ast.CallExpr, result int) (all origin) {
	if p.Info.Types[call.Fun].IsType() {
		return o.of(p, call.Args[0])
	}
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if _, ok := p.Info.Uses[id].(*types.Builtin); ok {
			return o.arguments(p, call)
		}
	}
	f := p.Callee(call)
	if f == nil {
		return o.bad(p, call, "calls a function that is a value")
	}
	name := strings.ReplaceAll(f.FullName(), source.Module, "")
	if _, ok := o.allowed[name]; ok {
		o.used[name] = true
		return origin{}
	}
	switch b, own := o.bodies[f]; {
	case isBuilder(receiver(f)) && f.Name() == "String":
		x := ast.Unparen(call.Fun).(*ast.SelectorExpr).X
		return o.variable(p, x, builderOf(p, x))
	case f.FullName() == "github.com/jmoiron/sqlx.In":
		return o.of(p, call.Args[0]) // the rest are values to bind
	case through(f):
		return o.arguments(p, call)
	case own:
		return o.result(p, call, f, b, result)
	}
	return o.bad(p, call, "is what "+name+" says")
}

func receiver(f *types.Func) types.Type {
	if r := f.Signature().Recv(); r != nil {
		return r.Type()
	}
	return types.Typ[types.Invalid]
}

func (o *origins) arguments(p *source.Package, call *ast.CallExpr) (all origin) {
	for _, a := range call.Args {
		if tv := p.Info.Types[a]; !tv.IsType() {
			all.add(o.of(p, a))
		}
	}
	return all
}

// result says what reaches a result of a function of this repository: what its
// body returns, with the arguments of this call.
func (o *origins) result(p *source.Package, call *ast.CallExpr, f *types.Func, b body, result int) (all origin) {
	if o.busy[f] {
		return all
	}
	o.busy[f] = true
	defer delete(o.busy, f)
	var inside origin
	ast.Inspect(b.decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			switch {
			case len(n.Results) == 0:
				v := f.Signature().Results().At(result)
				if len(o.writes[v]) > 0 {
					inside.add(o.variable(b.pkg, b.decl.Name, v))
				}
			case len(n.Results) == 1 && f.Signature().Results().Len() > 1:
				inside.add(o.call(b.pkg, ast.Unparen(n.Results[0]).(*ast.CallExpr), result))
			default:
				inside.add(o.of(b.pkg, n.Results[result]))
			}
		}
		return true
	})
	all.bad = inside.bad
	for _, v := range inside.params {
		args := argument(f, call, v)
		if args == nil {
			all.params = append(all.params, v)
		}
		for _, a := range args {
			all.add(o.of(p, a))
		}
	}
	return all
}

// argument returns what a call passes for a parameter of the function; nil if
// the parameter is another function's.
func argument(f *types.Func, call *ast.CallExpr, v *types.Var) []ast.Expr {
	params := f.Signature().Params()
	for i := range params.Len() {
		switch {
		case params.At(i) != v:
		case f.Signature().Variadic() && i == params.Len()-1:
			return append([]ast.Expr{}, call.Args[min(i, len(call.Args)):]...)
		case i < len(call.Args):
			return []ast.Expr{call.Args[i]}
		}
	}
	return nil
}

func unique(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
