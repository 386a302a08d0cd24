package walls_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/internal/source"
)

// read notes the writes and functions of one node.
func (o *origins) read(p *source.Package, n ast.Node) {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if f, ok := p.Info.Defs[n.Name].(*types.Func); ok {
			o.bodies[f] = body{p, n}
			for v := range f.Signature().Params().Variables() {
				o.params[v] = true
			}
		}
	case *ast.AssignStmt:
		o.assign(p, n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		var left []ast.Expr
		for _, name := range n.Names {
			left = append(left, name)
		}
		if len(n.Values) > 0 {
			o.assign(p, left, n.Values)
		}
	case *ast.RangeStmt:
		for _, e := range []ast.Expr{n.Key, n.Value} {
			if e != nil {
				o.write(p, e, write{pkg: p, expr: n.X, result: -1})
			}
		}
	case *ast.CompositeLit:
		o.literal(p, n)
	case *ast.UnaryExpr:
		if t := p.Info.TypeOf(n.X); n.Op == token.AND && t != nil && isString(t) {
			o.write(p, n.X, write{pkg: p, unknown: "its address is given away"})
		}
	case *ast.CallExpr:
		o.builder(p, n)
	}
}

func (o *origins) assign(p *source.Package, left, right []ast.Expr) {
	for i, l := range left {
		if len(left) == len(right) {
			o.write(p, l, write{pkg: p, expr: right[i], result: -1})
		} else {
			o.write(p, l, write{pkg: p, expr: right[0], result: i})
		}
	}
}

// write notes what is given to the variable or field behind an expression; to
// that of the container for an element.
func (o *origins) write(p *source.Package, to ast.Expr, w write) {
	for {
		switch e := ast.Unparen(to).(type) {
		case *ast.IndexExpr:
			to = e.X
			continue
		case *ast.StarExpr:
			to = e.X
			continue
		case *ast.UnaryExpr:
			to = e.X
			continue
		}
		break
	}
	if v := builderOf(p, to); v != nil {
		o.writes[v] = append(o.writes[v], w)
	}
}

// builderOf is variable, or the field that a struct embeds a builder as.
func builderOf(p *source.Package, e ast.Expr) *types.Var {
	t := p.Info.TypeOf(e)
	if ptr, ok := t.(*types.Pointer); ok {
		t = ptr.Elem()
	}
	if t != nil {
		if s, ok := t.Underlying().(*types.Struct); ok && !isBuilder(t) {
			for f := range s.Fields() {
				if f.Embedded() && isBuilder(f.Type()) {
					return f
				}
			}
		}
	}
	return variable(p, e)
}

// literal notes the fields of a struct that is written out.
func (o *origins) literal(p *source.Package, n *ast.CompositeLit) {
	t := p.Info.TypeOf(n)
	if ptr, ok := t.Underlying().(*types.Pointer); ok {
		t = ptr.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if v, ok := p.Info.Uses[kv.Key.(*ast.Ident)].(*types.Var); ok {
				o.writes[v] = append(o.writes[v], write{pkg: p, expr: kv.Value, result: -1})
			}
			continue
		}
		o.writes[s.Field(i)] = append(o.writes[s.Field(i)], write{pkg: p, expr: e, result: -1})
	}
}

// builder notes what is written to a strings.Builder.
func (o *origins) builder(p *source.Package, call *ast.CallExpr) {
	f := p.Callee(call)
	if f == nil {
		return
	}
	sel, isMethod := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	switch {
	case isMethod && strings.HasPrefix(f.FullName(), "(*strings.Builder).Write"):
		o.write(p, sel.X, write{pkg: p, expr: call.Args[0], result: -1})
	case strings.HasPrefix(f.FullName(), "fmt.Fprint"):
		for _, a := range call.Args[1:] {
			o.write(p, call.Args[0], write{pkg: p, expr: a, result: -1})
		}
	}
}

func variable(p *source.Package, e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		obj := p.Info.Defs[e]
		if obj == nil {
			obj = p.Info.Uses[e]
		}
		v, _ := obj.(*types.Var)
		return v
	case *ast.SelectorExpr:
		v, _ := p.Info.Uses[e.Sel].(*types.Var)
		return v
	}
	return nil
}
