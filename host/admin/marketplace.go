package admin

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// list shows what is offered: GET /marketplace?q=…&show=installed. With removed=…
// it says that the add-on was removed, if it is.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offers, err := h.Catalog.Offers(r.Context())
	if err != nil {
		return fmt.Errorf("list offers: %w", err)
	}
	p := listPage{Home: h.home(), Search: web.QueryValue(r, "q"), OnlyInstalled: web.QueryValue(r, "show") == "installed"}
	removed := web.QueryValue(r, "removed")
	var cards []card
	for _, o := range offers {
		inst, err := h.installation(r, staff, o.Manifest.ID)
		if err != nil {
			return err
		}
		c := h.card(o, inst, staff)
		if c.ID == removed && inst.State == addon.Suspended {
			p.Removed = c.Name
		}
		if c.Installed {
			p.InstalledCount++
		}
		if c.matches(p.Search) && (c.Installed || !p.OnlyInstalled) {
			cards = append(cards, c)
		}
	}
	if len(cards) > 0 {
		p.Feature, p.Rest = &cards[0], cards[1:]
	}
	return draw(h, w, r, h.pages.list, "Add-ons Marketplace", p)
}

// detail asks before an add-on is installed, and describes it afterwards.
func (h *Handler) detail(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	m := offer.Manifest
	p := detailPage{
		card: h.card(offer, inst, staff), Home: h.home(), Biller: biller.Name, Description: description(m.Description),
		Permissions: permissions(m), Adds: additions(m), MayInstall: staff.Can(addon.AbilityInstall),
	}
	title := "Install " + m.Name
	if p.Installed {
		title = m.Name
		p.Running = h.Runner.Health(r.Context(), m.ID) == nil
	}
	return draw(h, w, r, h.pages.detail, title, p)
}

// find returns the add-on of the path and the biller's installation of it, which
// is zero if there is none.
func (h *Handler) find(r *http.Request, staff addon.Staff) (Offer, addon.Installation, error) {
	offers, err := h.Catalog.Offers(r.Context())
	if err != nil {
		return Offer{}, addon.Installation{}, fmt.Errorf("list offers: %w", err)
	}
	for _, o := range offers {
		if o.Manifest.ID == r.PathValue("id") {
			inst, err := h.installation(r, staff, o.Manifest.ID)
			return o, inst, err
		}
	}
	return Offer{}, addon.Installation{}, apperr.Errorf(apperr.NotFound, "There is no such add-on in the marketplace.")
}

func (h *Handler) installation(r *http.Request, staff addon.Staff, id string) (addon.Installation, error) {
	inst, err := h.Installations.Installation(r.Context(), staff.BillerID, id)
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return addon.Installation{}, fmt.Errorf("read installation: %w", err)
	}
	return inst, nil
}

// description turns a manifest's Markdown into text with simple marks.
func description(markdown string) template.HTML {
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(markdown), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(markdown))
	}
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "ul", "ol", "li", "strong", "em", "code", "br")
	return template.HTML(policy.SanitizeBytes(b.Bytes()))
}
