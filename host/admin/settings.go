package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// maxSettingsForm is the largest form of settings, in bytes as browsers send them.
const maxSettingsForm = 1 << 20

func (h *Handler) settingsPath(id string) string { return h.home() + "/" + id + "/settings" }

func mayConfigure(m *manifest.Manifest, staff addon.Staff) bool {
	return len(m.Settings) > 0 && staff.Can(addon.AbilityConfigure)
}

// settingsMissing reports whether a required setting is unset that the person may
// set.
func (h *Handler) settingsMissing(ctx context.Context, staff addon.Staff, m *manifest.Manifest) (bool, error) {
	if !mayConfigure(m, staff) {
		return false, nil
	}
	state, err := h.Settings.Settings(ctx, staff, m.ID)
	if apperr.Is(err, apperr.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read settings: %w", err)
	}
	return len(state.Missing) > 0, nil
}

// settings shows the form as it is: GET /marketplace/{id}/settings?saved=yes.
func (h *Handler) settings(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	p, state, err := h.settingsForm(r, staff)
	if err != nil {
		return err
	}
	p.Form = web.NewForm(typed(p.settings, state))
	p.Form.Set("version", strconv.FormatInt(state.Version, 10))
	p.Saved = web.QueryValue(r, "saved") == "yes" && state.Version > 0
	p.fill(state, 0)
	return h.drawSettings(w, r, http.StatusOK, p)
}

// saveSettings saves the form, or shows it again with all that was typed, secrets
// excepted.
func (h *Handler) saveSettings(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	p, state, err := h.settingsForm(r, staff)
	if err != nil {
		return err
	}
	if p.Form, err = web.ParseLargeForm(w, r, maxSettingsForm); err != nil {
		return err
	}
	change := p.change()
	err = h.Settings.SaveSettings(r.Context(), staff, p.ID, change)
	if err == nil {
		redirect(w, h.settingsPath(p.ID)+"?saved=yes")
		return nil
	}
	if !p.Form.Fail(err) {
		return err
	}
	if p.blamesOthers(err) {
		p.Form.Message = apperr.MessageOf(err)
	}
	if apperr.Is(err, apperr.Conflict) {
		if p, state, err = h.stale(r, staff, p.Form); err != nil {
			return err
		}
		p.fill(state, change.Version)
		return h.drawSettings(w, r, http.StatusConflict, p)
	}
	if wait := apperr.RetryAfterOf(err); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	p.fill(state, state.Version)
	return h.drawSettings(w, r, web.StatusOf(apperr.CodeOf(err)), p)
}

// stale returns the page for a form that somebody else was faster than. Sent
// again, it replaces what they did.
func (h *Handler) stale(r *http.Request, staff addon.Staff, form *web.Form) (settingsPage, addon.SettingsState, error) {
	p, state, err := h.settingsForm(r, staff)
	if err != nil {
		return settingsPage{}, addon.SettingsState{}, err
	}
	p.Form, p.Stale = form, true
	form.Set("version", strconv.FormatInt(state.Version, 10))
	return p, state, nil
}

// settingsForm returns the page with nothing in it, and what is set.
func (h *Handler) settingsForm(r *http.Request, staff addon.Staff) (settingsPage, addon.SettingsState, error) {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return settingsPage{}, addon.SettingsState{}, err
	}
	state, err := h.Settings.Settings(r.Context(), staff, offer.Manifest.ID)
	if err != nil {
		return settingsPage{}, addon.SettingsState{}, err
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return settingsPage{}, addon.SettingsState{}, fmt.Errorf("read biller: %w", err)
	}
	p := settingsPage{
		card: h.card(offer, inst, staff), Home: h.home(), Biller: biller.Name,
		locale: staff.Locale, zone: biller.TimeZone, settings: offer.Manifest.Settings,
	}
	if p.locale == "" {
		p.locale = biller.Locale
	}
	return p, state, nil
}

func (h *Handler) drawSettings(w http.ResponseWriter, r *http.Request, status int, p settingsPage) error {
	body, err := h.pages.settings.HTML(r, p)
	if err != nil {
		return err
	}
	h.Platform.Frame(w, r, addon.Page{Title: "Settings of " + p.Name, Status: status, Active: "marketplace", Body: body})
	return nil
}

// typed is what a form would hold of the values in force.
func typed(settings []manifest.Setting, state addon.SettingsState) map[string]string {
	values := map[string]string{}
	for _, s := range settings {
		if s.Type != manifest.SettingSecret {
			values[inputName(s.Key)] = asText(state.Values[s.Key])
		}
	}
	return values
}

func asText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case []string:
		return strings.Join(v, "\n")
	case bool:
		if v {
			return "on"
		}
		return "off"
	}
	return ""
}

// inputName keeps keys apart from the form's own fields.
func inputName(key string) string { return "setting-" + key }

func removeName(key string) string { return "remove-" + key }
