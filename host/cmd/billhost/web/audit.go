package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// auditDay is how days stand in the filter.
const auditDay = "2006-01-02"

// Choices of the filter "who" and "add-on" that are no id.
const (
	whoPortal = "portal-users"
	noAddon   = "billhost"
)

type auditPage struct {
	frame
	// Form holds what was chosen, and what is wrong with it.
	Form    *sdkweb.Form
	Who     []choice
	What    []choice
	Addons  []choice
	Records []auditRecord
	// Customer is whom the records are about; empty for all.
	Customer string
	// Chosen tells that not everything is shown.
	Chosen     bool
	Prev, Next string
	// Operations are shown in place of records if Platform.
	Platform   bool
	Operations []operation
}

// Exported is what the download button sends again.
func (p auditPage) Exported() []choice {
	var all []choice
	for _, name := range auditFields() {
		if v := p.Form.Value(name); v != "" {
			all = append(all, choice{name, v})
		}
	}
	return all
}

// IsOperator tells whether the person operates the whole platform.
func (p auditPage) IsOperator() bool { return p.Staff.Role == books.Operator }

func auditFields() []string { return []string{"from", "to", "who", "what", "customer", "addon"} }

// choice is an option: what is sent, and what people read.
type choice struct{ Value, Title string }

// auditRecord is a record in words.
type auditRecord struct {
	Action, What, Who, Object string
	CustomerID, Customer      string
	AddonID, IP               string
	At                        time.Time
	Detail                    []choice
}

// operation is a line of the operators' audit in words.
type operation struct {
	addon.Operation
	What, Biller string
}

// audit is the page of the biller's audit, or of the operators'.
func (s *Server) audit(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	f, err := s.frame(r, staff, "Audit", "audit")
	if err != nil {
		return err
	}
	p := auditPage{frame: f, Form: auditForm(r.URL.Query()), Platform: r.URL.Query().Get("of") == "platform"}
	if p.Platform {
		return s.operations(w, r, p)
	}
	people, err := s.auditChoices(r, &p)
	if err != nil {
		return err
	}
	status := http.StatusOK
	list, err := s.findAudit(r, staff, p.Form, p.zone())
	if err != nil {
		if !p.Form.Fail(err) {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	p.Chosen = len(p.Exported()) > 0
	for _, e := range list.Entries {
		p.Records = append(p.Records, record(e, people))
	}
	if list.Prev != "" {
		p.Prev = "?" + otherPage(r.URL.Query(), "before", list.Prev)
	}
	if list.Next != "" {
		p.Next = "?" + otherPage(r.URL.Query(), "after", list.Next)
	}
	return s.pages.audit.Render(w, r, status, p)
}

// operations is the operators' audit: what was done to the add-ons of the whole
// platform.
func (s *Server) operations(w http.ResponseWriter, r *http.Request, p auditPage) error {
	list, err := s.addons.Operations(r.Context(), p.Staff.Addon(), "")
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, o := range list {
		if o.BillerID != "" && names[o.BillerID] == "" {
			b, err := s.Store.Biller(r.Context(), o.BillerID)
			if err != nil && !apperr.Is(err, apperr.NotFound) {
				return err
			}
			names[o.BillerID] = b.Name
		}
		p.Operations = append(p.Operations, operation{o, books.AuditWords(o.Action), names[o.BillerID]})
	}
	return s.pages.audit.Render(w, r, http.StatusOK, p)
}

func (p auditPage) zone() *time.Location {
	zone, err := time.LoadLocation(p.Biller.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// auditForm takes what was chosen from a query or a form.
func auditForm(values url.Values) *sdkweb.Form {
	chosen := map[string]string{}
	for _, name := range auditFields() {
		chosen[name] = short(strings.TrimSpace(strings.ReplaceAll(values.Get(name), "\x00", "")), 200)
	}
	return sdkweb.NewForm(chosen)
}

// auditChoices fills the filter's lists and returns the names of staff by id.
func (s *Server) auditChoices(r *http.Request, p *auditPage) (map[string]string, error) {
	staff, err := s.Store.StaffNames(r.Context(), p.Biller.ID)
	if err != nil {
		return nil, err
	}
	addons, err := s.Store.AuditAddons(r.Context(), p.Biller.ID)
	if err != nil {
		return nil, err
	}
	p.Who = []choice{{"", "Anyone"}, {whoPortal, "Customers"}, {books.CommandLine, "Command line"}}
	people := map[string]string{}
	for _, one := range staff {
		p.Who = append(p.Who, choice{one.ID, one.Name})
		people[one.ID] = one.Name
	}
	p.What = []choice{{"", "Everything"}}
	for _, g := range books.AuditGroups() {
		p.What = append(p.What, choice{g.Name, g.Title})
	}
	p.Addons = []choice{{"", "All"}, {noAddon, "Billhost itself"}}
	for _, id := range addons {
		p.Addons = append(p.Addons, choice{id, id})
	}
	return people, nil
}

// findAudit reads the page that the query names.
func (s *Server) findAudit(r *http.Request, staff books.Staff, form *sdkweb.Form, zone *time.Location) (books.AuditList, error) {
	filter, err := s.auditFilter(r, staff.BillerID, form, zone)
	if err != nil {
		return books.AuditList{}, err
	}
	filter.After, filter.Before = sdkweb.QueryValue(r, "after"), sdkweb.QueryValue(r, "before")
	return s.Store.FindAudit(r.Context(), staff.BillerID, filter)
}

// auditFilter reads the form. Invalid with the fields from, to, what and customer.
func (s *Server) auditFilter(r *http.Request, biller string, form *sdkweb.Form, zone *time.Location) (books.AuditFilter, error) {
	f := books.AuditFilter{Group: form.Value("what"), Limit: listRows}
	for name, day := range map[string]*time.Time{"from": &f.From, "to": &f.Until} {
		if form.Value(name) == "" {
			continue
		}
		at, err := time.ParseInLocation(auditDay, form.Value(name), zone)
		if err != nil {
			return f, apperr.Field(name, "Enter a day such as 2026-06-30.")
		}
		*day = at
	}
	if !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1)
	}
	switch who := form.Value("who"); who {
	case whoPortal:
		f.PortalUsers = true
	default:
		f.StaffID = who
	}
	switch id := form.Value("addon"); id {
	case noAddon:
		f.Platform = true
	default:
		f.AddonID = id
	}
	err := s.auditCustomer(r, biller, form.Value("customer"), &f)
	return f, err
}

// auditCustomer finds whom people mean by an id, an account number or a name.
func (s *Server) auditCustomer(r *http.Request, biller, label string, f *books.AuditFilter) error {
	if label == "" {
		return nil
	}
	if f.CustomerID = label; uuid.Validate(label) == nil {
		return nil
	}
	c, err := s.Store.FindByLabel(r.Context(), biller, label)
	if apperr.Is(err, apperr.NotFound) || apperr.Is(err, apperr.Conflict) {
		return apperr.Field("customer", apperr.MessageOf(err))
	}
	f.CustomerID = c.ID
	return err
}

// record says a record in words.
func record(e books.AuditEntry, people map[string]string) auditRecord {
	r := auditRecord{
		Action: e.Action, What: books.AuditWords(e.Action), Who: e.StaffName, Object: e.Object, CustomerID: e.CustomerID,
		Customer: e.CustomerName, AddonID: e.AddonID, IP: e.RemoteIP, At: e.At,
	}
	if r.IP == "" && e.AddonID != "" {
		r.IP = e.Detail["ip"] // what an add-on's job wrote, on its word
	}
	switch {
	case r.Who != "":
	case e.StaffID == books.CommandLine:
		r.Who = "Command line"
	case e.StaffID != "":
		r.Who = "Former staff user"
	case e.PortalUserClaim != "" && !books.AuditOfStranger(e.Action):
		r.Who = "Customer"
	case r.IP != "", books.AuditOfStranger(e.Action):
		r.Who = "Somebody not signed in"
	case e.AddonID == "":
		r.Who = "Billhost"
	default:
		r.Who = "Add-on"
	}
	if name := people[e.Object]; name != "" {
		r.Object = name
	}
	if e.Object == e.CustomerID || e.Object == e.AddonID || r.Object == r.Who || uuid.Validate(r.Object) == nil {
		r.Object = "" // says nothing to people; the download has it
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		if written := e.RemoteIP == "" && e.AddonID != ""; written && (name == "ip" || name == "at") {
			continue
		}
		r.Detail = append(r.Detail, choice{strings.ReplaceAll(name, "_", " "), strings.Trim(e.Detail[name], "[]")})
	}
	return r
}

// auditSamples reach the branches of the template.
func auditSamples() []auditPage {
	form := sdkweb.NewForm(map[string]string{"from": "x", "customer": "x"})
	form.Fail(apperr.Errorf(apperr.Invalid, "x"))
	form.Fail(&apperr.Error{Code: apperr.Invalid, Fields: map[string]string{"from": "x", "to": "x", "customer": "x"}})
	full := auditRecord{What: "x", Who: "x", Object: "x", CustomerID: "x", Customer: "x", AddonID: "x", IP: "x", Detail: []choice{{"x", "x"}}}
	nameless := auditRecord{CustomerID: "x"}
	all := []choice{{"", "x"}}
	empty := frame{Staff: books.Staff{Role: books.Operator}}
	return []auditPage{
		{Form: &sdkweb.Form{}}, {Form: form, frame: empty, Who: all, What: all, Addons: all, Records: []auditRecord{full, nameless, {}}, Chosen: true, Prev: "x", Next: "x"},
		{Form: form, Chosen: true}, {Form: form, frame: empty, Platform: true},
		{Form: form, frame: empty, Platform: true, Operations: []operation{{}, {Operation: addon.Operation{From: "x", To: "x", AddonID: "x"}, Biller: "x"}}},
	}
}
