package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// addonPage is **Add-ons** > **Customer Portal**.
type addonPage struct {
	frame
	PortalURL string
	Figures   []figure
	CanReport bool
	// CanConfigure leads to the user agreement.
	CanConfigure bool
	// Requests says how many people ask for access; empty if nobody does.
	Requests string
	// Empty is true until customers are in the projection.
	Empty bool
}

// figure is a number and where it leads; Href may be empty.
type figure struct{ Tone, Icon, Name, Count, Note, Href string }

func (s *Web) addon(v *visit) error {
	counts, err := s.service.Counts(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	asking, err := s.service.CountAccessRequests(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	requests := ""
	if asking > 0 {
		requests = v.N("addon.requests", asking)
	}
	report := v.caller.Can(portal.AbilityReport)
	return s.pages.addon.Render(v.w, v.r, http.StatusOK, addonPage{
		frame: v.titled(v.T("addon.title")), PortalURL: v.call.PortalURL,
		Figures: v.figures(counts, report), CanReport: report, CanConfigure: v.caller.Can(portal.AbilityConfigure), Empty: total(counts) == 0, Requests: requests,
	})
}

func total(counts []portal.Count) int {
	n := 0
	for _, c := range counts {
		n += c.Customers
	}
	return n
}

// figures are all customers, then each status that somebody has.
func (v *visit) figures(counts []portal.Count, link bool) []figure {
	total := total(counts)
	all := figure{Name: v.T("addon.all"), Count: strconv.Itoa(total), Note: v.T("addon.all.note")}
	if link {
		all.Href = v.Path("/registrations")
	}
	out := []figure{all}
	for _, c := range counts {
		if c.Customers == 0 {
			continue
		}
		b := statusBadge(v.Text, c.Status)
		f := figure{Name: b.Word, Count: strconv.Itoa(c.Customers), Note: v.T("addon.share", "Percent", percent(100*float64(c.Customers)/float64(total)))}
		if b.Tone == "bad" || b.Tone == "warn" {
			f.Tone, f.Icon = b.Tone, b.Icon
		}
		if link {
			f.Href = v.Path("/registrations?status=" + url.QueryEscape(string(c.Status)))
		}
		out = append(out, f)
	}
	return out
}
