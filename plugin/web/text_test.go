package web_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"

	"golang.org/x/net/html"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// templateFiles are all templates of pages and mails, by path.
func templateFiles(tb testing.TB) map[string]string {
	tb.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"templates/*", "../mail/templates/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			tb.Fatalf("no templates at %s: %v", pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			files[name] = string(b)
		}
	}
	return files
}

func parseTemplate(tb testing.TB, name, text string) map[string]*parse.Tree {
	tb.Helper()
	trees := map[string]*parse.Tree{}
	t := parse.New(name)
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(text, "{{", "}}", trees); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return trees
}

// walk calls f for every node of a template.
func walk(n parse.Node, f func(parse.Node)) {
	switch n := n.(type) {
	case nil:
		return
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			walk(child, f)
		}
		return
	case *parse.IfNode:
		branch(&n.BranchNode, f)
	case *parse.RangeNode:
		branch(&n.BranchNode, f)
	case *parse.WithNode:
		branch(&n.BranchNode, f)
	case *parse.ActionNode:
		walk(n.Pipe, f)
	case *parse.TemplateNode:
		walk(n.Pipe, f)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			walk(c, f)
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			walk(arg, f)
		}
	}
	f(n)
}

func branch(b *parse.BranchNode, f func(parse.Node)) {
	walk(b.Pipe, f)
	walk(b.List, f)
	walk(b.ElseList, f)
}

// TestTemplatesHoldNoText keeps every word that people read in the catalogue:
// outside of actions there are no letters, neither between tags nor in attributes
// that are read out.
func TestTemplatesHoldNoText(t *testing.T) {
	t.Parallel()
	read := []string{"aria-label", "title", "placeholder", "alt", "data-label", "data-copied", "aria-description"}
	for name, text := range templateFiles(t) {
		for part, tree := range parseTemplate(t, name, text) {
			var b strings.Builder
			flatten(tree.Root, &b)
			if strings.HasSuffix(name, ".txt") {
				if letters(b.String()) {
					t.Errorf("%s: text %q", name, b.String())
				}
				continue
			}
			z := html.NewTokenizer(strings.NewReader(b.String()))
			style := false
			for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
				token := z.Token()
				if token.Data == "style" {
					style = kind == html.StartTagToken
				}
				if kind == html.TextToken && !style && letters(token.Data) {
					t.Errorf("%s, %s: text %q", name, part, strings.TrimSpace(token.Data))
				}
				for _, a := range token.Attr {
					if slices.Contains(read, a.Key) && letters(a.Val) {
						t.Errorf("%s, %s: attribute %s=%q", name, part, a.Key, a.Val)
					}
				}
			}
		}
	}
}

// flatten writes the text nodes, with a mark for each action between them.
func flatten(n *parse.ListNode, b *strings.Builder) {
	if n == nil {
		return
	}
	for _, node := range n.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			b.Write(node.Text)
		case *parse.IfNode:
			flatten(node.List, b)
			flatten(node.ElseList, b)
		case *parse.RangeNode:
			flatten(node.List, b)
			flatten(node.ElseList, b)
		case *parse.WithNode:
			flatten(node.List, b)
			flatten(node.ElseList, b)
		default:
			b.WriteString("0")
		}
	}
}

func letters(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

// TestKeys finds keys without text and texts that nobody shows.
func TestKeys(t *testing.T) {
	t.Parallel()
	texts := englishTexts(t)
	called, literals := usedKeys(t)
	made := madeKeys(t)
	for key := range called {
		if texts[key] == nil && !slices.ContainsFunc(made, func(m string) bool { return strings.HasPrefix(m, key+".") }) {
			t.Errorf("no text for key %q", key)
		}
	}
	for _, key := range made {
		if texts[key] == nil {
			t.Errorf("no text for key %q", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if !called[key] && !literals[key] && !slices.Contains(made, key) {
			t.Errorf("text %q is never shown", key)
		}
	}
}

// englishTexts are the texts by key, of all areas.
func englishTexts(tb testing.TB) map[string]any {
	tb.Helper()
	names, err := filepath.Glob("../catalogue/*.en.json")
	if err != nil || len(names) == 0 {
		tb.Fatalf("texts: %v, %v", names, err)
	}
	texts := map[string]any{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		area := map[string]any{}
		if err := json.Unmarshal(b, &area); err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		for key, text := range area {
			if texts[key] != nil {
				tb.Errorf("%s: key %q is in another file too", name, key)
			}
			texts[key] = text
		}
	}
	return texts
}

// usedKeys are the keys that templates and code name: as the first argument of
// the functions that take one, and all string literals of the code.
func usedKeys(tb testing.TB) (called, literals map[string]bool) {
	tb.Helper()
	called, literals = map[string]bool{}, map[string]bool{}
	takes := []string{"T", "N", "Rich", "ask"}
	for name, text := range templateFiles(tb) {
		for _, tree := range parseTemplate(tb, name, text) {
			walk(tree.Root, func(n parse.Node) {
				c, ok := n.(*parse.CommandNode)
				if !ok || len(c.Args) < 2 {
					return
				}
				var ident []string
				switch f := c.Args[0].(type) {
				case *parse.FieldNode:
					ident = f.Ident
				case *parse.VariableNode:
					ident = f.Ident
				}
				key, ok := c.Args[1].(*parse.StringNode)
				if ok && len(ident) > 0 && slices.Contains(takes, ident[len(ident)-1]) {
					called[key.Text] = true
				}
			})
		}
	}
	for _, pattern := range []string{"*.go", "../mail/*.go", "../catalogue/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			tb.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				tb.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
						literals[s] = true
					}
				case *ast.CallExpr:
					f, ok := n.Fun.(*ast.SelectorExpr)
					if !ok || len(n.Args) == 0 || !slices.Contains(takes, f.Sel.Name) {
						return true
					}
					if lit, ok := n.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						if s, err := strconv.Unquote(lit.Value); err == nil {
							called[s] = true
						}
					}
				}
				return true
			})
		}
	}
	return called, literals
}

// madeKeys are the keys that code puts together.
// actions are all that the portal records.
func actions(tb testing.TB) []string {
	tb.Helper()
	source, err := os.ReadFile("../portal/activity.go")
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, action := range regexp.MustCompile(`Action = "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
		out = append(out, action[1])
	}
	if len(out) == 0 {
		tb.Fatal("no action is found")
	}
	return out
}

func madeKeys(tb testing.TB) []string {
	tb.Helper()
	var keys []string
	add := func(prefix string, ends ...string) {
		for _, end := range ends {
			keys = append(keys, prefix+"."+end)
		}
	}
	for _, s := range portal.Statuses() {
		slug := strings.ReplaceAll(strings.ToLower(string(s)), " ", "_")
		add("status", slug)
		if s != portal.StatusRegistered && s != portal.StatusNotInvited {
			add("stuck", slug)
		}
	}
	source, err := os.ReadFile("../portal/customer.go")
	if err != nil {
		tb.Fatal(err)
	}
	for _, kind := range regexp.MustCompile(`HistoryKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		add("history", kind[1])
	}
	for i := 1; i <= 12; i++ {
		add("month", strconv.Itoa(i))
		add("month.short", strconv.Itoa(i))
	}
	add("weekday", "0", "1", "2", "3", "4", "5", "6")
	add("step", "1", "2", "3", "4", "5")
	add("open.step", "1", "2", "3", "4")
	for _, mail := range []string{"mail.known", "mail.unknown"} {
		add(mail, "subject", "preview", "lead", "button", "valid", "unexpected")
	}
	for _, reminder := range []string{"mail.reminder", "mail.reminder.started"} {
		add(reminder, "lead", "unexpected")
	}
	for _, u := range portal.Undos() {
		add("disown.lead", string(u))
		add("disown.done", string(u))
	}
	add("strength", "0", "1", "2", "3", "4")
	add("required", "email", "password", "code", "current", "name")
	add("customer.notice", "access_approved", "access_declined", "removed", "kept", "erased", "revoked")
	add("customer.refused", "decided", "has", "archived", "dead", "differs", "gone", "resets", "wait")
	for _, act := range []string{"disable", "remove", "replace", "erase"} {
		add("person."+act, "title", "lead", "button")
	}
	for _, right := range portal.Rights() {
		add("right", string(right), string(right)+".hint")
	}
	for _, a := range actions(tb) {
		if portal.Action(a).Notice() {
			add("mail.notice."+a, "subject", "lead")
		}
		if !strings.HasPrefix(a, "invitation.") { // those are about customers, not sign-ins
			add("activity", a)
		}
	}
	for _, kind := range portal.StaffKinds() {
		add("staff."+string(kind), "subject", "text")
	}
	add("column", "display_name", "email", "status", "email_confirmed", "invited", "registered")
	for _, prefix := range []string{"contact", "home.pay", "invoice.questions", "signin.trouble", "mail.questions", "message.noaccess", "open.unsure", "open.missing", "open.none", "open.off"} {
		add(prefix, "both", "phone", "email", "none")
	}
	return keys
}
