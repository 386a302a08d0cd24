package web

import (
	"encoding/csv"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// byteOrderMark tells spreadsheets that a table is UTF-8; without it they take
// every accent for something else.
const byteOrderMark = "\ufeff"

// csvHref is **Download CSV**: the whole report, as it is searched, filtered and
// sorted now.
func (p *registrationsPage) csvHref() string {
	return p.Path("/registrations/download") + p.href(func(u url.Values) {
		u.Del("after")
		u.Del("before")
	})
}

// registrationsCSV sends the report as a table. The first row is read before
// anything is sent, so that an early error is still shown as a page; after a late
// one the download breaks off.
func (s *Web) registrationsCSV(v *visit) error {
	q := v.registrationQuery()
	q.After, q.Before = "", ""
	if v.searchTooLong() {
		return v.redirect("/registrations?" + v.r.URL.RawQuery)
	}
	t := &registrationTable{visit: v}
	if err := s.service.ExportRegistrations(v.r.Context(), v.caller, q, t.add); err != nil {
		return err
	}
	return t.end()
}

// registrationTable writes rows as they come.
type registrationTable struct {
	*visit
	out *csv.Writer
}

func (t *registrationTable) add(r portal.Registration) error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.write(t.cells(r))
}

// begin sends the head and the names of the columns, once.
func (t *registrationTable) begin() error {
	if t.out != nil {
		return nil
	}
	biller := t.Biller.Slug
	if biller == "" {
		biller = t.caller.BillerID
	}
	name := fmt.Sprintf("customer-portal-registrations-%s-%s.csv", biller, t.PlainDay(t.web.now()))
	h := t.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	if _, err := io.WriteString(t.w, byteOrderMark); err != nil {
		return fmt.Errorf("begin table: %w", err)
	}
	t.out = csv.NewWriter(t.w)
	t.out.UseCRLF = true
	var names []string
	for _, key := range []string{
		"column.display_name", "report.csv.name", "report.csv.number", "column.email", "column.status", "column.email_confirmed",
		"column.invited", "column.registered", "report.agreement", "report.csv.signins",
	} {
		names = append(names, t.T(key))
	}
	return t.write(names)
}

func (t *registrationTable) write(cells []string) error {
	if err := t.out.Write(cells); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// end sends the rest; a report without rows is a table with the columns alone.
func (t *registrationTable) end() error {
	if err := t.begin(); err != nil {
		return err
	}
	t.out.Flush()
	if err := t.out.Error(); err != nil {
		return fmt.Errorf("end table: %w", err)
	}
	return nil
}

func (t *registrationTable) cells(r portal.Registration) []string {
	row := t.registrationRow(r)
	cells := []string{row.Name, r.Name, r.Number, r.Email, row.Badge.Word, row.Confirmed, "", "", "", strings.Join(r.SignInEmails, "; ")}
	if !r.InvitedAt.IsZero() {
		cells[6] = t.PlainDay(r.InvitedAt)
	}
	if !r.RegisteredAt.IsZero() {
		cells[7] = t.PlainDay(r.RegisteredAt)
	}
	if row.Agreement != nil {
		cells[8] = row.Agreement.Word
	}
	for i, c := range cells {
		cells[i] = web.Cell(c)
	}
	return cells
}
