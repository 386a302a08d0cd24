package admin

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// list shows what is offered: GET /marketplace?q=…&show=installed. With removed=…
// it says that the add-on was removed, if it is.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offered, err := h.Catalog.Listing(r.Context())
	if err != nil {
		return fmt.Errorf("list offers: %w", err)
	}
	p := listPage{
		Home: h.home(), Search: web.QueryValue(r, "q"), OnlyInstalled: web.QueryValue(r, "show") == "installed", Trouble: offered.Trouble,
		MayInstall: staff.Can(addon.AbilityInstall),
	}
	removed := web.QueryValue(r, "removed")
	var cards []card
	for _, o := range offered.Offers {
		inst, err := h.installation(r, staff, o.Manifest.ID)
		if err != nil {
			return err
		}
		c := h.card(o, inst, staff)
		if c.ID == removed && inst.State == addon.Suspended {
			p.Removed = c.Name
		}
		if c.Enabled {
			p.InstalledCount++
		}
		if c.matches(p.Search) && (c.Enabled || !p.OnlyInstalled) {
			cards = append(cards, c)
		}
	}
	if len(cards) > 0 {
		p.Feature, p.Rest = &cards[0], cards[1:]
	}
	return draw(h, w, r, h.pages.list, "Add-ons Marketplace", p)
}

// detail is the page of one add-on.
func (h *Handler) detail(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, inst, err := h.find(r, staff)
	if err != nil {
		return err
	}
	more, err := h.Catalog.Detail(r.Context(), offer)
	if err != nil {
		return fmt.Errorf("describe %s: %w", offer.Manifest.ID, err)
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	m := offer.Manifest
	p := detailPage{
		card: h.card(offer, inst, staff), Home: h.home(), Biller: biller.Name, Zone: biller.TimeZone, Offer: offer,
		About: document(m.Description, m.Name), Readme: document(more.Readme, m.Name), Changelog: document(more.Changelog, "Changelog"), Incomplete: more.Incomplete,
		Versions: more.Versions[:min(versionsShown, len(more.Versions))], Older: max(0, len(more.Versions)-versionsShown),
		Permissions: permissions(m), Adds: additions(m), MayInstall: staff.Can(addon.AbilityInstall),
		Kept: inst.State == addon.Suspended, Purging: inst.State == addon.Purging, Data: h.Purger != nil,
	}
	if inst.State == addon.Enabled {
		p.More = slices.DeleteFunc(permissions(m), func(p permission) bool { return inst.Granted(p.Name) })
	}
	if h.Operator != nil && staff.Can(addon.AbilityOperate) {
		p.Operate = h.operatePath(m.ID)
	}
	return draw(h, w, r, h.pages.detail, m.Name, p)
}

// versionsShown is how many versions the page of an add-on lists.
const versionsShown = 10

// find returns the add-on of the path and the biller's installation of it, which
// is zero if there is none.
func (h *Handler) find(r *http.Request, staff addon.Staff) (Offer, addon.Installation, error) {
	offered, err := h.Catalog.Listing(r.Context())
	if err != nil {
		return Offer{}, addon.Installation{}, fmt.Errorf("list offers: %w", err)
	}
	for _, o := range offered.Offers {
		if o.Manifest.ID == r.PathValue("id") {
			inst, err := h.installation(r, staff, o.Manifest.ID)
			return o, inst, err
		}
	}
	for _, g := range offered.Gone {
		if g.AddonID == r.PathValue("id") {
			err := h.gone(r, staff, g)
			return Offer{}, addon.Installation{}, err
		}
	}
	if offered.Trouble != "" {
		return Offer{}, addon.Installation{}, apperr.Errorf(apperr.Unavailable, "%s", offered.Trouble)
	}
	return Offer{}, addon.Installation{}, apperr.Errorf(apperr.NotFound, "There is no such add-on in the marketplace.")
}

// gone says what became of an add-on that was withdrawn and that this server has no
// package of, and what to do.
func (h *Handler) gone(r *http.Request, staff addon.Staff, g Gone) error {
	inst, err := h.installation(r, staff, g.AddonID)
	if err != nil {
		return err
	}
	next := "It cannot be installed any more."
	switch inst.State {
	case addon.Enabled, addon.Suspended, addon.Purging:
		next = "You have it installed or it keeps data for you: ask whoever runs this platform for another version. Nothing that it keeps is lost."
	}
	biller, err := h.Platform.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	on := in(g.At, biller.TimeZone).Format("January 2, 2006")
	return apperr.Errorf(apperr.NotFound, "%s %s was withdrawn from the marketplace on %s. %s", g.AddonID, g.Version, on, next)
}

func (h *Handler) installation(r *http.Request, staff addon.Staff, id string) (addon.Installation, error) {
	inst, err := h.Installations.Installation(r.Context(), staff.BillerID, id)
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return addon.Installation{}, fmt.Errorf("read installation: %w", err)
	}
	return inst, nil
}
