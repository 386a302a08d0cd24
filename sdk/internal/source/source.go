// Package source reads the Go code of this repository with its types, for tests
// that hold the code to a rule.
package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the path of the repository's module, with a slash behind it.
const Module = "github.com/billing-addons/customer-portal/"

// Package is one of the repository, without its tests.
type Package struct {
	// Path is the import path below Module ("plugin/store").
	Path  string
	Files []*ast.File
	Types *types.Package
	Info  *types.Info
}

// Code is all packages of the repository, those that others import first.
type Code struct {
	Fset     *token.FileSet
	Packages []*Package
}

// listed is what go list tells about a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// Load reads the packages that the patterns name ("plugin/...", below Module) and
// those of the repository that they import. It needs the go command.
func Load(patterns ...string) (*Code, error) {
	args := []string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles"}
	for _, p := range patterns {
		args = append(args, Module+p)
	}
	cmd := exec.Command("go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	code, exports := &Code{Fset: token.NewFileSet()}, map[string]string{}
	im := &imports{own: map[string]*types.Package{}}
	im.others = importer.ForCompiler(code.Fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return code, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[l.ImportPath] = l.Export
		if !strings.HasPrefix(l.ImportPath, Module) {
			continue
		}
		p, err := code.check(l, im)
		if err != nil {
			return nil, err
		}
		im.own[l.ImportPath] = p.Types
		code.Packages = append(code.Packages, p)
	}
}

// Parse reads one package of one file that imports only the standard library, for
// tests of rules.
func Parse(name, text string) (*Code, error) {
	code := &Code{Fset: token.NewFileSet()}
	f, err := parser.ParseFile(code.Fset, name+".go", text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	p := &Package{Path: name, Files: []*ast.File{f}, Info: newInfo()}
	if p.Types, err = (&types.Config{Importer: importer.Default()}).Check(name, code.Fset, p.Files, p.Info); err != nil {
		return nil, fmt.Errorf("check types: %w", err)
	}
	code.Packages = []*Package{p}
	return code, nil
}

func newInfo() *types.Info {
	return &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, Implicits: map[ast.Node]types.Object{},
	}
}

func (c *Code) check(l listed, im *imports) (*Package, error) {
	p := &Package{Path: strings.TrimPrefix(l.ImportPath, Module), Info: newInfo()}
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(c.Fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		p.Files = append(p.Files, f)
	}
	var err error
	if p.Types, err = (&types.Config{Importer: im}).Check(l.ImportPath, c.Fset, p.Files, p.Info); err != nil {
		return nil, fmt.Errorf("check types: %w", err)
	}
	return p, nil
}

// At is where a node stands, for messages.
func (c *Code) At(n ast.Node) string {
	at := c.Fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}

// Callee is the function or method that a call names; nil for conversions, for
// values of function types and for built-in functions.
func (p *Package) Callee(call *ast.CallExpr) *types.Func {
	var id *ast.Ident
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	case *ast.IndexExpr:
		switch x := ast.Unparen(f.X).(type) {
		case *ast.Ident:
			id = x
		case *ast.SelectorExpr:
			id = x.Sel
		}
	}
	if id == nil {
		return nil
	}
	f, _ := p.Info.Uses[id].(*types.Func)
	if f != nil {
		f = f.Origin()
	}
	return f
}

// imports finds the repository's packages among those already read.
type imports struct {
	own    map[string]*types.Package
	others types.Importer
}

// Import implements types.Importer.
func (i *imports) Import(path string) (*types.Package, error) {
	if p := i.own[path]; p != nil {
		return p, nil
	}
	return i.others.Import(path)
}
