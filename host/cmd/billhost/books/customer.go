package books

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/email"
)

// NotSaved stands above a form in which something is wrong.
const NotSaved = "Nothing was saved yet. Please correct the marked fields."

// CustomerForm is what people may change about a customer. Version is the one
// they saw; 0 for a new customer.
type CustomerForm struct {
	Number, Name, DisplayName, Company string
	Email, Phone                       string
	Address                            sdk.Address
	ParentID, Type                     string
	Version                            int64
}

// FormOf returns the form filled with the customer.
func FormOf(c sdk.Customer) CustomerForm {
	return CustomerForm{
		Number: c.Number, Name: c.Name, DisplayName: c.DisplayName, Company: c.Company,
		Email: c.Email, Phone: c.Phone, Address: c.Address,
		ParentID: c.ParentID, Type: c.Type, Version: c.Version,
	}
}

// Check tidies white space, fills the display name and checks every field.
// Errors: Invalid with the fields number, name, display_name, company, email,
// phone, street, city, state, zip, country and type. Whether the parent exists
// is for the store to say.
func (f CustomerForm) Check() (CustomerForm, error) {
	wrong := fields{}
	for _, p := range []struct {
		field string
		value *string
		limit int
	}{
		{"number", &f.Number, 40}, {"name", &f.Name, maxName}, {"display_name", &f.DisplayName, maxName},
		{"company", &f.Company, maxName}, {"email", &f.Email, 254}, {"phone", &f.Phone, 40},
		{"street", &f.Address.Street, maxLine}, {"city", &f.Address.City, maxName}, {"state", &f.Address.State, maxName},
		{"zip", &f.Address.Zip, 20}, {"country", &f.Address.Country, maxName}, {"type", &f.Type, 60},
	} {
		*p.value = Squeeze(*p.value)
		wrong.text(p.field, *p.value, p.limit)
	}
	if f.Name == "" {
		wrong.add("name", "Enter a name.")
	}
	f.DisplayName = orElse(f.DisplayName, f.Name)
	if f.Email != "" {
		if _, err := email.Normalize(f.Email); err != nil {
			wrong.add("email", "Enter an address like name@example.com, or leave this empty.")
		}
	}
	return f, wrong.err(NotSaved)
}

// Fill writes the form into a customer; Check it first.
func (f CustomerForm) Fill(c sdk.Customer) sdk.Customer {
	c.Number, c.Name, c.DisplayName, c.Company = f.Number, f.Name, f.DisplayName, f.Company
	c.Email, c.Phone, c.Address = f.Email, f.Phone, f.Address
	c.ParentID, c.Type = f.ParentID, f.Type
	return c
}

// CustomerFilter narrows the list of customers.
type CustomerFilter struct {
	// Search holds words; each must begin a word of name, display name or email.
	Search string
	// Archived lists the archived customers in place of the others.
	Archived bool
	// After continues a page; CustomerList.Next of the page before. Before leads
	// back; CustomerList.Prev of the page after. At most one is set.
	After, Before string
	// Limit is the length of a page, 1 to 200.
	Limit int
}

// CustomerList is a page of the list, ordered by display name.
type CustomerList struct {
	Customers []sdk.Customer
	// First is the place of the first customer of the page in the whole list,
	// from 1; Total is the length of the whole list.
	First, Total int
	// Prev is empty on the first page, Next on the last.
	Prev, Next string
	// Searched are the beginnings of words that the search was taken for, folded.
	Searched []string
}
