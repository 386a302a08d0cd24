package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// consent asks before an add-on is installed, or gets more than it has.
func (h *Handler) consent(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	c := h.card(offer, inst, staff)
	if !c.Installable {
		redirect(w, c.Href)
		return nil
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	m := offer.Manifest
	return draw(h, w, r, h.pages.consent, "Install "+m.Name, consentPage{
		card: c, Home: h.home(), Biller: biller.Name, Zone: biller.TimeZone, Permissions: permissions(m), Adds: additions(m), Published: offer.PublishedAt,
	})
}

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
	c := h.card(offer, inst, staff)
	switch {
	case c.Installed && c.Run == Running:
		return h.land(w, r, staff, offer, c)
	case form.Value("version") != m.Version:
		return apperr.Errorf(apperr.Conflict, "There is a newer version of %s by now. Open its page again and read what it asks for.", m.Name)
	case !c.Installable && !c.Installed:
		return apperr.Errorf(apperr.Conflict, "%s cannot be installed: %s.", m.Name, c.State)
	}
	var names []string
	for _, p := range m.Permissions {
		names = append(names, p.Name)
	}
	if err := h.Installer.BeginInstall(r.Context(), staff, m.ID, m.Version, names); err != nil {
		return fmt.Errorf("install %s: %w", m.ID, err)
	}
	redirect(w, c.Href+"/installing")
	return nil
}

// installing shows how far an installation is, and looks again by itself.
func (h *Handler) installing(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	c := h.card(offer, inst, staff)
	now, err := h.Installer.Installing(r.Context(), staff.BillerID, c.ID)
	switch {
	case apperr.Is(err, apperr.NotFound) && c.Installed && c.Run == Running:
		return h.land(w, r, staff, offer, c)
	case apperr.Is(err, apperr.NotFound):
		redirect(w, c.Href)
		return nil
	case err != nil:
		return fmt.Errorf("read installation under way: %w", err)
	}
	p := installingPage{card: c, Home: h.home(), Steps: steps(now), Problem: now.Problem, MayInstall: staff.Can(addon.AbilityInstall)}
	if now.Interrupted(h.Now()) {
		p.Problem = "The server that worked on it was stopped meanwhile."
	}
	if p.Problem == "" {
		w.Header().Set("Refresh", "1")
		return draw(h, w, r, h.pages.installing, "Installing "+c.Name, p)
	}
	return draw(h, w, r, h.pages.installing, c.Name+" could not be installed", p)
}

// step is one line of an installation.
type step struct {
	Title string
	// State is "done", "now" or empty for what comes later.
	State string
	// Done and Total are bytes; Total is 0 where there are none. Text says them.
	Done, Total int64
	Text        string
}

func steps(i addon.Installing) []step {
	titles := map[addon.InstallStep]string{
		addon.InstallDownloads: "Download", addon.InstallVerifies: "Check that nothing was changed",
		addon.InstallUnpacks: "Unpack", addon.InstallStarts: "Start",
	}
	current := slices.Index(addon.InstallSteps(), i.Step)
	var list []step
	for n, name := range addon.InstallSteps() {
		s := step{Title: titles[name]}
		switch {
		case n < current:
			s.State = "done"
		case n == current:
			s.State, s.Done, s.Total = "now", i.Done, i.Total
		}
		if s.Total > 0 {
			s.Text = fmt.Sprintf("%.1f of %.1f MB", float64(s.Done)/1e6, float64(s.Total)/1e6)
		}
		list = append(list, s)
	}
	return append(list, step{Title: "Ready"})
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

// land leads to an add-on that was installed: to its settings, if one must be set
// before it is of use.
func (h *Handler) land(w http.ResponseWriter, r *http.Request, staff addon.Staff, offer Offer, c card) error {
	missing, err := h.settingsMissing(r.Context(), staff, offer.Manifest)
	if err != nil {
		return err
	}
	if missing {
		redirect(w, h.settingsPath(c.ID))
		return nil
	}
	redirect(w, after(c))
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
