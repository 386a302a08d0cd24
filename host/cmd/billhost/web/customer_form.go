package web

import (
	"net/http"
	"strconv"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

type customerFormPage struct {
	frame
	// ID is empty for a new customer.
	ID   string
	Name string
	Form *sdkweb.Form
}

// Inputs are the form's plain fields, in order.
func (customerFormPage) Inputs() [][]input {
	return [][]input{
		{
			{"name", "Name", "The person or business billed", "text", "name"},
			{"display_name", "Display name", "As lists show it; the name if left empty", "text", ""},
			{"company", "Company", "If a business is billed", "text", "organization"},
			{"number", "Account number", "As your customers know it", "text", "off"},
			{"type", "Type", "Your own word, for example Residential", "text", "off"},
		},
		{
			{"email", "Email", "Where invitations and invoices go", "email", "off"},
			{"phone", "Phone", "With area code", "tel", "off"},
			{"street", "Street", "With the house number", "text", "off"},
			{"city", "City", "Town or city", "text", "off"},
			{"state", "State", "For example FL", "text", "off"},
			{"zip", "Zip", "Postal code", "text", "off"},
			{"country", "Country", "For example USA", "text", "off"},
		},
	}
}

type input struct{ Name, Label, Hint, Type, Complete string }

// customerNew shows the empty form.
func (s *Server) customerNew(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	return s.drawForm(w, r, staff, http.StatusOK, customerFormPage{Form: &sdkweb.Form{}})
}

// customerCreate keeps a new customer and goes to its page.
func (s *Server) customerCreate(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	f, err := s.readForm(r, staff, "", form)
	var c sdk.Customer
	if err == nil {
		c, err = s.Store.CreateCustomer(r.Context(), staff.BillerID, f)
	}
	return s.formDone(w, r, staff, customerFormPage{Form: form}, c.ID, err)
}

// customerEdit shows the form filled with the customer.
func (s *Server) customerEdit(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	c, err := s.Store.Customer(r.Context(), staff.BillerID, r.PathValue("id"))
	if err != nil {
		return err
	}
	values := map[string]string{
		"name": c.Name, "display_name": c.DisplayName, "company": c.Company, "number": c.Number, "type": c.Type,
		"email": c.Email, "phone": c.Phone, "street": c.Address.Street, "city": c.Address.City,
		"state": c.Address.State, "zip": c.Address.Zip, "country": c.Address.Country,
		"version": strconv.FormatInt(c.Version, 10),
	}
	if c.ParentID != "" {
		parent, err := s.Store.Customer(r.Context(), staff.BillerID, c.ParentID)
		if err != nil {
			return err
		}
		values["parent"] = parent.Number
		if parent.Number == "" {
			values["parent"] = parent.Name
		}
	}
	return s.drawForm(w, r, staff, http.StatusOK, customerFormPage{ID: c.ID, Name: c.DisplayName, Form: sdkweb.NewForm(values)})
}

// customerUpdate writes the form and goes back to the customer.
func (s *Server) customerUpdate(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	c, err := s.Store.Customer(r.Context(), staff.BillerID, r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	f, err := s.readForm(r, staff, c.ID, form)
	if err == nil {
		_, err = s.Store.UpdateCustomer(r.Context(), staff.BillerID, c.ID, f)
	}
	return s.formDone(w, r, staff, customerFormPage{ID: c.ID, Name: c.DisplayName, Form: form}, c.ID, err)
}

// readForm takes what was typed; the parent is typed as number or name. If no
// parent is found, the form is marked with everything else that is wrong too.
func (s *Server) readForm(r *http.Request, staff books.Staff, id string, form *sdkweb.Form) (books.CustomerForm, error) {
	version, err := strconv.ParseInt(form.Value("version"), 10, 64)
	if err != nil {
		version = 0 // no version is the current one: the store says that it changed
	}
	f := books.CustomerForm{
		Name: form.Text("name"), DisplayName: form.Text("display_name"), Company: form.Text("company"),
		Number: form.Text("number"), Type: form.Text("type"), Email: form.Text("email"), Phone: form.Text("phone"),
		Address: sdk.Address{
			Street: form.Text("street"), City: form.Text("city"), State: form.Text("state"),
			Zip: form.Text("zip"), Country: form.Text("country"),
		},
		Version: version,
	}
	label := form.Text("parent")
	if label == "" {
		return f, nil
	}
	parent, err := s.Store.FindByLabel(r.Context(), staff.BillerID, label)
	if apperr.Is(err, apperr.NotFound) || apperr.Is(err, apperr.Conflict) {
		if other := s.Store.CheckCustomer(r.Context(), staff.BillerID, id, f); other != nil && !form.Fail(other) {
			return f, other
		}
		return f, apperr.Field("parent", apperr.MessageOf(err))
	}
	f.ParentID = parent.ID
	return f, err
}

// formDone ends a POST of the form: on to the customer, or the form again with
// what was typed and what is wrong.
func (s *Server) formDone(w http.ResponseWriter, r *http.Request, staff books.Staff, p customerFormPage, id string, err error) error {
	if err == nil {
		http.Redirect(w, r, "/admin/customers/"+id+"?saved=1", http.StatusSeeOther)
		return nil
	}
	if !p.Form.Fail(err) {
		return err
	}
	return s.drawForm(w, r, staff, sdkweb.StatusOf(apperr.CodeOf(err)), p)
}

func (s *Server) drawForm(w http.ResponseWriter, r *http.Request, staff books.Staff, status int, p customerFormPage) (err error) {
	title := "New customer"
	if p.ID != "" {
		title = "Edit " + p.Name
	}
	if p.frame, err = s.frame(r, staff, title, "customers"); err != nil {
		return err
	}
	return s.pages.customerForm.Render(w, r, status, p)
}

// customerArchive takes a customer off the list or puts it back.
func (s *Server) customerArchive(archived bool) handler {
	return func(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
		id := r.PathValue("id")
		if err := s.Store.ArchiveCustomer(r.Context(), staff.BillerID, id, archived); err != nil {
			return err
		}
		http.Redirect(w, r, "/admin/customers/"+id, http.StatusSeeOther)
		return nil
	}
}
