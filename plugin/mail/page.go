package mail

import (
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Accent is the link colour where the brand is too light to read on white.
const accent = "#1f5596"

// page is what the templates of both parts show.
type page struct {
	catalogue.Text
	Subject, Preview, Greeting, Lead string
	Code, CodeHint                   string
	Button, URL                      string
	Validity, Unexpected, Questions  string
	NotMe, NotMeURL, NotMeLink       string
	QuestionsHTML                    template.HTML
	Biller, Initial                  string
	BrandHex                         string
	Brand, OnBrand, Accent           template.CSS
}

func newPage(texts *catalogue.Catalogue, b sdk.Biller, l Letter) page {
	t := texts.Text(b.Locale).In(catalogue.Zone(b))
	brand, on := catalogue.Brand(b)
	p := page{
		Text: t, URL: l.URL, Code: l.Code,
		Biller:   oneLine(b.Name),
		Initial:  catalogue.Initial(b.Name),
		BrandHex: brand, Brand: template.CSS(brand), OnBrand: template.CSS(on), Accent: accent,
		Greeting: t.T("mail.greeting.plain"),
	}
	if on == "#ffffff" {
		p.Accent = p.Brand
	}
	if l.CustomerName != "" {
		p.Greeting = t.T("mail.greeting", "Customer", oneLine(l.CustomerName))
	}
	p.ask(b)
	p.say(l)
	return p
}

// say fills in what differs between kinds of mail.
func (p *page) say(l Letter) {
	switch l.Kind {
	case KindConfirmation, KindOpen:
		p.Subject = p.T("mail.confirm.subject")
		p.Preview = p.T("mail.confirm.preview", "Code", l.Code)
		p.Lead = p.T("mail.confirm.lead", "Biller", p.Biller)
		if l.Kind == KindOpen {
			p.Lead = p.T("mail.open.lead", "Biller", p.Biller)
		}
		p.CodeHint = p.T("mail.confirm.code")
		p.Button = p.T("mail.confirm.button")
		p.Validity = p.T("mail.confirm.valid", "At", p.Moment(l.ExpiresAt))
		p.Unexpected = p.T("mail.confirm.unexpected")
		p.disown(l)
	case KindKnown, KindUnknown:
		key := "mail." + l.Kind
		p.Subject, p.Preview, p.Lead = p.T(key+".subject"), p.T(key+".preview"), p.T(key+".lead", "Biller", p.Biller)
		p.Button, p.Validity, p.Unexpected = p.T(key+".button"), p.T(key+".valid"), p.T(key+".unexpected")
		p.disown(l)
	case KindAdd:
		p.Subject = p.T("mail.invitation.subject")
		p.Preview = p.T("mail.add.preview", "Customer", oneLine(l.CustomerName))
		p.Lead = p.T("mail.add.lead", "Biller", p.Biller, "Customer", oneLine(l.CustomerName))
		p.Button = p.T("mail.add.button")
		p.Validity = p.T("mail.add.valid", "Date", p.Date(l.ExpiresAt))
		p.Unexpected = p.T("mail.add.unexpected")
	case KindReminder, KindAddReminder:
		p.sayReminder(l)
	case KindReset:
		p.Subject = p.T("mail.reset.subject")
		p.Preview = p.T("mail.reset.preview")
		p.Lead = p.T("mail.reset.lead", "Biller", p.Biller)
		p.Button = p.T("mail.reset.button")
		p.Validity = p.T("mail.reset.valid", "At", p.Moment(l.ExpiresAt))
		p.Unexpected = p.T("mail.reset.unexpected")
		p.NotMe, p.NotMeURL, p.NotMeLink = p.T("mail.reset.notme", "URL", l.NotMe), l.NotMe, p.T("mail.reset.notme.link")
	case KindEnded:
		p.Subject = p.T("mail.ended.subject")
		p.Preview = p.T("mail.reset.preview")
		p.Lead = p.T("mail.ended.lead", "Biller", p.Biller)
		p.Button = p.T("mail.reset.button")
		p.Validity = p.T("mail.reset.valid", "At", p.Moment(l.ExpiresAt))
		p.Unexpected = p.T("mail.ended.unexpected")
	case KindAddress:
		p.Subject = p.T("mail.address.subject")
		p.Preview = p.T("mail.address.preview", "Code", l.Code)
		p.Lead = p.T("mail.address.lead", "Biller", p.Biller)
		p.CodeHint = p.T("mail.address.code")
		p.Button = p.T("mail.address.button")
		p.Validity = p.T("mail.address.valid", "At", p.Moment(l.ExpiresAt))
		p.Unexpected = p.T("mail.address.unexpected")
		p.disown(l)
	case KindNotice:
		p.sayNotice(l)
	case KindDeclined:
		p.Subject = p.T("mail.declined.subject", "Biller", p.Biller)
		p.Preview = p.T("mail.declined.preview")
		p.Lead = p.T("mail.declined.lead", "Biller", p.Biller)
		p.Button = p.T("mail.notice.open")
		p.Validity = p.T("mail.declined.valid")
		p.Unexpected = p.T("mail.declined.unexpected")
	case KindApproved:
		p.Subject = p.T("mail.approved.subject", "Biller", p.Biller)
		p.Preview = p.T("mail.approved.preview", "Date", p.Date(l.ExpiresAt))
		p.Lead = p.T("mail.approved.lead", "Biller", p.Biller)
		p.Button = p.T("mail.invitation.button")
		p.Validity = p.T("mail.invitation.valid", "Date", p.Date(l.ExpiresAt))
		p.Unexpected = p.T("mail.approved.unexpected")
	default:
		p.Subject = p.T("mail.invitation.subject")
		p.Preview = p.T("mail.invitation.preview", "Date", p.Date(l.ExpiresAt))
		p.Lead = p.T("mail.invitation.lead", "Biller", p.Biller)
		p.Button = p.T("mail.invitation.button")
		p.Validity = p.T("mail.invitation.valid", "Date", p.Date(l.ExpiresAt))
		p.Unexpected = p.T("mail.invitation.unexpected")
	}
	if l.Button != "" && !l.Started {
		p.Button = oneLine(l.Button)
	}
}

// sayReminder says once more what the invitation said, as far as it still matters.
func (p *page) sayReminder(l Letter) {
	p.Subject = p.T("mail.reminder.subject")
	if l.Kind == KindAddReminder {
		p.Preview = p.T("mail.add.preview", "Customer", oneLine(l.CustomerName))
		p.Lead = p.T("mail.reminder.add.lead", "Biller", p.Biller, "Customer", oneLine(l.CustomerName))
		p.Button = p.T("mail.add.button")
		p.Validity = p.T("mail.add.valid", "Date", p.Date(l.ExpiresAt))
		p.Unexpected = p.T("mail.reminder.add.unexpected", "Biller", p.Biller)
		return
	}
	key, button := "mail.reminder", "mail.invitation.button"
	if l.Started {
		key, button = "mail.reminder.started", "mail.reminder.started.button"
	}
	p.Lead, p.Button = p.T(key+".lead", "Biller", p.Biller), p.T(button)
	p.Unexpected = p.T(key+".unexpected", "Biller", p.Biller)
	p.Preview = p.T("mail.invitation.preview", "Date", p.Date(l.ExpiresAt))
	p.Validity = p.T("mail.invitation.valid", "Date", p.Date(l.ExpiresAt))
}

// sayNotice says what happened to a sign-in. A notice without an end has no "this
// wasn't me": staff did it.
func (p *page) sayNotice(l Letter) {
	key := "mail.notice." + l.Action
	p.Subject = p.T(key + ".subject")
	p.Lead = p.T(key+".lead", "Biller", p.Biller, "At", p.Moment(l.At), "From", p.from(l))
	if l.ExpiresAt.IsZero() {
		p.Preview = p.T("mail.notice.told")
		p.Button = p.T("mail.notice.open")
		p.Validity = p.T("mail.notice.told")
		p.Unexpected = p.T("mail.notice.surprised")
		return
	}
	p.Preview = p.T("mail.notice.preview")
	p.Button = p.T("mail.notice.button")
	p.Validity = p.T("mail.notice.valid", "At", p.Moment(l.ExpiresAt))
	if l.Action == string(portal.ActionAddressChanged) {
		p.Validity = p.T("mail.notice.restore.valid", "At", p.Moment(l.ExpiresAt))
	}
	p.Unexpected = p.T("mail.notice.unexpected")
}

// from names the browser and the network.
func (p *page) from(l Letter) string {
	if l.IP == "" {
		return p.Browser(l.Agent)
	}
	return p.Browser(l.Agent) + ", " + l.IP
}

// disown adds "I didn't do this" to a mail that anybody can have sent to an address.
func (p *page) disown(l Letter) {
	if l.NotMe != "" {
		p.NotMe, p.NotMeURL, p.NotMeLink = p.T("mail.confirm.notme", "URL", l.NotMe), l.NotMe, p.T("mail.confirm.notme.link")
	}
}

// ask says whom to ask, in both parts.
func (p *page) ask(b sdk.Biller) {
	phone, email := oneLine(b.Phone), oneLine(b.Email)
	key := "mail.questions." + catalogue.Reach(b)
	p.Questions = p.T(key, "Phone", phone, "Email", email, "Biller", p.Biller)
	p.QuestionsHTML = p.Rich(key,
		"Phone", p.link(catalogue.TelURL(phone), phone),
		"Email", p.link(catalogue.MailURL(email), email),
		"Biller", p.Biller)
}

func (p *page) link(href, text string) template.HTML {
	return template.HTML(`<a class="link" href="` + template.HTMLEscapeString(href) + `" style="color:` + string(p.Accent) + `;">` + template.HTMLEscapeString(text) + `</a>`)
}

// oneLine keeps names from starting lines of their own in the text part, and from
// being an address there: the first one is ours.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "://", ": ")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r == utf8.RuneError || r != ' ' && unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
