package csvfile

import (
	"maps"
	"slices"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Customer is a row that passed the checks.
type Customer struct {
	Line int
	// Name finds the customer in the books.
	Name string
	// Balance is the open balance; nil if the file has no such column.
	Balance *sdk.Money

	values map[Column]string
}

// Apply writes the columns that the file has into the form; the others stay.
func (c Customer) Apply(f books.CustomerForm) books.CustomerForm {
	for column, target := range targets(&f) {
		if v, ok := c.values[column]; ok {
			*target = v
		}
	}
	if f.DisplayName == "" {
		f.DisplayName = f.Name
	}
	return f
}

// targets says where in the form each column goes.
func targets(f *books.CustomerForm) map[Column]*string {
	return map[Column]*string{
		ColumnName: &f.Name, ColumnDisplay: &f.DisplayName, ColumnNumber: &f.Number, ColumnCompany: &f.Company,
		ColumnEmail: &f.Email, ColumnPhone: &f.Phone, ColumnStreet: &f.Address.Street, ColumnCity: &f.Address.City,
		ColumnState: &f.Address.State, ColumnZip: &f.Address.Zip, ColumnCountry: &f.Address.Country, ColumnType: &f.Type,
	}
}

// fieldColumns says which column a field of the form comes from.
func fieldColumns() map[string]Column {
	return map[string]Column{
		"name": ColumnName, "display_name": ColumnDisplay, "number": ColumnNumber, "company": ColumnCompany,
		"email": ColumnEmail, "phone": ColumnPhone, "street": ColumnStreet, "city": ColumnCity,
		"state": ColumnState, "zip": ColumnZip, "country": ColumnCountry, "type": ColumnType,
	}
}

// Customer checks a row. A currency code says what the open balance is in.
func (r *Reader) Customer(row Row, currency string) (Customer, *Refusal) {
	raw := Customer{values: row.Values}.Apply(books.CustomerForm{})
	checked, err := raw.Check()
	if err != nil {
		refusal := r.Refuse(row.Line, err)
		return Customer{}, &refusal
	}
	c := Customer{Line: row.Line, Name: checked.Name, values: map[Column]string{}}
	for column, value := range targets(&checked) {
		if row.Has(column) {
			c.values[column] = *value
		}
	}
	if row.Has(ColumnBalance) {
		balance, err := books.ParseMoney(row.Values[ColumnBalance], currency)
		if err != nil {
			return Customer{}, &Refusal{Line: row.Line, Column: r.Header(ColumnBalance), Reason: err.Error()}
		}
		c.Balance = &balance
	}
	return c, nil
}

// Refuse turns the error of a row, from here or from the store, into the refusal
// of its first field.
func (r *Reader) Refuse(line int, err error) Refusal {
	wrong := apperr.FieldsOf(err)
	for _, field := range slices.Sorted(maps.Keys(wrong)) {
		if column, ok := fieldColumns()[field]; ok {
			return Refusal{Line: line, Column: r.Header(column), Reason: wrong[field]}
		}
	}
	return Refusal{Line: line, Reason: apperr.MessageOf(err)}
}
