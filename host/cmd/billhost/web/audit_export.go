package web

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// auditExport sends the chosen records as a table, the newest first, and records
// that it did.
func (s *Server) auditExport(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	if _, err := sdkweb.ParseForm(w, r); err != nil {
		return err
	}
	form := auditForm(r.PostForm)
	f, err := s.frame(r, staff, "Audit", "audit")
	if err != nil {
		return err
	}
	p := auditPage{frame: f, Form: form}
	filter, err := s.auditFilter(r, staff.BillerID, form, p.zone())
	if err != nil {
		return err
	}
	detail := map[string]string{}
	for _, c := range p.Exported() {
		detail[c.Value] = c.Title
	}
	if err := s.Store.RecordAudit(r.Context(), staff.BillerID, addon.AuditRecord{StaffID: staff.ID, Action: books.AuditExported, Detail: detail}); err != nil {
		return err
	}
	people, err := s.auditChoices(r, &p)
	if err != nil {
		return err
	}
	return s.writeAudit(w, r, staff, filter, people)
}

// writeAudit writes page after page; times are UTC. The first page is read before
// anything is sent, so that an early error is still shown as one.
func (s *Server) writeAudit(w http.ResponseWriter, r *http.Request, staff books.Staff, filter books.AuditFilter, people map[string]string) error {
	filter.Limit = 1000
	list, err := s.Store.FindAudit(r.Context(), staff.BillerID, filter)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.csv"`)
	out := csv.NewWriter(w)
	rows := [][]string{{"Record", "Time (UTC)", "Action", "What", "Who", "Staff id", "Portal user", "Customer id", "Customer", "Add-on", "About", "Address", "Request", "Detail", "Record id"}}
	for {
		for _, e := range list.Entries {
			rows = append(rows, auditCells(e, people))
		}
		if err := out.WriteAll(rows); err != nil {
			return fmt.Errorf("write audit: %w", err)
		}
		if list.Next == "" {
			return nil
		}
		rows, filter.After = rows[:0], list.Next
		if list, err = s.Store.FindAudit(r.Context(), staff.BillerID, filter); err != nil {
			return err
		}
	}
}

func auditCells(e books.AuditEntry, people map[string]string) []string {
	r := record(e, people)
	var detail []string
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		detail = append(detail, name+": "+e.Detail[name])
	}
	cells := []string{
		strconv.FormatInt(e.Seq, 10), e.At.Format(time.RFC3339Nano), e.Action, r.What, r.Who, e.StaffID, e.PortalUserClaim,
		e.CustomerID, e.CustomerName, e.AddonID, e.Object, e.RemoteIP, e.RequestID, strings.Join(detail, "; "), e.ID,
	}
	for i, c := range cells {
		cells[i] = sdkweb.Cell(c)
	}
	return cells
}
