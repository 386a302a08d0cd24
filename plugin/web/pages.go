package web

import (
	"embed"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/web"
)

//go:embed templates
var templates embed.FS

// pages is every page, by the template of the same name.
type pages struct {
	home               *web.Page[homePage]
	invoice            *web.Page[invoicePage]
	signin             *web.Page[signInPage]
	forgot             *web.Page[forgotPage]
	reset              *web.Page[resetPage]
	change             *web.Page[changePage]
	security           *web.Page[securityPage]
	again              *web.Page[againPage]
	address            *web.Page[addressPage]
	message            *web.Page[messagePage]
	agreement          *web.Page[agreementPage]
	invitationOpen     *web.Page[invitationPage]
	invitationPassword *web.Page[invitationPage]
	signupProfile      *web.Page[profilePage]
	signupConfirm      *web.Page[confirmPage]
	signupLink         *web.Page[confirmLinkPage]
	signupAgreement    *web.Page[agreementPage]
	open, openCode     *web.Page[openPage]
	openChoose         *web.Page[chooseOpenPage]

	accessAsk *web.Page[askPage]
	erase     *web.Page[erasePage]

	accessRequests    *web.Page[requestsPage]
	person            *web.Page[personPage]
	personConfirm     *web.Page[confirmPersonPage]
	addon             *web.Page[addonPage]
	versions          *web.Page[versionsPage]
	version           *web.Page[versionPage]
	draft             *web.Page[draftPage]
	customer          *web.Page[customerPage]
	customerPage      *web.Page[customerPage]
	link              *web.Page[linkPage]
	registrations     *web.Page[registrationsPage]
	registrationsPage *web.Page[registrationsPage]
	staffError        *web.Page[staffErrorPage]
}

// loader collects what is wrong with templates, so that all is told at once.
type loader struct {
	public, staff *web.Renderer
	err           error
}

func load[T any](l *loader, r *web.Renderer, file string, samples ...T) *web.Page[T] {
	p, err := web.NewPage(r, "templates/"+file, samples...)
	l.err = errors.Join(l.err, err)
	return p
}

func newLoader() (*loader, error) {
	public, err := web.NewRenderer(web.RendererConfig{Files: templates, Shared: []string{"templates/layout.html", "templates/portal_frame.html", "templates/agreement_text.html"}})
	if err != nil {
		return nil, fmt.Errorf("prepare pages: %w", err)
	}
	staff, err := web.NewRenderer(web.RendererConfig{Files: templates, Shared: []string{"templates/staff_frame.html", "templates/customer_tab.html", "templates/access_list.html", "templates/registrations_table.html"}})
	if err != nil {
		return nil, fmt.Errorf("prepare staff pages: %w", err)
	}
	return &loader{public: public, staff: staff}, nil
}

// newPages parses every template and draws it once with a sample.
func newPages(texts *catalogue.Catalogue) (pages, error) {
	l, err := newLoader()
	if err != nil {
		return pages{}, err
	}
	f := (&Web{texts: texts}).frame(sdk.Call{}, sdk.Biller{Name: "Sample"})
	form, steps := newForm(nil), f.step(2)
	signedIn := portalPage{frame: f}
	p := pages{
		home:    load(l, l.public, "home.html", homePage{portalPage: signedIn}, homePage{portalPage: signedIn, Open: make([]openInvoice, 0)}),
		invoice: load(l, l.public, "invoice_show.html", invoicePage{portalPage: signedIn}),
		signin:  load(l, l.public, "signin.html", signInPage{frame: f, form: form}),
		forgot:  load(l, l.public, "forgot.html", forgotPage{frame: f, form: form}),
		reset:   load(l, l.public, "reset.html", resetPage{frame: f, form: form}),
		change:  load(l, l.public, "security_password.html", changePage{portalPage: signedIn, form: form}),
		security: load(l, l.public, "security.html", securityPage{
			portalPage: signedIn, Browsers: []browserRow{{Current: true}, {}}, Recent: make([]activityRow, 1), Accepted: make([]acceptanceRow, 1), Notice: "-",
		}),
		again:              load(l, l.public, "security_again.html", againPage{portalPage: signedIn, form: form}),
		address:            load(l, l.public, "security_email.html", addressPage{portalPage: signedIn, form: form}, addressPage{portalPage: signedIn, form: form, Pending: "-"}),
		message:            load(l, l.public, "message.html", messagePage{frame: f, Icon: "info"}),
		agreement:          load(l, l.public, "agreement.html", agreementPage{frame: f}),
		invitationOpen:     load(l, l.public, "invitation_open.html", invitationPage{frame: f, form: form, steps: steps}),
		invitationPassword: load(l, l.public, "invitation_password.html", invitationPage{frame: f, form: form, steps: steps}),
		signupProfile:      load(l, l.public, "signup_profile.html", profilePage{frame: f, form: form, steps: steps, Profiles: make([]portal.Profile, 2)}),
		signupConfirm:      load(l, l.public, "signup_confirm.html", confirmPage{frame: f, form: form, steps: steps}),
		signupLink:         load(l, l.public, "signup_link.html", confirmLinkPage{frame: f, form: form, steps: steps, AskPassword: true}),
		signupAgreement:    load(l, l.public, "signup_agreement.html", agreementPage{frame: f, form: form, steps: steps, Before: &earlier{}}, agreementPage{frame: f, form: form, Before: &earlier{Changes: "-"}, Accepted: make([]acceptanceRow, 1), Erase: "-"}),
		open:               load(l, l.public, "open.html", openPage{frame: f, form: form, steps: steps}),
		openCode:           load(l, l.public, "open_code.html", openPage{frame: f, form: form, steps: steps}),
		openChoose:         load(l, l.public, "open_choose.html", chooseOpenPage{profilePage: profilePage{frame: f, form: form, steps: steps, Profiles: make([]portal.Profile, 2)}}),

		versions:  load(l, l.staff, "agreement_versions.html", versionsPage{frame: f, Notice: &notice{Icon: "info"}, Versions: []versionRow{{Badge: badge{Icon: "info"}, Withdraw: "-"}}}),
		version:   load(l, l.staff, "agreement_version.html", versionPage{frame: f, Row: versionRow{Badge: badge{Icon: "info"}}, Before: "-", Changes: "-"}, versionPage{frame: f, Row: versionRow{Badge: badge{Icon: "info"}}}),
		draft:     load(l, l.staff, "agreement_draft.html", draftPage{frame: f, form: failedForm("text", "on"), Preview: "-", Changes: "-"}, draftPage{frame: f, form: form}),
		accessAsk: load(l, l.public, "access_ask.html", askPage{frame: f, form: form, steps: steps}),
		erase:     load(l, l.public, "security_erase.html", erasePage{portalPage: signedIn, form: form}, erasePage{portalPage: signedIn, form: form, Gated: true}),

		accessRequests:    load(l, l.staff, "access_requests.html", requestsPage{frame: f, Requests: make([]requestRow, 1)}, requestsPage{frame: f}),
		person:            load(l, l.staff, "person.html", personPage{frame: f, Rights: portal.Rights(), CanErase: true}, personPage{frame: f, Disabled: true, Notice: "-"}),
		personConfirm:     load(l, l.staff, "person_confirm.html", confirmPersonPage{frame: f}),
		addon:             load(l, l.staff, "addon.html", addonPage{frame: f, Figures: make([]figure, 1)}),
		customer:          load(l, l.staff, "customer.html", customerPage{frame: f, Badge: badge{Icon: "info"}}),
		customerPage:      load(l, l.staff, "customer_page.html", customerPage{frame: f, Badge: badge{Icon: "info"}}),
		link:              load(l, l.staff, "link_created.html", linkPage{frame: f}),
		registrations:     load(l, l.staff, "registrations.html", registrationsPage{frame: f, Problem: "x"}, registrationsPage{frame: f, Rows: []registrationRow{{Badge: badge{Icon: "info"}, Agreement: &badge{Icon: "info"}}}}),
		registrationsPage: load(l, l.staff, "registrations_page.html", registrationsPage{frame: f}),
		staffError:        load(l, l.staff, "staff_error.html", staffErrorPage{frame: f}),
	}
	return p, l.err
}
