// Package mail writes the portal's mails and sends them: the handlers of the mail
// jobs, which ask the portal what to say to whom and hand the result to the host.
package mail

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/sdk"
)

//go:embed templates
var templates embed.FS

// Kinds of mail; the platform knows those about a sign-in as security.
const (
	// KindInvitation is mail 1, first or again.
	KindInvitation = "invitation"
	// KindReminder is mail 1 once more, to somebody who has not signed up.
	KindReminder = "reminder"
	// KindConfirmation is mail 2, with the code.
	KindConfirmation = "confirmation"
	// KindReset lets somebody choose a new password.
	KindReset = "reset"
	// KindEnded does too, after "This wasn't me" has ended the old one.
	KindEnded = "ended"
	// KindAddress proves a new address with a code.
	KindAddress = "address"
	// KindOpen proves the address of a sign-up without an invitation; KindKnown
	// tells somebody who did that and signs in already, KindUnknown somebody whose
	// address no customer has.
	KindOpen    = "open"
	KindKnown   = "known"
	KindUnknown = "unknown"
	// KindNotice tells what happened to somebody's sign-in.
	KindNotice = "notice"
	// KindAdd asks somebody who has a sign-in to add one more customer.
	KindAdd = "add"
	// KindAddReminder asks them once more.
	KindAddReminder = "add_reminder"
	// KindApproved is mail 1 to somebody who asked for access; CustomerName is what
	// they called themselves.
	KindApproved = "approved"
	// KindDeclined tells somebody that the biller gave no access.
	KindDeclined = "declined"
)

// Letter is what one mail says.
type Letter struct {
	// Kind is one of the Kind constants.
	Kind string
	// To is the recipient's address, CustomerID the customer it is about.
	To, CustomerID string
	// CustomerName greets; may be empty.
	CustomerName string
	// URL is the one action; it belongs to the portal.
	URL string
	// Code is the six digits of a confirmation.
	Code string
	// Button replaces the button's text where the biller chose one.
	Button string
	// Started tells, of a reminder, that the person has begun to sign up.
	Started bool
	// ExpiresAt is when URL stops working.
	ExpiresAt time.Time
	// NotMe is "This wasn't me"; empty where URL is that, or nobody needs it.
	NotMe string
	// Action and At are what happened when, of a notice.
	Action string
	At     time.Time
	// Agent and IP are the browser's that did it, of a notice.
	Agent, IP string
	// Permit is the platform's leave to write to an address that is no customer's.
	Permit string
}

// Renderer turns letters into messages. It is safe for concurrent use.
type Renderer struct {
	texts *catalogue.Catalogue
	html  *template.Template
	plain *text.Template
}

// NewRenderer parses the templates. An error means a broken build.
func NewRenderer(texts *catalogue.Catalogue) (*Renderer, error) {
	html, err := template.New("mail.html").ParseFS(templates, "templates/mail.html")
	if err != nil {
		return nil, fmt.Errorf("parse mail: %w", err)
	}
	plain, err := text.New("mail.txt").ParseFS(templates, "templates/mail.txt")
	if err != nil {
		return nil, fmt.Errorf("parse mail: %w", err)
	}
	return &Renderer{texts: texts, html: html, plain: plain}, nil
}

// kindOf is the kind as the platform knows it: mails about a sign-in go to the
// person's own address, which no customer need have; those to people whom staff
// let in, or not, need the platform's permit.
func kindOf(l Letter) string {
	if l.Permit != "" {
		return "access"
	}
	switch l.Kind {
	case KindReset, KindEnded, KindAddress, KindNotice, KindOpen, KindKnown, KindUnknown:
		return "security"
	}
	return l.Kind
}

// Render writes the letter in the biller's name, language and colours. The
// message has no Key yet.
func (r *Renderer) Render(b sdk.Biller, l Letter) (sdk.Message, error) {
	p := newPage(r.texts, b, l)
	var html, plain bytes.Buffer
	if err := r.html.Execute(&html, p); err != nil {
		return sdk.Message{}, fmt.Errorf("render mail: %w", err)
	}
	if err := r.plain.Execute(&plain, p); err != nil {
		return sdk.Message{}, fmt.Errorf("render mail: %w", err)
	}
	return sdk.Message{
		To: l.To, CustomerID: l.CustomerID, Kind: kindOf(l), Permit: l.Permit,
		Subject: p.Subject,
		Text:    strings.ReplaceAll(plain.String(), "\r", ""),
		HTML:    html.String(),
	}, nil
}
