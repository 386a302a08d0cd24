package web

import (
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// form is the part of a page with fields: what was typed and what is wrong.
type form struct {
	Form *web.Form
	// Shown is set when the person asked to see the password; only then does the
	// page hold it.
	Shown    bool
	Password string
	Strength *strength
	// Replaces is set where the password takes the place of another.
	Replaces bool
	// fields lists the page's fields in order, for the focus.
	fields []string
}

// strength is what the meter says of a shown password.
type strength struct {
	Score int
	Word  string
}

// problem is a field's error, with the id that the field is described by.
type problem struct{ ID, Message string }

func newForm(f *web.Form, fields ...string) form {
	if f == nil {
		f = web.NewForm(nil)
	}
	return form{Form: f, fields: fields}
}

// failedForm is a form with something wrong in each field, for samples.
func failedForm(fields ...string) form {
	f := newForm(nil, fields...)
	wrong := map[string]string{}
	for _, field := range fields {
		wrong[field] = "-"
	}
	f.Form.Fail(&apperr.Error{Code: apperr.Invalid, Message: "-", Fields: wrong})
	return f
}

// Error returns what is wrong with a field, or "".
func (f form) Error(name string) string { return f.Form.Error(name) }

// Problem returns the field's error for its template, or nil.
func (f form) Problem(name string) *problem {
	if message := f.Form.Error(name); message != "" {
		return &problem{ID: name + "-error", Message: message}
	}
	return nil
}

// Focus reports whether the field is the first that is wrong.
func (f form) Focus(name string) bool {
	for _, field := range f.fields {
		if f.Form.Error(field) != "" {
			return field == name
		}
	}
	return false
}

// showing reports whether one of the buttons Show and Hide was pressed, which
// only draw the form again.
func showing(f *web.Form) bool { return f.Value("show") != "" }

// show fills in the password if that is what the person asked for.
func (f form) show() form {
	if f.Form.Value("show") != "password" {
		return f
	}
	f.Shown, f.Password = true, f.Form.Value("password")
	return f
}

// replacing says that the password takes the place of another.
func (f form) replacing() form {
	f.Replaces = true
	return f
}

// measured adds the strength of a shown password; names are the customers', as far as
// the page knows them.
func (f form) measured(v *visit, names ...string) form {
	if !f.Shown || f.Password == "" {
		return f
	}
	score := password.Score(f.Password, append(names, f.Form.Text("email"), v.Name())...)
	f.Strength = &strength{Score: score, Word: v.T("strength." + string(rune('0'+score)))}
	return f
}

// required blames the named fields that are empty, with the texts
// "required.<name>"; nil if none is.
func (v *visit) required(f *web.Form, names ...string) error {
	missing := map[string]string{}
	for _, name := range names {
		if f.Text(name) == "" {
			missing[name] = v.T("required." + name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &apperr.Error{Code: apperr.Invalid, Message: v.T("required"), Fields: missing}
}
