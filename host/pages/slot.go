package pages

import (
	"context"
	"html/template"
	"io"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Slots returns what the add-ons of the staff user's biller put into a place of
// the platform's pages, as far as the staff user may see it. It asks no add-on.
func (h *Handler) Slots(ctx context.Context, staff addon.Staff, slot string) ([]addon.SlotView, error) {
	var views []addon.SlotView
	for _, a := range h.Addons.Active() {
		declared := a.Manifest.SlotsNamed(slot)
		if len(declared) == 0 {
			continue
		}
		inst, err := h.Installations.Installation(ctx, staff.BillerID, a.Manifest.ID)
		if apperr.Is(err, apperr.NotFound) || err == nil && inst.State != addon.Enabled {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, s := range declared {
			if !staff.Can(s.Ability) {
				continue
			}
			v := addon.SlotView{AddonID: a.Manifest.ID, Slot: slot, Title: s.Title}
			if slot == addon.SlotNav {
				v.Href = h.AddonPath(a.Manifest.ID) + s.Path
			}
			views = append(views, v)
		}
	}
	return views, nil
}

// Draw asks the add-on for the fragment of one slot and returns it filtered. If
// the add-on cannot answer, it returns a small notice to draw instead, and the
// error for the platform's log. NotFound if staff may not see the slot.
func (h *Handler) Draw(r *http.Request, staff addon.Staff, v addon.SlotView, params url.Values) (template.HTML, error) {
	r = h.withID(r)
	t, err := h.staffTarget(r, staff, v.AddonID, wire.Slot)
	if err != nil {
		return "", err
	}
	slot, ok := findSlot(t.addon.Manifest, v)
	if !ok || !staff.Can(slot.Ability) {
		return "", apperr.Errorf(apperr.NotFound, "There is no such part of this page.")
	}
	fragment, err := h.drawSlot(r, t, slot, params)
	if err == nil {
		return fragment, nil
	}
	m := h.failureOf(r, t, err)
	if r.Method == http.MethodGet {
		m.Retry = retryPath(r)
	}
	notice, drawErr := h.failures.notice.HTML(r, m)
	if drawErr != nil {
		return "", drawErr
	}
	return notice, err
}

func (h *Handler) drawSlot(r *http.Request, t target, slot manifest.Slot, params url.Values) (template.HTML, error) {
	u, err := pageURL(h.BaseURL, slot.Path, params.Encode())
	if err != nil {
		return "", err
	}
	out := wire.PageRequest{Surface: wire.Slot, Request: &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Body: http.NoBody,
		Header: http.Header{"Accept-Language": r.Header["Accept-Language"], "User-Agent": r.Header["User-Agent"]},
	}}
	buffer := new(capped)
	_, err = h.pass(r, t, out, func(status int, from http.Header) (io.Writer, error) {
		if status != http.StatusOK || !isHTML(from.Get("Content-Type")) || from.Get("Content-Encoding") != "" {
			return nil, apperr.Errorf(apperr.Internal, "slot %s answered status %d, type %q", slot.Name, status, from.Get("Content-Type"))
		}
		return buffer, nil
	})
	if err != nil {
		return "", err
	}
	page, err := pageURL(h.BaseURL, r.URL.EscapedPath(), r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	_, fragment, err := h.frameOf(t, page).filter(buffer.Bytes())
	return template.HTML(fragment), err
}

func findSlot(m *manifest.Manifest, v addon.SlotView) (manifest.Slot, bool) {
	for _, s := range m.SlotsNamed(v.Slot) {
		if s.Title == v.Title {
			return s, true
		}
	}
	return manifest.Slot{}, false
}
