package pages

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

const (
	// maxFragment is the largest fragment an add-on may answer, in bytes.
	maxFragment = 4 << 20
	// maxDepth is how deep elements may nest; what lies deeper is dropped.
	maxDepth = 100
)

// frame says where a fragment is drawn and where its links and forms may lead.
type frame struct {
	addonID string
	// page is the absolute address of the page around the fragment.
	page *url.URL
	// staffPath is the staff area, addonPath the add-on's own pages in it, and
	// staticBase its files.
	staffPath, addonPath, staticBase string
	// portal is the add-on's public address of this biller; nil if it has none.
	portal *url.URL
}

// filter returns the title and the harmless rest of a fragment. Its output goes
// through the same rules again until nothing changes, so that whoever parses it
// next sees what was judged here; a fragment that does not settle is refused.
func (f frame) filter(source []byte) (title, fragment string, err error) {
	title, fragment, err = f.pass(string(source), true)
	for range 4 {
		if err != nil {
			return "", "", err
		}
		before := fragment
		if _, fragment, err = f.pass(before, false); err == nil && fragment == before {
			return title, fragment, nil
		}
	}
	return "", "", apperr.Errorf(apperr.Internal, "fragment of %s does not settle", f.addonID)
}

// pass applies the rules once. In the first pass ids are prefixed; later ones
// expect the prefix and add nothing.
func (f frame) pass(source string, first bool) (title, fragment string, err error) {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(source), body)
	if err != nil {
		return "", "", apperr.Wrap(apperr.Internal, "parse fragment", err)
	}
	p := &filterPass{frame: f, prefix: f.addonID + "-", first: first}
	out := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	for _, n := range nodes {
		p.copy(out, n, 0)
	}
	var b strings.Builder
	for n := range out.ChildNodes() {
		if err := html.Render(&b, n); err != nil {
			return "", "", apperr.Wrap(apperr.Internal, "render fragment", err)
		}
	}
	return p.title, b.String(), nil
}

type filterPass struct {
	frame
	prefix string
	first  bool
	title  string
}

// copy adds what is allowed of n to parent.
func (p *filterPass) copy(parent, n *html.Node, depth int) {
	if depth > maxDepth {
		return
	}
	switch n.Type {
	case html.TextNode:
		parent.AppendChild(&html.Node{Type: html.TextNode, Data: n.Data})
	case html.ElementNode:
		p.element(parent, n, depth)
	}
}

func (p *filterPass) element(parent, n *html.Node, depth int) {
	if n.Namespace == "" && n.DataAtom == atom.Title && p.title == "" {
		p.title = strings.Join(strings.Fields(text(n)), " ")
	}
	v := judge(n.Namespace, n.Data)
	if v == keep && n.Namespace == "" && !p.fits(n) {
		v = unwrap
		if n.DataAtom == atom.Input {
			v = drop
		}
	}
	switch v {
	case drop:
		return
	case keep:
		kept := &html.Node{Type: html.ElementNode, Data: n.Data, DataAtom: n.DataAtom, Namespace: n.Namespace, Attr: p.attrs(n)}
		parent.AppendChild(kept)
		parent = kept
	}
	if n.Namespace == "svg" && (n.Data == "title" || n.Data == "desc") {
		if t := text(n); t != "" {
			parent.AppendChild(&html.Node{Type: html.TextNode, Data: t})
		}
		return
	}
	for child := range n.ChildNodes() {
		p.copy(parent, child, depth+1)
	}
}

// fits reports whether an allowed element may stay as it is used here.
func (p *filterPass) fits(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Form:
		_, ok := p.action(n)
		return ok
	case atom.Input:
		kind := strings.ToLower(attr(n, "type"))
		return kind == "" || isInputType(kind)
	case atom.Img:
		_, ok := p.image(attr(n, "src"))
		return ok
	}
	return true
}

func (p *filterPass) attrs(n *html.Node) []html.Attribute {
	var kept []html.Attribute
	seen := map[string]bool{}
	for _, a := range n.Attr {
		if a.Namespace != "" || seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		if value, ok := p.attr(n, a.Key, a.Val); ok {
			kept = append(kept, html.Attribute{Key: a.Key, Val: value})
		}
	}
	return append(kept, p.implied(n, seen)...)
}

// attr returns what becomes of one attribute's value; false drops it.
func (p *filterPass) attr(n *html.Node, key, value string) (string, bool) {
	switch {
	case key == "id":
		return p.id(value)
	case references(n.Data, key):
		return p.ids(value)
	case global(key, value):
		return value, true
	case n.Namespace == "svg":
		return value, isSVGAttr(key) && safeSVG(key, value)
	case slices.Contains(plainAttrs(n.Data), key):
		return value, true
	}
	return p.special(n, key, value)
}

// special handles attributes that lead somewhere or change what an element is.
func (p *filterPass) special(n *html.Node, key, value string) (string, bool) {
	switch n.Data + " " + key {
	case "a href":
		return p.link(value)
	case "a target":
		return value, value == "_blank"
	case "button data-copy":
		id, ok := strings.CutPrefix(value, "#")
		if !ok || attr(n, "type") != "button" {
			return "", false
		}
		id, ok = p.id(id)
		return "#" + id, ok
	case "button type":
		return value, value == "button" || value == "submit" || value == "reset"
	case "form action":
		return p.action(n)
	case "form method":
		return strings.ToLower(value), true
	case "img src":
		return p.image(value)
	case "input type":
		return strings.ToLower(value), true
	}
	return "", false
}

// implied returns attributes that an element must have.
func (p *filterPass) implied(n *html.Node, seen map[string]bool) []html.Attribute {
	switch n.DataAtom {
	case atom.A:
		if attr(n, "target") == "_blank" {
			return []html.Attribute{{Key: "rel", Val: "noopener noreferrer"}}
		}
	case atom.Form:
		if action, ok := p.action(n); ok && !seen["action"] && isPost(n) {
			return []html.Attribute{{Key: "action", Val: action}}
		}
	}
	return nil
}

func (p *filterPass) id(value string) (string, bool) {
	if !idName.MatchString(value) {
		return "", false
	}
	if p.first {
		return p.prefix + value, true
	}
	return value, strings.HasPrefix(value, p.prefix)
}

func (p *filterPass) ids(value string) (string, bool) {
	var ids []string
	for _, id := range strings.Fields(value) {
		if id, ok := p.id(id); ok {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " "), len(ids) > 0
}

// link returns where a link may lead: the staff area, this biller's public
// pages, the same page, an address to write to or to call.
func (p *filterPass) link(value string) (string, bool) {
	value = strings.TrimSpace(value)
	if id, ok := strings.CutPrefix(value, "#"); ok {
		id, ok = p.id(id)
		return "#" + id, ok
	}
	ref, err := url.Parse(value)
	if err != nil || strings.ContainsAny(value, "\\\x00") {
		return "", false
	}
	if ref.Scheme == "mailto" || ref.Scheme == "tel" {
		return value, ref.Host == ""
	}
	if strings.HasPrefix(value, "?") {
		return "?" + ref.Query().Encode(), ref.Fragment == ""
	}
	u := p.page.ResolveReference(ref)
	if sameOrigin(u, p.page) && web.IsSafePath(local(u), p.staffPath) {
		return local(u), true
	}
	if p.portal != nil && sameOrigin(u, p.portal) && web.IsSafePath(local(u), p.portal.Path) {
		return u.Scheme + "://" + u.Host + local(u), true
	}
	return "", false
}

// action returns where a form may lead: a POST to the add-on's own pages, a GET
// there or, with an empty address, to the page it stands on.
func (p *filterPass) action(n *html.Node) (string, bool) {
	method := strings.ToLower(attr(n, "method"))
	if method != "" && method != "get" && method != "post" {
		return "", false
	}
	value := strings.TrimSpace(attr(n, "action"))
	if !isPost(n) && (value == "" || value == "?") {
		return "", true
	}
	ref, err := url.Parse(value)
	if err != nil || strings.ContainsAny(value, "\\\x00") {
		return "", false
	}
	u := p.page.ResolveReference(ref)
	return local(u), sameOrigin(u, p.page) && web.IsSafePath(local(u), p.addonPath)
}

func (p *filterPass) image(value string) (string, bool) {
	return value, web.IsSafePath(value, p.staticBase)
}

func isPost(n *html.Node) bool { return strings.EqualFold(attr(n, "method"), "post") }

func safeSVG(key, value string) bool {
	if key == "transform" {
		return svgTransform.MatchString(value)
	}
	return svgValue.MatchString(value)
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) && a.User == nil && a.Opaque == ""
}

// local returns path, query and fragment of an address, escaped.
func local(u *url.URL) string {
	s := u.EscapedPath()
	if s == "" {
		s = "/"
	}
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		s += "#" + u.EscapedFragment()
	}
	return s
}
