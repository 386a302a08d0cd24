package web

import (
	"errors"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// isLinkError reports whether the link, not the form, is what is wrong.
func isLinkError(err error) bool {
	return errors.Is(err, portal.ErrLinkExpired) || errors.Is(err, portal.ErrLinkDead) ||
		errors.Is(err, portal.ErrRegistered) || errors.Is(err, portal.ErrNotAccepted) || errors.Is(err, portal.ErrHasAccount) || errors.Is(err, portal.ErrSignUpEnded)
}

func codeOf(err error) apperr.Code { return apperr.CodeOf(err) }

// deadLink is the page of a link that no form follows.
func (v *visit) deadLink(link portal.LinkView) messagePage {
	if v.r.URL.Query().Get("asked") != "" && (link.Outcome == portal.LinkExpired || link.Outcome == portal.LinkReplaced) {
		return messagePage{Icon: "mail", Heading: v.T("message.newlink.title"), Lead: v.Rich("message.newlink.lead"), MaskedEmail: link.MaskedEmail}
	}
	here := v.Path("/welcome/" + url.PathEscape(v.r.PathValue("token")))
	again := &action{Label: v.T("expired.again"), Href: here + "/new-link"}
	note := v.Rich("expired.note", "Link", v.Link(v.Path("/sign-in"), v.T("signin.link")))
	switch link.Outcome {
	case portal.LinkExpired:
		return messagePage{
			Icon: "hourglass", Heading: v.T("expired.title"), Lead: v.Rich("expired.lead", "Date", v.TimeDate(link.ExpiresAt)),
			MaskedEmail: link.MaskedEmail, Does: again, Note: note,
		}
	case portal.LinkReplaced:
		return messagePage{
			Icon: "hourglass", Heading: v.T("message.gone.title"), Lead: v.Rich("message.stale.lead"),
			MaskedEmail: link.MaskedEmail, Does: again, Note: note,
		}
	case portal.LinkRegistered:
		return v.registeredPage()
	case portal.LinkNotAccepted:
		return v.notAcceptedPage()
	case portal.LinkExistingAccount:
		return v.existingPage("message.existing.lead", link.MaskedEmail, link.CustomerName)
	case portal.LinkSignedInAsOther:
		return messagePage{
			Icon: "people", Heading: v.T("message.other.title"),
			Lead:  v.Rich("message.other.lead", "Email", v.Bold(link.SignedInAs), "Invited", v.Bold(link.MaskedEmail)),
			Does:  &action{Label: v.T("message.other.button"), Href: here + "/switch"},
			Links: []action{{Label: v.T("access.ask", "Biller", v.Name()), Href: here + "/access", Quiet: true}},
		}
	}
	return v.revokedPage()
}

func (v *visit) revokedPage() messagePage {
	return messagePage{Icon: "bar", Heading: v.T("message.gone.title"), Lead: v.Rich("message.revoked.lead", "Biller", v.Name())}
}

// existingPage asks to sign in, after which the customer is offered; lead is the
// text's key.
func (v *visit) existingPage(lead, maskedEmail, customer string) messagePage {
	return messagePage{
		Icon: "person", Heading: v.T("message.existing.title"),
		Lead:  v.Rich(lead, "Email", maskedEmail, "Biller", v.Name(), "Customer", customer),
		Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in")}},
	}
}

// notAcceptedPage is for those who have only the agreement left.
func (v *visit) notAcceptedPage() messagePage {
	return messagePage{
		Icon: "pen", Heading: v.T("message.agreement.title"), Lead: v.Rich("message.agreement.lead"),
		Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in")}},
	}
}

func (v *visit) registeredPage() messagePage {
	return messagePage{
		Icon: "check", Heading: v.T("message.registered.title"), Lead: v.Rich("message.registered.lead"),
		Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in")}},
	}
}
