package admin

import (
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/sdk/manifest"
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
	// Trouble is why the list may be out of date.
	Trouble    string
	MayInstall bool
	// Removed is the name of the add-on that was just removed; empty if none was.
	Removed string
}

// detailPage is one add-on.
type detailPage struct {
	card
	Offer  Offer
	Home   string
	Biller string
	// Zone is the biller's, in which days are told.
	Zone string
	// About is the manifest's description; any of them may be empty.
	About, Readme, Changelog template.HTML
	// Incomplete means that one of them cannot be shown now.
	Incomplete  bool
	Versions    []Version
	Older       int
	Permissions []permission
	Adds        []addition
	// MayInstall tells whether the person's role allows it.
	MayInstall bool
	// More are the permissions of an installed add-on that staff have not agreed to.
	More []permission
	// Kept tells that a removed add-on keeps data for the biller, Purging that it is
	// being deleted. Data tells that there are pages for that.
	Kept, Purging, Data bool
	// Operate is where this person operates it for the platform; empty for others.
	Operate string
}

// consentPage asks before an add-on is installed.
type consentPage struct {
	card
	// Zone is the biller's, in which days are told.
	Home, Biller, Zone string
	Published          time.Time
	Permissions        []permission
	Adds               []addition
}

// installingPage is an installation under way, or one that failed.
type installingPage struct {
	card
	Home  string
	Steps []step
	// Problem is why it failed; empty while it goes on.
	Problem    string
	MayInstall bool
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
	list       *web.Page[listPage]
	detail     *web.Page[detailPage]
	consent    *web.Page[consentPage]
	installing *web.Page[installingPage]
	remove     *web.Page[actionPage]
	settings   *web.Page[settingsPage]
	problem    *web.Page[problemPage]
}

// stateIcon is the icon beside a state that keeps an add-on from being installed.
func stateIcon(s OfferState) string {
	if s == WaitsForOperator {
		return "hourglass"
	}
	return "warning"
}

func newPages() (*pages, error) {
	r, err := web.NewRenderer(web.RendererConfig{Files: templates, Shared: []string{"templates/app.html"}, Funcs: template.FuncMap{"state": stateIcon, "day": day}})
	if err != nil {
		return nil, err
	}
	c := card{Icon: "addon", IconHref: "/x", Open: "/x", Installable: true, Does: []feature{{"plane", "x"}}}
	on := card{Icon: "addon", Open: "/x", Settings: "/x", Enabled: true, Installed: true, Run: Running, Size: "1 MB"}
	off := card{Icon: "addon", State: Withdrawn, Enabled: true, Installable: true, Run: Unavailable}
	begins := card{Icon: "addon", Enabled: true, Installed: true, Run: Starting}
	var p pages
	if p.list, err = web.NewPage(r, "templates/list.html", listPage{}, listPage{Search: "x", Trouble: "x"}, listPage{OnlyInstalled: true},
		listPage{Feature: &c, Rest: []card{c, on, off, begins}, MayInstall: true}, listPage{Feature: &on, Removed: "x"}, listPage{Feature: &off, MayInstall: true}); err != nil {
		return nil, err
	}
	full := detailPage{
		card: c, MayInstall: true, About: "x", Readme: "x", Changelog: "x", Incomplete: true, Permissions: []permission{{Icon: "lock"}}, Adds: []addition{{Icon: "addon"}},
		Versions: []Version{{Runs: true, At: time.Unix(0, 0)}, {State: Withdrawn}}, Older: 2, Offer: Offer{Manifest: &manifest.Manifest{Homepage: "https://x.example", License: "MIT"}},
	}
	none := Offer{Manifest: &manifest.Manifest{}, WithdrawnAt: time.Unix(0, 0), Newer: "2", PublishedAt: time.Unix(0, 0)}
	more := []permission{{Icon: "lock"}}
	samples := []detailPage{
		full, {card: c, Offer: none, MayInstall: true, Kept: true, Data: true, Operate: "x"}, {card: c, Offer: none, MayInstall: true, Purging: true},
		{card: card{Icon: "addon", Enabled: true, Installable: true}, Offer: none, MayInstall: true, Data: true, More: more},
	}
	for _, state := range []OfferState{Available, NeedsPlatform, OtherProcessor, Withdrawn, WaitsForOperator} {
		off.State, c.State, on.State = state, state, state
		for _, c := range []card{off, c, on, begins} {
			samples = append(samples, detailPage{card: c, Offer: none}, detailPage{card: c, Offer: none, MayInstall: true})
		}
	}
	if p.detail, err = web.NewPage(r, "templates/detail.html", samples...); err != nil {
		return nil, err
	}
	if p.consent, err = web.NewPage(r, "templates/consent.html", consentPage{card: c, Permissions: full.Permissions, Adds: full.Adds}, consentPage{card: off, Published: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	working := []step{{State: "done"}, {State: "now", Total: 1, Text: "x"}, {}}
	if p.installing, err = web.NewPage(r, "templates/installing.html", installingPage{card: c, Steps: working}, installingPage{card: on, Problem: "x", MayInstall: true}); err != nil {
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
