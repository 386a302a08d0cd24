package manifest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

type position struct{ line, column int }

// decoder copies a syntax tree into a Manifest and remembers where each value
// stands, so that later checks can point at it.
type decoder struct {
	at       map[string]position
	unread   map[string]bool
	problems []Problem
}

// position returns where the path stands, or the nearest thing around it.
func (d *decoder) position(path string) position {
	for {
		if pos, ok := d.at[path]; ok || path == "" {
			return pos
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// failed reports whether the value at the path, or one around or inside it,
// could not be read, so that nothing further should be said about it.
func (d *decoder) failed(path string) bool {
	for p := range d.unread {
		if p == "" || p == path || within(path, p) || within(p, path) {
			return true
		}
	}
	return false
}

func within(path, outer string) bool {
	return outer != "" && (strings.HasPrefix(path, outer+".") || strings.HasPrefix(path, outer+"["))
}

// fail records a value that could not be read.
func (d *decoder) fail(path string, node ast.Node, format string, args ...any) {
	d.unread[path] = true
	d.add(path, node, fmt.Sprintf(format, args...))
}

func (d *decoder) add(path string, node ast.Node, message string) {
	pos := where(node)
	d.problems = append(d.problems, Problem{pos.line, pos.column, path, message})
}

// where returns a node's first character.
func where(node ast.Node) position {
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return where(m.Values[0].Key)
	}
	if m, ok := node.(*ast.MappingValueNode); ok {
		return where(m.Key)
	}
	if tk := node.GetToken(); tk != nil && tk.Position != nil {
		return position{tk.Position.Line, tk.Position.Column}
	}
	return position{1, 1}
}

// value decodes one node into target, chosen by target's Go type.
func (d *decoder) value(path string, node ast.Node, target reflect.Value) {
	d.at[path] = where(node)
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.fail(path, node, "anchors, aliases and tags are not used here; write the value itself")
		return
	case *ast.NullNode:
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		d.object(path, node, target)
	case reflect.Slice:
		d.list(path, node, target)
	case reflect.Map:
		d.table(path, node, target)
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		d.value(path, node, target.Elem())
	case reflect.Interface:
		d.any(path, node, target)
	default:
		d.scalar(path, node, target)
	}
}

func (d *decoder) object(path string, node ast.Node, target reflect.Value) {
	entries, ok := pairs(node)
	if !ok {
		d.fail(path, node, "must have keys: %s", strings.Join(keys(target.Type()), ", "))
		return
	}
	for _, e := range entries {
		key, ok := e.Key.(*ast.StringNode)
		if !ok {
			d.add(path, e.Key, unknown("key", e.Key.String(), keys(target.Type())))
			continue
		}
		field, found := fieldByKey(target, key.Value)
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if !found {
			d.add(path, key, unknown("key", key.Value, keys(target.Type())))
			continue
		}
		d.value(at, e.Value, field)
		if _, null := e.Value.(*ast.NullNode); null {
			d.at[at] = where(key)
		}
	}
}

func (d *decoder) list(path string, node ast.Node, target reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fail(path, node, `must be a list; start each entry on its own line with "- "`)
		return
	}
	items := reflect.MakeSlice(target.Type(), len(seq.Values), len(seq.Values))
	for i, n := range seq.Values {
		d.value(index(path, i), n, items.Index(i))
	}
	if len(seq.Values) > 0 {
		target.Set(items)
	}
}

// table decodes a map whose keys are an author's own words. A word with a dot or
// a bracket would be taken for a path.
func (d *decoder) table(path string, node ast.Node, target reflect.Value) {
	entries, ok := pairs(node)
	if !ok {
		d.fail(path, node, "must have keys, each with its value after a colon")
		return
	}
	target.Set(reflect.MakeMap(target.Type()))
	for _, e := range entries {
		key := e.Key.GetToken().Value
		at := entry(path, key)
		value := reflect.New(target.Type().Elem()).Elem()
		d.value(at, e.Value, value)
		d.at[at] = where(e.Key)
		target.SetMapIndex(reflect.ValueOf(key), value)
	}
}

// any decodes a setting's default.
func (d *decoder) any(path string, node ast.Node, target reflect.Value) {
	var v reflect.Value
	switch node.(type) {
	case *ast.IntegerNode:
		v = reflect.New(reflect.TypeFor[int64]()).Elem()
	case *ast.BoolNode:
		v = reflect.New(reflect.TypeFor[bool]()).Elem()
	case *ast.SequenceNode:
		v = reflect.New(reflect.TypeFor[[]string]()).Elem()
		v.Set(reflect.ValueOf([]string{}))
	default:
		v = reflect.New(reflect.TypeFor[string]()).Elem()
	}
	d.value(path, node, v)
	target.Set(v)
}

func (d *decoder) scalar(path string, node ast.Node, target reflect.Value) {
	switch target.Kind() {
	case reflect.String:
		d.text(path, node, target)
	case reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			d.fail(path, node, "must be true or false")
			return
		}
		target.SetBool(b.Value)
	default:
		n, ok := wholeNumber(node)
		if !ok {
			d.fail(path, node, "must be a whole number")
			return
		}
		target.SetInt(n)
	}
}

func (d *decoder) text(path string, node ast.Node, target reflect.Value) {
	switch n := node.(type) {
	case *ast.StringNode:
		target.SetString(n.Value)
	case *ast.LiteralNode:
		target.SetString(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.fail(path, node, "must be text; put it in quotes: %q", node.GetToken().Value)
	default:
		d.fail(path, node, "must be one text, not a list or keys")
	}
}

func wholeNumber(node ast.Node) (int64, bool) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch v := n.Value.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= 1<<63-1
	}
	return 0, false
}

// pairs returns a mapping's entries; goccy gives a mapping of one entry a type of its own.
func pairs(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keys(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		names = append(names, f.Tag.Get("yaml"))
	}
	return names
}

func fieldByKey(target reflect.Value, key string) (reflect.Value, bool) {
	for i, name := range keys(target.Type()) {
		if name == key {
			return target.Field(i), true
		}
	}
	return reflect.Value{}, false
}
