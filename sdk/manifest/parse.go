package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Parse reads a manifest and checks it. name is how errors call the file. Unknown
// keys, anchors, aliases and tags are mistakes. The error is an *Error with every
// mistake found, or with the first one only if the text is not YAML at all.
func Parse(name string, data []byte) (*Manifest, error) {
	m, err := Inspect(name, data)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Inspect is Parse that returns, beside the error, what could be read of a
// manifest with mistakes, for tools that go on looking. It is nil only if the
// text is not YAML.
func Inspect(name string, data []byte) (*Manifest, error) {
	root, problem := tree(data)
	if problem != nil {
		return nil, &Error{Name: name, Problems: []Problem{*problem}}
	}
	var m Manifest
	d := &decoder{at: map[string]position{"": {1, 1}}, unread: map[string]bool{}}
	d.value("", root, reflect.ValueOf(&m).Elem())
	m.fillSlots()
	problems := d.problems
	for _, p := range check(&m) {
		if d.failed(p.Path) {
			continue
		}
		pos := d.position(p.Path)
		p.Line, p.Column = pos.line, pos.column
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return &m, &Error{Name: name, Problems: shorten(problems)}
	}
	return &m, nil
}

// shorten keeps an error readable whatever the file holds: at most 100 mistakes
// of at most 400 bytes each.
func shorten(problems []Problem) []Problem {
	const most, longest = 100, 400
	if n := len(problems); n > most {
		rest := Problem{Line: problems[most].Line, Column: problems[most].Column,
			Message: fmt.Sprintf("%d more mistakes follow; mend these first", n-most)}
		problems = append(problems[:most:most], rest)
	}
	for i, p := range problems {
		if len(p.Message) > longest {
			problems[i].Message = strings.ToValidUTF8(p.Message[:longest], "") + "…"
		}
	}
	return problems
}

// tree returns the document's root, or the mistake that keeps it from being read.
func tree(data []byte) (ast.Node, *Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > MaxSize:
		return nil, &Problem{Line: 1, Column: 1, Message: "is larger than 64 KiB; shorten it"}
	case !utf8.Valid(data):
		return nil, &Problem{Line: 1, Column: 1, Message: "is not UTF-8 text; save it as UTF-8"}
	}
	if deep := tooDeep(data); deep != nil {
		return nil, deep
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxProblem(err)
	}
	if len(file.Docs) > 1 {
		p := Problem{Line: 1, Column: 1, Message: `holds more than one document; remove the "---" lines`}
		if start := file.Docs[1].Start; start != nil {
			p.Line, p.Column = start.Position.Line, start.Position.Column
		}
		return nil, &p
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, &Problem{Line: 1, Column: 1, Message: "is empty; addon init writes one to start from"}
	}
	return file.Docs[0].Body, nil
}

// tooDeep refuses brackets nested deeper than any manifest needs, before the
// parser recurses into them.
func tooDeep(data []byte) *Problem {
	line, column, depth := 1, 0, 0
	for _, b := range data {
		column++
		switch b {
		case '\n':
			line, column = line+1, 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > 100 {
			return &Problem{Line: line, Column: column, Message: "brackets are nested too deeply; close them"}
		}
	}
	return nil
}

func syntaxProblem(err error) *Problem {
	p := &Problem{Line: 1, Column: 1, Message: "is not YAML: " + err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Message = "is not YAML: " + e.GetMessage()
		if tk := e.GetToken(); tk != nil && tk.Position != nil {
			p.Line, p.Column = tk.Position.Line, tk.Position.Column
		}
	}
	p.Message = strings.NewReplacer("\t", `\t`, "\n", " ").Replace(p.Message)
	return p
}
