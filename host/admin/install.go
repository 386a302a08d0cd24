package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// install is the biller's consent: to exactly the version that the page showed.
func (h *Handler) install(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		return err
	}
	m := offer.Manifest
	if form.Value("version") != m.Version {
		return apperr.Errorf(apperr.Conflict, "There is a newer version of %s by now. Open its page again and read what it asks for.", m.Name)
	}
	to := h.card(offer, inst, staff)
	if !to.Installed {
		var names []string
		for _, p := range m.Permissions {
			names = append(names, p.Name)
		}
		if err := h.Installer.Install(r.Context(), staff, m.ID, names); err != nil {
			return fmt.Errorf("install %s: %w", m.ID, err)
		}
	}
	if !h.wait(r.Context(), m.ID) {
		redirect(w, to.Href+"/starting")
		return nil
	}
	return h.begin(w, r, staff, m, to)
}

// begin sends people to where the installed add-on begins: its settings, if one
// that is required is unset.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, staff addon.Staff, m *manifest.Manifest, c card) error {
	missing, err := h.settingsMissing(r.Context(), staff, m)
	switch {
	case err != nil:
		return err
	case missing:
		redirect(w, h.settingsPath(m.ID))
	default:
		redirect(w, after(c))
	}
	return nil
}

// wait tells whether the add-on runs, at the latest after StartWait. Why it does
// not is the operator's affair and in the log.
func (h *Handler) wait(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, h.StartWait)
	defer cancel()
	if err := h.Runner.Await(ctx, id); err != nil {
		h.Log.WarnContext(ctx, "installed add-on does not run yet", "addon", id, "error", err.Error())
		return false
	}
	return true
}

// starting is where people land when an add-on takes long.
func (h *Handler) starting(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	c := h.card(offer, inst, staff)
	switch {
	case !c.Installed:
		redirect(w, c.Href)
		return nil
	case h.Runner.Health(r.Context(), c.ID) == nil:
		return h.begin(w, r, staff, offer.Manifest, c)
	}
	return draw(h, w, r, h.pages.starting, c.Name+" is starting", actionPage{card: c, Home: h.home()})
}

// removeAsk asks before an add-on is removed.
func (h *Handler) removeAsk(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	c := h.card(offer, inst, staff)
	if inst.State != addon.Enabled {
		redirect(w, c.Href)
		return nil
	}
	return draw(h, w, r, h.pages.remove, "Remove "+c.Name, actionPage{card: c, Home: h.home()})
}

// remove closes the add-on for the biller and keeps its data.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	if inst.State == addon.Enabled {
		if err := h.Installer.Remove(r.Context(), staff, offer.Manifest.ID); err != nil {
			return fmt.Errorf("remove %s: %w", offer.Manifest.ID, err)
		}
	}
	redirect(w, h.home()+"?removed="+url.QueryEscape(offer.Manifest.ID))
	return nil
}

// after returns where an installed add-on begins.
func after(c card) string {
	if c.Open != "" {
		return c.Open
	}
	return c.Href
}

func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
