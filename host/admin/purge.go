package admin

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Purger takes out and deletes what add-ons keep for a staff user's biller. The
// pages have checked the ability addons:install.
type Purger interface {
	// ExportFile has the add-on write its data to a file. NotFound if it has no
	// export, Unavailable if it does not run.
	ExportFile(ctx context.Context, staff addon.Staff, addonID string) (addon.Exported, io.ReadCloser, error)
	// TookOut remembers that the file has reached the biller.
	TookOut(ctx context.Context, staff addon.Staff, addonID string) error
	// Purge orders that the data is deleted; Conflict if it was not exported.
	Purge(ctx context.Context, staff addon.Staff, o addon.PurgeOrder) error
}

func (h *Handler) purgeRoutes() []route {
	if h.Purger == nil {
		return nil
	}
	return []route{
		{"POST", "/{id}/export", h.fresh(h.export), addon.AbilityInstall},
		{"GET", "/{id}/purge", h.fresh(h.purgeAsk), addon.AbilityInstall},
		{"POST", "/{id}/purge", h.fresh(h.purge), addon.AbilityInstall},
	}
}

// purgePage asks before data is deleted, and tells how far that is.
type purgePage struct {
	card
	Home, Biller string
	Form         *web.Form
	// Kept tells that there is data, Purging that it is being deleted; neither:
	// there is none any more. Waits tells that the add-on does not run.
	Kept, Purging, Waits bool
	// Exported is when the biller took the data out; zero for not yet.
	Exported time.Time
	// None tells that the add-on has nothing to take out.
	None bool
	Zone string
}

// Error is what is wrong with the typed name; empty if nothing is.
func (p purgePage) Error() string {
	if p.Form == nil {
		return ""
	}
	return p.Form.Error("name")
}

// Message is what else is wrong.
func (p purgePage) Message() string {
	if p.Form == nil {
		return ""
	}
	return p.Form.Message
}

// Typed is what the person typed.
func (p purgePage) Typed() string {
	if p.Form == nil {
		return ""
	}
	return p.Form.Value("name")
}

// purgeAsk shows the two steps, and afterwards what became of them.
func (h *Handler) purgeAsk(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	return h.showPurge(w, r, staff, nil, http.StatusOK)
}

func (h *Handler) showPurge(w http.ResponseWriter, r *http.Request, staff addon.Staff, form *web.Form, status int) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	p := purgePage{
		card: h.card(offer, inst, staff), Home: h.home(), Biller: biller.Name, Form: form, Zone: biller.TimeZone,
		Kept: inst.State == addon.Suspended, Purging: inst.State == addon.Purging, Exported: inst.ExportedAt, None: web.QueryValue(r, "none") != "",
	}
	if inst.State == addon.Enabled {
		redirect(w, p.Href+"/remove")
		return nil
	}
	w.Header().Set("Cache-Control", "no-store")
	if p.Purging {
		p.Waits = h.Runner.State(p.ID) != Running
		w.Header().Set("Refresh", "2")
	}
	body, err := h.purging.HTML(r, p)
	if err != nil {
		return err
	}
	h.Platform.Frame(w, r, addon.Page{Title: "Delete the data of " + p.Name, Status: status, Active: "marketplace", Body: body})
	return nil
}

// purge orders the deletion if the name was typed exactly.
func (h *Handler) purge(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	err = h.Purger.Purge(r.Context(), staff, addon.PurgeOrder{AddonID: id, Name: form.Value("name")})
	switch {
	case apperr.Is(err, apperr.NotFound):
		// It was never installed here, or a second click came after the end.
	case err != nil && form.Fail(err):
		return h.showPurge(w, r, staff, form, http.StatusUnprocessableEntity)
	case err != nil:
		return fmt.Errorf("purge %s: %w", id, err)
	}
	offer, _, err := h.find(r, staff)
	if err != nil {
		return err
	}
	redirect(w, h.home()+"/"+offer.Manifest.ID+"/purge")
	return nil
}

// export answers with the file. It counts once the last byte was sent.
func (h *Handler) export(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	id := offer.Manifest.ID
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	e, file, err := h.Purger.ExportFile(r.Context(), staff, id)
	if apperr.Is(err, apperr.NotFound) && inst.State == addon.Suspended {
		if err := h.Purger.TookOut(r.Context(), staff, id); err != nil {
			return fmt.Errorf("remember export: %w", err)
		}
		redirect(w, h.home()+"/"+id+"/purge?none=1")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // read, and without a name
	name := addon.ExportName(id, staff.BillerID, in(time.Now(), biller.TimeZone), e.FileName)
	header := w.Header()
	header.Set("Content-Type", mediaType(e.MediaType))
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	header.Set("Content-Length", strconv.FormatInt(e.Size, 10))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, file); err != nil {
		h.Log.WarnContext(r.Context(), "export not sent", "addon", id, "error", err.Error())
		panic(http.ErrAbortHandler) // the browser must not take half a file for the whole
	}
	if err := h.Purger.TookOut(r.Context(), staff, id); err != nil {
		h.Log.ErrorContext(r.Context(), "export not remembered", "addon", id, "error", err.Error())
	}
	return nil
}

// mediaType passes those that a browser keeps as a file.
func mediaType(s string) string {
	kind, _, err := mime.ParseMediaType(s)
	if err != nil || !slices.Contains([]string{"application/zip", "application/json", "application/jsonl", "text/csv"}, kind) {
		return "application/octet-stream"
	}
	return kind
}

func newPurgePage() (*web.Page[purgePage], error) {
	r, err := web.NewRenderer(web.RendererConfig{Files: templates})
	if err != nil {
		return nil, err
	}
	failed := web.NewForm(map[string]string{"name": "x"})
	failed.Fail(apperr.Field("name", "x"))
	c := card{Icon: "addon"}
	return web.NewPage(r, "templates/purge.html", purgePage{card: c}, purgePage{card: c, Purging: true}, purgePage{card: c, Purging: true, Waits: true},
		purgePage{card: c, Kept: true, Form: failed}, purgePage{card: c, Kept: true, Exported: time.Unix(0, 0)}, purgePage{card: c, Kept: true, None: true},
		purgePage{card: c, Kept: true, Form: &web.Form{Message: "x"}})
}
