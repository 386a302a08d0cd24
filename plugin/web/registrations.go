package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// rowsPerPage is how many customers a page of the report shows.
const rowsPerPage = 25

// longestSearch is how many characters a search of the report may have.
const longestSearch = 200

// registrationsPage is the section **Customer Portal Registrations**.
type registrationsPage struct {
	frame
	Query    portal.RegistrationQuery
	Statuses []option
	Sorts    []option
	Columns  []column
	Rows     []registrationRow
	// Shown says which of how many rows these are.
	Shown string
	// First, Previous and Next are empty where there is no such page.
	First, Previous, Next string
	Filtered              bool
	Clear                 string
	// Problem is why nothing was searched for; empty if it was.
	Problem string
	// CSV is where the report is a file; empty where there is nothing to read.
	CSV string
}

type option struct {
	Value, Word string
	Selected    bool
}

type column struct{ Name, Href, AriaSort, Icon string }

type registrationRow struct {
	Href, Name, Small   string
	Email               *splitEmail
	SignIn              []string
	Badge               badge
	Confirmed           string
	Agreement           *badge
	Invited, Registered string
}

// splitEmail may break before the @.
type splitEmail struct{ Local, Domain string }

// registrations is the slot in the platform's own report.
func (s *Web) registrations(v *visit) error {
	p, err := v.registrationsPage()
	if err != nil {
		return err
	}
	return s.pages.registrations.Render(v.w, v.r, http.StatusOK, p)
}

// registrationsPage is the section as a page of ours.
func (s *Web) registrationsPage(v *visit) error {
	p, err := v.registrationsPage()
	if err != nil {
		return err
	}
	return s.pages.registrationsPage.Render(v.w, v.r, http.StatusOK, p)
}

func (v *visit) registrationsPage() (registrationsPage, error) {
	q := v.registrationQuery()
	q.Limit = rowsPerPage
	p := registrationsPage{frame: v.titled(v.T("report.title")), Query: q, Filtered: q.Search != "" || q.Status != "", Clear: "?"}
	p.choices()
	if v.searchTooLong() {
		p.Problem, p.Filtered = v.N("report.search.long", longestSearch), true
		return p, nil
	}
	first, last := "", ""
	err := v.web.service.Registrations(v.r.Context(), v.caller, q, func(r portal.Registration) error {
		p.Rows = append(p.Rows, v.registrationRow(r))
		if last = r.Cursor; first == "" {
			first = r.Cursor
		}
		return nil
	})
	if err != nil {
		return registrationsPage{}, err
	}
	count, err := v.web.service.CountRegistrations(v.r.Context(), v.caller, q)
	if err != nil {
		return registrationsPage{}, err
	}
	earlier := count.Earlier
	if q.Before != "" {
		earlier = max(0, earlier-len(p.Rows))
	}
	if earlier > 0 {
		p.First = p.href(nil)
		p.Previous = p.href(func(u url.Values) { u.Set("before", first) })
	}
	if to := earlier + len(p.Rows); to < count.Total {
		p.Next = p.href(func(u url.Values) { u.Set("after", last) })
	}
	p.Shown = v.N("report.shown", count.Total, "From", earlier+1, "To", earlier+len(p.Rows))
	if len(p.Rows) > 0 {
		p.CSV = p.csvHref()
	}
	return p, nil
}

func (v *visit) searchTooLong() bool {
	return utf8.RuneCountInString(strings.TrimSpace(v.r.URL.Query().Get("q"))) > longestSearch
}

// registrationQuery reads the address; what it does not know is left out, so
// that an old bookmark still shows the report. A hyphen before sort is descending.
func (v *visit) registrationQuery() portal.RegistrationQuery {
	q := portal.RegistrationQuery{Search: web.QueryValue(v.r, "q"), After: web.QueryValue(v.r, "after"), Sort: portal.SortDisplayName}
	if q.After == "" {
		q.Before = web.QueryValue(v.r, "before")
	}
	for _, s := range portal.Statuses() {
		if string(s) == web.QueryValue(v.r, "status") {
			q.Status = s
		}
	}
	sort, descending := strings.CutPrefix(web.QueryValue(v.r, "sort"), "-")
	for _, c := range columns() {
		if c == sort {
			q.Sort, q.Descending = sort, descending
		}
	}
	return q
}

// columns are the sortable columns in the order of the table.
func columns() []string {
	return []string{
		portal.SortDisplayName, portal.SortEmail, portal.SortStatus,
		portal.SortEmailConfirmed, portal.SortInvited, portal.SortRegistered,
	}
}

// href is the address of the same report, changed.
func (p *registrationsPage) href(change func(url.Values)) string {
	u := url.Values{}
	for name, value := range map[string]string{"q": p.Query.Search, "status": string(p.Query.Status), "sort": sortValue(p.Query.Sort, p.Query.Descending)} {
		if value != "" {
			u.Set(name, value)
		}
	}
	if change != nil {
		change(u)
	}
	return "?" + u.Encode()
}

func sortValue(sort string, descending bool) string {
	if descending {
		return "-" + sort
	}
	return sort
}

// choices fills in the filter and the heads of the columns.
func (p *registrationsPage) choices() {
	for _, s := range portal.Statuses() {
		p.Statuses = append(p.Statuses, option{string(s), p.T("status." + slug(s)), s == p.Query.Status})
	}
	for _, name := range columns() {
		current := name == p.Query.Sort
		for _, down := range []bool{false, true} {
			word := p.T("column." + name)
			if down {
				word = p.T("report.descending", "Column", word)
			}
			p.Sorts = append(p.Sorts, option{sortValue(name, down), word, current && down == p.Query.Descending})
		}
		c := column{Name: p.T("column." + name)}
		c.Href = p.href(func(u url.Values) { u.Set("sort", sortValue(name, current && !p.Query.Descending)) })
		switch {
		case current && p.Query.Descending:
			c.AriaSort, c.Icon = "descending", "chevron-down"
		case current:
			c.AriaSort, c.Icon = "ascending", "chevron-up"
		}
		p.Columns = append(p.Columns, c)
	}
}

// rowHref is where a row leads: to our tab for those to whom it is open, for others
// to the platform's page of the customer, empty where there is none.
func (v *visit) rowHref(id string) string {
	if v.caller.Can(portal.AbilityInvite) {
		return v.customerHref(id)
	}
	return strings.ReplaceAll(v.Biller.CustomerPath, "{id}", url.PathEscape(id))
}

func (v *visit) registrationRow(r portal.Registration) registrationRow {
	row := registrationRow{
		Href: v.rowHref(r.CustomerID), Name: r.DisplayName,
		Badge: statusBadge(v.Text, r.Status), Confirmed: v.T("report.no"),
	}
	if row.Name == "" {
		row.Name = r.Name
	}
	small := nonEmpty(r.Name, r.Number)
	if row.Name == r.Name {
		small = nonEmpty(r.Number)
	}
	row.Small = strings.Join(small, " · ")
	if r.EmailConfirmed {
		row.Confirmed = v.T("report.yes")
	}
	switch r.Agreement {
	case portal.AgreementUpToDate:
		row.Agreement = &badge{Tone: "good", Icon: "check", Word: v.T("report.agreement.current")}
	case portal.AgreementPending:
		row.Agreement = &badge{Tone: "warn", Icon: "clock", Word: v.T("report.agreement.pending")}
	}
	if r.Email != "" {
		local, domain, ok := strings.Cut(r.Email, "@")
		row.Email = &splitEmail{Local: local}
		if ok {
			row.Email.Domain = "@" + domain
		}
	}
	for _, email := range r.SignInEmails {
		row.SignIn = append(row.SignIn, v.T("report.signin", "Email", email))
	}
	if !r.InvitedAt.IsZero() {
		row.Invited = v.ShortDate(r.InvitedAt)
	}
	if !r.RegisteredAt.IsZero() {
		row.Registered = v.ShortDate(r.RegisteredAt)
	}
	return row
}
