package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// browser keeps cookies and submits forms as one without script does.
type browser struct {
	tb      testing.TB
	r       *rig
	surface wire.Surface
	call    sdk.Call
	cookies map[string]string
}

func (r *rig) browser(biller string) *browser {
	return &browser{tb: r.tb, r: r, surface: wire.Public, call: r.PublicCall(biller), cookies: map[string]string{}}
}

// staff is somebody who has just signed in at the platform.
func (r *rig) staff(surface wire.Surface, abilities ...string) *browser {
	b := &browser{tb: r.tb, r: r, surface: surface, call: r.StaffCall(northwind, abilities...), cookies: map[string]string{}}
	b.call.Viewer.AuthenticatedAt = r.clock.now()
	return b
}

// page is an answer.
type page struct {
	tb       testing.TB
	path     string
	status   int
	header   http.Header
	location string
	body     string
	doc      *html.Node
}

// do sends one request; path is below the surface.
func (b *browser) do(method, path string, form url.Values) *page {
	b.tb.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req := httptest.NewRequestWithContext(b.tb.Context(), method, path, body)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res := b.r.Do(b.surface, b.call, req)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	b.keepsSecrets(path, res.Header, string(text))
	doc, err := html.Parse(strings.NewReader(string(text)))
	if err != nil {
		b.tb.Fatal(err)
	}
	return &page{tb: b.tb, path: path, status: res.StatusCode, header: res.Header, location: res.Header.Get("Location"), body: string(text), doc: doc}
}

// keepsSecrets fails the test if an answer tells what is in the cookies anywhere
// but in Set-Cookie.
func (b *browser) keepsSecrets(path string, header http.Header, body string) {
	b.tb.Helper()
	rest := header.Clone()
	rest.Del("Set-Cookie")
	all := fmt.Sprint(rest) + body
	for name, value := range b.cookies {
		if name != "profile" && len(value) >= 20 && strings.Contains(all, value) {
			b.tb.Errorf("%s: the answer tells the cookie %q", path, name)
		}
	}
}

// follow goes where the answer leads, if it redirects within the surface.
func (b *browser) follow(p *page) *page {
	b.tb.Helper()
	for range 5 {
		path, ok := strings.CutPrefix(p.location, b.call.BasePath)
		if p.location == "" || !ok {
			return p
		}
		p = b.do(http.MethodGet, path, nil)
	}
	b.tb.Fatalf("redirected in circles at %s", p.path)
	return nil
}

func (b *browser) open(path string) *page {
	b.tb.Helper()
	return b.follow(b.do(http.MethodGet, path, nil))
}

// press fills in fields (name, value, …) and presses the button with the label.
func (b *browser) press(p *page, label string, fields ...string) *page {
	b.tb.Helper()
	form, button := p.find(label)
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "name") != "" {
			kind := attr(n, "type")
			if (kind == "radio" || kind == "checkbox") && !has(n, "checked") {
				continue
			}
			values.Add(attr(n, "name"), attr(n, "value"))
		}
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	if name := attr(button, "name"); name != "" {
		values.Set(name, attr(button, "value"))
	}
	action := attr(form, "action")
	if other := attr(button, "formaction"); other != "" {
		action = other
	}
	path, ok := strings.CutPrefix(action, b.call.BasePath)
	if !ok || action == "" {
		path = strings.Split(p.path, "?")[0]
	}
	if attr(form, "method") != "post" {
		b.tb.Fatalf("%s: the form of %q is no POST", p.path, label)
	}
	return b.follow(b.do(http.MethodPost, path, values))
}

// find returns the visible button with the label and its form.
func (p *page) find(label string) (form, button *html.Node) {
	p.tb.Helper()
	for n := range p.doc.Descendants() {
		if n.Data == "button" && !has(n, "hidden") && strings.HasPrefix(textOf(n), label) {
			for f := n.Parent; f != nil; f = f.Parent {
				if f.Data == "form" {
					return f, n
				}
			}
		}
	}
	p.tb.Fatalf("%s (%d): no button %q in\n%s", p.path, p.status, label, p.text())
	return nil, nil
}

// text is what people read of <main>, white space squeezed.
func (p *page) text() string {
	for n := range p.doc.Descendants() {
		if n.Data == "main" {
			return textOf(n)
		}
	}
	return textOf(p.doc)
}

// wants fails the test unless the page has the status and all texts.
func (p *page) wants(status int, texts ...string) *page {
	p.tb.Helper()
	if p.status != status {
		p.tb.Fatalf("%s: status %d, want %d; it says\n%s", p.path, p.status, status, p.text())
	}
	for _, text := range texts {
		if !strings.Contains(p.text(), text) {
			p.tb.Fatalf("%s: %q is missing in\n%s", p.path, text, p.text())
		}
	}
	return p
}

// lacks fails the test if one of the texts is anywhere in the source.
func (p *page) lacks(texts ...string) *page {
	p.tb.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.tb.Fatalf("%s: holds %q", p.path, text)
		}
	}
	return p
}

// input returns the field's element.
func (p *page) input(name string) *html.Node {
	p.tb.Helper()
	for n := range p.doc.Descendants() {
		if n.Data == "input" && attr(n, "name") == name {
			return n
		}
	}
	p.tb.Fatalf("%s: no field %q", p.path, name)
	return nil
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			b.WriteString(" ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
