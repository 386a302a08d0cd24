package web

import (
	"html/template"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/sdk"
)

// frame is what every page knows: texts, the biller and where things are.
type frame struct {
	catalogue.Text
	Biller sdk.Biller
	Title  string
	// Static is where the stylesheet is, Nonce what its <style> carries.
	Static, Nonce string
	Brand         template.CSS
	OnBrand       template.CSS
	// SignOut takes the post that signs out, on pages without the portal's menu that
	// somebody sees who is signed in.
	SignOut string
	// failed is set once something is wrong with the page's form.
	failed bool
	base   string
	web    *Web
}

func (s *Web) frame(call sdk.Call, b sdk.Biller) frame {
	locale := call.Locale
	if locale == "" {
		locale = b.Locale
	}
	text := s.texts.Text(locale).In(catalogue.Zone(b))
	brand, on := catalogue.Brand(b)
	return frame{
		Text: text, Biller: b,
		Static: call.StaticBase, Nonce: call.CSPNonce,
		Brand: template.CSS(brand), OnBrand: template.CSS(on),
		base: call.BasePath, web: s,
	}
}

// titled returns the frame with a title. That of a form with something wrong says so
// first: it is what a screen reader reads first.
func (f frame) titled(title string) frame {
	if f.failed {
		title = f.T("page.failed", "Title", title)
	}
	f.Title = title
	return f
}

// Path returns the address of a path of the current surface.
func (f frame) Path(path string) string { return f.base + path }

// Dir is the direction of writing.
func (f frame) Dir() string { return "ltr" }

// Name is the biller's name, or what stands in for it while it is unknown.
func (f frame) Name() string {
	if f.Biller.Name == "" {
		return f.T("addon.title")
	}
	return f.Biller.Name
}

// Initial is the letter on the mark.
func (f frame) Initial() string { return catalogue.Initial(f.Name()) }

// ask returns a sentence that says whom to ask. key has the forms of
// catalogue.Reach; pairs are its further placeholders.
func (f frame) ask(key string, pairs ...any) template.HTML {
	pairs = append(pairs, "Biller", f.Name())
	if f.Biller.Phone != "" {
		pairs = append(pairs, "Phone", f.Phone(f.Biller.Phone))
	}
	if f.Biller.Email != "" {
		pairs = append(pairs, "Email", f.Mailto(f.Biller.Email, ""))
	}
	return f.Rich(key+"."+catalogue.Reach(f.Biller), pairs...)
}

// Contact is the foot's sentence.
func (f frame) Contact() template.HTML { return f.ask("contact") }

// Help is the foot's sentence during sign-up.
func (f frame) Help() template.HTML {
	if f.Biller.Phone != "" && f.Biller.Hours != "" {
		return f.Rich("help.both", "Biller", f.Name(), "Phone", f.Phone(f.Biller.Phone), "Hours", strings.TrimRight(f.Biller.Hours, "."))
	}
	switch {
	case f.Biller.Phone != "":
		return f.Rich("help.phone", "Biller", f.Name(), "Phone", f.Phone(f.Biller.Phone))
	case f.Biller.Email != "":
		return f.Rich("help.email", "Email", f.Mailto(f.Biller.Email, ""))
	}
	return f.Rich("help.none", "Biller", f.Name())
}
