package admin

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/sdk/web"
)

//go:embed templates
var templates embed.FS

// listPage is the marketplace.
type listPage struct {
	Home   string
	Search string
	// OnlyInstalled is the second tab; InstalledCount stands on it.
	OnlyInstalled  bool
	InstalledCount int
	// Feature is the first add-on, drawn large; nil with none.
	Feature *card
	Rest    []card
	// Removed is the name of the add-on that was just removed; empty if none was.
	Removed string
}

// detailPage is one add-on: the question before it is installed, or what it may
// do once it is.
type detailPage struct {
	card
	Home        string
	Biller      string
	Description template.HTML
	Permissions []permission
	Adds        []addition
	// MayInstall tells whether the person's role allows it.
	MayInstall bool
	// Running is false while an installed add-on is starting.
	Running bool
}

// actionPage is a page with one question or one message about an add-on.
type actionPage struct {
	card
	Home string
}

// problemPage is an error.
type problemPage struct {
	web.Problem
	Home string
}

// Heading is the title of the problem in words.
func (p problemPage) Heading() string {
	switch p.Status {
	case http.StatusNotFound:
		return "This page is not here"
	case http.StatusForbidden:
		return "You may not do this"
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		return "Something went wrong"
	}
	return "This did not work"
}

type pages struct {
	list     *web.Page[listPage]
	detail   *web.Page[detailPage]
	starting *web.Page[actionPage]
	remove   *web.Page[actionPage]
	settings *web.Page[settingsPage]
	problem  *web.Page[problemPage]
}

func newPages() (*pages, error) {
	r, err := web.NewRenderer(web.RendererConfig{Files: templates})
	if err != nil {
		return nil, err
	}
	c := card{Icon: "addon", Open: "/x"}
	on := card{Icon: "addon", Open: "/x", Settings: "/x", Installed: true, Size: "1 MB"}
	var p pages
	if p.list, err = web.NewPage(r, "templates/list.html", listPage{}, listPage{Search: "x"}, listPage{Feature: &c, Rest: []card{c, on}}, listPage{Feature: &on, Removed: "x"}); err != nil {
		return nil, err
	}
	full := detailPage{card: c, MayInstall: true, Description: "x", Permissions: []permission{{Icon: "lock"}}, Adds: []addition{{Icon: "addon"}}}
	if p.detail, err = web.NewPage(r, "templates/detail.html", full, detailPage{card: on}, detailPage{card: on, MayInstall: true, Running: true}, detailPage{card: c}); err != nil {
		return nil, err
	}
	if p.starting, err = web.NewPage(r, "templates/starting.html", actionPage{card: on}); err != nil {
		return nil, err
	}
	if p.remove, err = web.NewPage(r, "templates/remove.html", actionPage{card: on}); err != nil {
		return nil, err
	}
	if p.settings, err = web.NewPage(r, "templates/settings.html", settingsSamples(on)...); err != nil {
		return nil, err
	}
	p.problem, err = web.NewPage(r, "templates/problem.html", problemPage{}, problemPage{Problem: web.Problem{RequestID: "x"}})
	return &p, err
}
