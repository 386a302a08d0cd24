package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"strings"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// board is the little site around an add-on that runs for its author: an index,
// the surfaces, the static files, the mails that were sent and what staff were told.
type board struct {
	*http.ServeMux

	trial    *trial
	instance *sdktest.Instance
	origin   string
	page     *template.Template
	mails    func() []sdktest.Mail
	notices  func() []sdktest.Notice
	links    []link
}

type link struct{ Title, URL string }

func newBoard(t *trial, i *sdktest.Instance, origin string) *board {
	b := &board{
		ServeMux: http.NewServeMux(),
		trial:    t,
		instance: i,
		origin:   origin,
		page:     boardTemplates().Lookup("board.html"),
		mails:    i.Host.Mails,
		notices:  i.Host.Notices,
	}
	b.public()
	b.staff()
	b.slots()
	b.Handle("GET /static/", http.StripPrefix("/static", staticFiles(t.static)))
	b.HandleFunc("GET /{$}", b.index)
	b.Handle("GET "+lookPath(), web.ServeAssets(lookPath()))
	b.HandleFunc("GET "+boardStyle, func(w http.ResponseWriter, _ *http.Request) { serveBoardStyle(w) })
	b.links = append(b.links, link{"Mails sent, and this list", origin + "/"})
	return b
}

// list is the pages as lines for a terminal.
func (b *board) list() string {
	var s strings.Builder
	for _, l := range b.links {
		fmt.Fprintf(&s, "  %-40s %s\n", l.Title, l.URL)
	}
	return s.String()
}

func (b *board) publicPath() string {
	return "/" + b.trial.manifest.Pages.Public.Prefix + "/" + sdktest.Northwind
}

func (b *board) public() {
	if b.trial.manifest.Pages.Public.Prefix == "" {
		return
	}
	base := b.publicPath()
	pages := b.instance.Handler(wire.Public, func(r *http.Request) sdk.Call {
		return b.call(r, b.instance.PublicCall(sdktest.Northwind), base)
	})
	b.Handle(base+"/", http.StripPrefix(base, withPolicy(pages)))
	b.links = append(b.links, link{"Public pages", b.origin + base + "/"})
}

// staff shows the fragments of staff pages, whose author holds all abilities.
func (b *board) staff() {
	m := b.trial.manifest
	if len(m.Pages.Staff) == 0 {
		return
	}
	base := "/admin/addons/" + m.ID
	b.Handle(base+"/", http.StripPrefix(base, framed(m.Name, withPolicy(b.instance.Handler(wire.Staff, b.staffCall(base))))))
	for _, p := range m.Pages.Staff {
		b.links = append(b.links, link{"Staff page: " + p.Title, b.origin + base + p.Path})
	}
}

func (b *board) slots() {
	const base = "/slots"
	b.Handle(base+"/", http.StripPrefix(base, framed(b.trial.manifest.Name, withPolicy(b.instance.Handler(wire.Slot, b.staffCall(base))))))
	for _, s := range b.trial.manifest.Slots {
		if s.Name == "nav.addons" {
			continue
		}
		url := b.origin + base + s.Path
		if s.Name == "customer.tab" {
			url += "?customer=customer-1"
		}
		b.links = append(b.links, link{"Slot " + s.Name + ": " + s.Title, url})
	}
}

func (b *board) staffCall(base string) func(*http.Request) sdk.Call {
	var abilities []string
	for _, a := range b.trial.manifest.Abilities {
		abilities = append(abilities, a.Name)
	}
	return func(r *http.Request) sdk.Call {
		return b.call(r, b.instance.StaffCall(sdktest.Northwind, abilities...), base)
	}
}

// call makes a test call one of this site.
func (b *board) call(r *http.Request, c sdk.Call, base string) sdk.Call {
	c.BaseURL = b.origin
	c.BasePath = base
	c.PortalURL = b.origin + b.publicPath()
	c.StaticBase = "/static"
	c.CSPNonce, _ = r.Context().Value(nonceKey{}).(string)
	c.RequestID = rand.Text()
	c.UserAgent = r.UserAgent()
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.RemoteIP = at.Addr()
	}
	return c
}

type nonceKey struct{}

// withPolicy sets the policy that platforms set on an add-on's pages.
func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := rand.Text()
		w.Header().Set("Content-Security-Policy",
			"default-src 'self'; script-src 'none'; style-src 'self' 'nonce-"+nonce+
				"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}

func (b *board) index(w http.ResponseWriter, _ *http.Request) {
	var page bytes.Buffer
	err := b.page.Execute(&page, map[string]any{
		"Name":    b.trial.manifest.Name,
		"Links":   b.links,
		"Mails":   b.mails(),
		"Notices": b.notices(),
		"Style":   boardStyle,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", boardPolicy)
	// An author who has closed the window needs no error.
	_, _ = page.WriteTo(w)
}
