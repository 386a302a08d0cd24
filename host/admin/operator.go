package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Operator operates add-ons for the whole platform. Each method is
// PermissionDenied without the ability addons:operate.
type Operator interface {
	// Operation tells how an add-on is. NotFound if it is neither offered nor run.
	Operation(ctx context.Context, by addon.Staff, addonID string) (Operation, error)
	// Upgrade, Rollback and Retry are those of host.Host; seen is the digest of
	// the version that the person saw run.
	Upgrade(ctx context.Context, by addon.Staff, addonID, version, seen string) error
	Rollback(ctx context.Context, by addon.Staff, addonID, seen string) error
	// RollbackWithdrawn is Rollback by somebody who has read that the version was
	// withdrawn.
	RollbackWithdrawn(ctx context.Context, by addon.Staff, addonID, seen string) error
	Retry(ctx context.Context, by addon.Staff, addonID string) error
	// Approve and Disapprove say whether billers may install an add-on.
	Approve(ctx context.Context, by addon.Staff, addonID string) error
	Disapprove(ctx context.Context, by addon.Staff, addonID string) error
}

// Operation is how an add-on of the platform is, for its operators.
type Operation struct {
	// Active is zero while the platform does not run the add-on.
	addon.Active
	// State is the add-on's in words ("healthy", "backing off"), RetryAt when it
	// starts again, Error why it does not serve, Report the end of what it wrote
	// before it last failed.
	State         string
	RetryAt       time.Time
	Error, Report string
	// Serving is the version that answers, Trial the one tried beside it.
	Serving, Trial addon.Version
	// Processes is what each host says of the add-on: see host.Status.
	Processes []addon.Process
	// WithdrawnAt is when the version that is chosen was withdrawn from the
	// marketplace; zero if it was not.
	WithdrawnAt time.Time
	// BeforeWithdrawnAt is that of the version before.
	BeforeWithdrawnAt time.Time
	// Billers counts those that have the add-on switched on.
	Billers int
	// Versions are on offer, the newest first.
	Versions []Offered
	// Current and Before are the manifests of the version that is chosen and of the
	// one before; nil if there is none.
	Current, Before *manifest.Manifest
	// NeedsApproval tells that billers install only what is approved; Approval is
	// zero if this add-on is not.
	NeedsApproval bool
	Approval      addon.Approval
	History       []addon.Operation
}

// Offered is a version that the marketplace has.
type Offered struct {
	addon.Version
	Manifest *manifest.Manifest
	// Problem is why it cannot run here; empty if it can.
	Problem string
}

// runs tells whether the platform runs the add-on at all.
func (o Operation) runs() bool { return o.Digest != "" }

// mayRollBack tells whether there is an older version to go back to.
func (o Operation) mayRollBack() bool {
	return o.Previous.Digest != "" && !older(o.Active.Version, o.Previous.Version)
}

// older tells whether version a comes before b.
func older(a, b string) bool {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}

// moving tells whether another version is being tried.
func (o Operation) moving() bool { return o.Next.Digest != "" || o.Trial.Digest != "" }

// settles tells whether the state will change by itself.
func (o Operation) settles() bool {
	return o.moving() || o.runs() && (o.State == "starting" || o.State == "draining" || o.State == "backing off")
}

func (h *Handler) operatorRoutes() []route {
	if h.Operator == nil {
		return nil
	}
	return []route{
		{"GET", "/{id}/operate", h.operate, addon.AbilityOperate},
		{"GET", "/{id}/operate/upgrade", h.fresh(h.upgradeAsk), addon.AbilityOperate},
		{"POST", "/{id}/operate/upgrade", h.fresh(h.upgrade), addon.AbilityOperate},
		{"GET", "/{id}/operate/rollback", h.fresh(h.rollbackAsk), addon.AbilityOperate},
		{"POST", "/{id}/operate/rollback", h.fresh(h.rollback), addon.AbilityOperate},
		{"POST", "/{id}/operate/retry", h.fresh(h.order(Operator.Retry)), addon.AbilityOperate},
		{"POST", "/{id}/operate/approve", h.fresh(h.order(Operator.Approve)), addon.AbilityOperate},
		{"POST", "/{id}/operate/disapprove", h.fresh(h.order(Operator.Disapprove)), addon.AbilityOperate},
	}
}

// operatePath is where an add-on is operated.
func (h *Handler) operatePath(id string) string { return h.home() + "/" + id + "/operate" }

// operate shows how an add-on is. While it changes, the page loads itself again,
// without scripts.
func (h *Handler) operate(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	o, biller, err := h.operation(r, staff)
	if err != nil {
		return err
	}
	if o.settles() {
		w.Header().Set("Refresh", "2")
	}
	w.Header().Set("Cache-Control", "no-store")
	p := newOperatePage(h, r.PathValue("id"), o, biller.TimeZone)
	p.Stale = web.QueryValue(r, "stale") != ""
	return draw(h, w, r, h.operator.operate, "Operate "+p.Name, p)
}

func (h *Handler) operation(r *http.Request, staff addon.Staff) (Operation, billerView, error) {
	o, err := h.Operator.Operation(r.Context(), staff, r.PathValue("id"))
	if err != nil {
		return Operation{}, billerView{}, err
	}
	b, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return Operation{}, billerView{}, fmt.Errorf("read biller: %w", err)
	}
	return o, billerView{b.Name, b.TimeZone}, nil
}

// billerView is what pages show of a biller.
type billerView struct{ Name, TimeZone string }

// upgradeAsk names what changes with the version of the query.
func (h *Handler) upgradeAsk(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	o, biller, err := h.operation(r, staff)
	if err != nil {
		return err
	}
	version := web.QueryValue(r, "version")
	for _, v := range o.Versions {
		if v.Version.Version != version || !o.runs() {
			continue
		}
		if v.Digest == o.Digest && o.Next.Digest == "" {
			break // it runs: there is nothing to ask
		}
		p := newChangePage(h, r.PathValue("id"), o, v.Version, v.Manifest, biller.TimeZone)
		p.Action = p.Href + "/upgrade"
		return draw(h, w, r, h.operator.change, p.Heading(), p)
	}
	redirect(w, h.operatePath(r.PathValue("id")))
	return nil
}

// rollbackAsk names what changes with the version before.
func (h *Handler) rollbackAsk(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	o, biller, err := h.operation(r, staff)
	if err != nil {
		return err
	}
	if !o.mayRollBack() {
		redirect(w, h.operatePath(r.PathValue("id")))
		return nil
	}
	p := newChangePage(h, r.PathValue("id"), o, o.Previous, o.Before, biller.TimeZone)
	p.Action, p.Back, p.WithdrawnAt = p.Href+"/rollback", true, o.BeforeWithdrawnAt
	return draw(h, w, r, h.operator.change, p.Heading(), p)
}

// upgrade makes the version of the form the wanted one.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	if form.Value("version") == "" || form.Value("seen") == "" {
		return apperr.Errorf(apperr.Invalid, "The form says no version. Open the page again and choose one.")
	}
	id := r.PathValue("id")
	return h.chosen(w, id, h.Operator.Upgrade(r.Context(), staff, id, form.Value("version"), form.Value("seen")))
}

// rollback makes the version before the wanted one.
func (h *Handler) rollback(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	if form.Value("seen") == "" {
		return apperr.Errorf(apperr.Invalid, "The form says no version. Open the page again and choose one.")
	}
	id := r.PathValue("id")
	back := h.Operator.Rollback
	if form.Value("withdrawn") != "" {
		back = h.Operator.RollbackWithdrawn
	}
	return h.chosen(w, id, back(r.Context(), staff, id, form.Value("seen")))
}

// chosen leads back to the add-on, also when another page was faster.
func (h *Handler) chosen(w http.ResponseWriter, id string, err error) error {
	to := h.operatePath(url.PathEscape(id))
	switch {
	case apperr.Is(err, apperr.Conflict):
		to += "?stale=1"
	case err != nil:
		return err
	}
	redirect(w, to)
	return nil
}

// order is a button without anything to choose.
func (h *Handler) order(do func(Operator, context.Context, addon.Staff, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
		id := r.PathValue("id")
		return h.chosen(w, id, do(h.Operator, r.Context(), staff, id))
	}
}
