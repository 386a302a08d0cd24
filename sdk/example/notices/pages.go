package main

import (
	"cmp"
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
	"github.com/billing-addons/customer-portal/sdk/example/notices/store"
	"github.com/billing-addons/customer-portal/sdk/web"
)

//go:embed templates
var templates embed.FS

// pages draws the three surfaces.
type pages struct {
	store *store.Store
	host  sdk.Host
	log   *slog.Logger
	now   func() time.Time

	list    *web.Page[view] // public
	board   *web.Page[view] // staff
	today   *web.Page[view] // the customer's tab
	problem *web.Page[web.Problem]
}

// view is what every page knows.
type view struct {
	sdk.Call
	Biller  sdk.Biller
	Board   notice.Board
	Today   string
	Notices []notice.Notice
	Form    *web.Form
	// Told is what has just happened, for people.
	Told string
}

func newPages(s *store.Store, host sdk.Host, log *slog.Logger, now func() time.Time) (*pages, error) {
	r, err := web.NewRenderer(web.RendererConfig{Files: templates, Funcs: template.FuncMap{"day": day}})
	if err != nil {
		return nil, err
	}
	p := &pages{store: s, host: host, log: log, now: now}
	sample := view{Form: &web.Form{}, Told: "x", Notices: []notice.Notice{{ID: "x", Text: "x"}}}
	for file, page := range map[string]**web.Page[view]{
		"templates/public.html": &p.list, "templates/staff.html": &p.board, "templates/today.html": &p.today,
	} {
		if *page, err = web.NewPage(r, file, view{Form: &web.Form{}}, sample); err != nil {
			return nil, err
		}
	}
	p.problem, err = web.NewPage[web.Problem](r, "templates/problem.html")
	return p, err
}

// day writes a day as people read it.
func day(text string) template.HTML {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return ""
	}
	return web.Date(t)
}

func (p *pages) public() http.Handler {
	return p.routes(map[string]web.HandlerFunc{"GET /{$}": p.showList, "GET /feed.json": p.feed})
}

func (p *pages) staff() http.Handler {
	return p.routes(map[string]web.HandlerFunc{
		"GET /{$}":                   forWriters(p.showBoard),
		"POST /notices":              forWriters(p.add),
		"POST /notices/{id}/removal": forWriters(p.remove),
	})
}

func (p *pages) slots() http.Handler {
	return p.routes(map[string]web.HandlerFunc{"GET /today": forWriters(p.showToday)})
}

func (p *pages) routes(handlers map[string]web.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	for route, h := range handlers {
		mux.Handle(route, web.Handle(p.log, p.renderProblem, h))
	}
	return mux
}

// forWriters lets staff in who may write notices. The host checks that too.
func forWriters(h web.HandlerFunc) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !sdk.CallFrom(r.Context()).Viewer.Can("staff:configure") {
			return apperr.Errorf(apperr.PermissionDenied, "You may not write notices.")
		}
		return h(w, r)
	}
}

func (p *pages) renderProblem(w http.ResponseWriter, r *http.Request, problem web.Problem) {
	if err := p.problem.Render(w, r, problem.Status, problem); err != nil {
		p.log.ErrorContext(r.Context(), "problem not shown", "error", err.Error())
		http.Error(w, problem.Message, problem.Status)
	}
}

// look reads what a page of the call shows.
func (p *pages) look(ctx context.Context) (view, error) {
	v := view{Call: sdk.CallFrom(ctx), Board: notice.NewBoard(sdk.SettingsFrom(ctx)), Form: &web.Form{}}
	var err error
	if v.Biller, err = p.host.Billers.Biller(ctx); err != nil {
		return view{}, err
	}
	v.Today = notice.Today(p.now(), v.Biller.TimeZone)
	v.Notices, err = p.store.List(ctx, v.BillerID, v.Today)
	return v, err
}

func (p *pages) showList(w http.ResponseWriter, r *http.Request) error {
	return p.show(p.list, w, r)
}

func (p *pages) showToday(w http.ResponseWriter, r *http.Request) error {
	return p.show(p.today, w, r)
}

// show draws the notices of today, as the settings say.
func (p *pages) show(page *web.Page[view], w http.ResponseWriter, r *http.Request) error {
	v, err := p.look(r.Context())
	if err != nil {
		return err
	}
	v.Notices = v.Board.Today(v.Notices, v.Today)
	return page.Render(w, r, http.StatusOK, v)
}

func (p *pages) showBoard(w http.ResponseWriter, r *http.Request) error {
	v, err := p.look(r.Context())
	if err != nil {
		return err
	}
	v.Told = map[string]string{"added": "The notice is on the board.", "removed": "The notice is gone."}[web.QueryValue(r, "told")]
	v.Form = web.NewForm(map[string]string{"first": v.Today})
	return p.board.Render(w, r, http.StatusOK, v)
}

// add keeps the notice of the form, or shows the form with what is wrong.
func (p *pages) add(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	v, err := p.look(r.Context())
	if err != nil {
		return err
	}
	n := notice.Notice{
		ID:        uuid.Must(uuid.NewV7()).String(),
		Text:      form.Text("text"),
		FirstDay:  cmp.Or(form.Text("first"), v.Today),
		LastDay:   form.Text("last"),
		WrittenBy: v.Viewer.Name,
	}
	if err := cmp.Or(n.Check(v.Today), v.Board.Accept(n)); form.Fail(err) {
		v.Form = form
		return p.board.Render(w, r, http.StatusUnprocessableEntity, v)
	}
	if err := p.store.Add(r.Context(), v.BillerID, n); err != nil {
		return err
	}
	p.record(r.Context(), "notice.added", n.ID)
	http.Redirect(w, r, v.BasePath+"/?told=added", http.StatusSeeOther)
	return nil
}

func (p *pages) remove(w http.ResponseWriter, r *http.Request) error {
	call, id := sdk.CallFrom(r.Context()), r.PathValue("id")
	if err := p.store.Remove(r.Context(), call.BillerID, id); err != nil {
		return err
	}
	p.record(r.Context(), "notice.removed", id)
	http.Redirect(w, r, call.BasePath+"/?told=removed", http.StatusSeeOther)
	return nil
}

// record writes to the platform's audit log. What is done stays done without it.
func (p *pages) record(ctx context.Context, action, id string) {
	if err := p.host.Audit.Write(ctx, sdk.AuditEvent{Action: action, Object: "notice:" + id}); err != nil {
		p.log.WarnContext(ctx, "audit entry not written", "action", action, "notice", id, "error", err.Error())
	}
}
