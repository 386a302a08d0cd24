package web

import (
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

type reportPage struct {
	frame
	Sections []section
}

// section is one add-on's part of the report.
type section struct {
	addon.SlotView
	Body template.HTML
}

// report is Customer Reports: a section for each add-on that has one.
func (s *Server) report(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	views, err := s.addons.Slots(r.Context(), staff.Addon(), addon.SlotReportSection)
	if err != nil {
		return err
	}
	f, err := s.frame(r, staff, "Customer Reports", "reports")
	if err != nil {
		return err
	}
	p := reportPage{frame: f}
	for _, v := range views {
		body, err := s.addons.Draw(r, staff.Addon(), v, r.URL.Query())
		if err != nil {
			s.logDraw(r, v, err)
		}
		p.Sections = append(p.Sections, section{v, body})
	}
	return s.pages.report.Render(w, r, http.StatusOK, p)
}

// logDraw notes that an add-on's part of a page is missing; the page goes on
// with the host's notice in its place.
func (s *Server) logDraw(r *http.Request, v addon.SlotView, err error) {
	s.Log.WarnContext(r.Context(), "add-on part of a page failed",
		"addon", v.AddonID, "slot", v.Slot, "error", err.Error())
}
