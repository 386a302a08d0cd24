package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// customerPage is the tab **Customer Portal** of a customer.
type customerPage struct {
	frame
	View   portal.CustomerView
	Email  string
	Badge  badge
	Notice *notice
	Stuck  *notice

	CanInvite, CanLink bool
	// RevokeHref is empty without an open invitation.
	RevokeHref           string
	InviteHref, LinkHref string
	SentAt               time.Time
	TimesSent            int
	OpenUntil            string
	// RemindAt is when the next reminder is due; empty if none will be.
	RemindAt string
	History  []historyLine
	People   []personLine
	// Differing are the people about whom staff have to decide.
	Differing []differing
	Requests  []requestRow
	Invited   []invitedLine
}

// notice says what happened or what to do.
type notice struct {
	Tone, Icon, Text string
	Advice           []string
}

type historyLine struct{ Icon, Tone, Title, At, Detail string }

// personLine is a portal user; Differs is set where the address to sign in with
// is not the one in the profile.
type personLine struct {
	Email, Since, Differs string
	// Href manages the person; Disabled and Viewer are said where they are so.
	Href             string
	Disabled, Viewer bool
	// Accepted are the versions of the user agreement.
	Accepted []acceptanceRow
}

// differing is a person whose address to sign in with is not the profile's, with
// what staff can do; Replace is empty where nobody can be invited.
type differing struct{ Text, Keep, Replace, Remove string }

// customerTab is the slot in the platform's own page.
func (s *Web) customerTab(v *visit) error {
	p, err := v.customerPage(web.QueryValue(v.r, "customer"))
	if err != nil {
		return err
	}
	return s.pages.customer.Render(v.w, v.r, http.StatusOK, p)
}

// customerPage is the tab as a page of ours, for platforms without one.
func (s *Web) customerPage(v *visit) error {
	p, err := v.customerPage(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	p.frame = p.titled(p.View.Customer.Label())
	return s.pages.customerPage.Render(v.w, v.r, http.StatusOK, p)
}

func (v *visit) customerPage(id string) (customerPage, error) {
	view, err := v.web.service.Customer(v.r.Context(), v.caller, id)
	if err != nil {
		return customerPage{}, err
	}
	now := v.web.now()
	p := customerPage{
		frame: v.titled(v.T("addon.title")), View: view, Email: view.Customer.Email,
		Badge:      statusBadge(v.Text, view.Status),
		CanInvite:  portal.CheckInvitable(view.Customer, view.Status, view.HasAccess) == nil,
		InviteHref: "/customers/" + url.PathEscape(id) + "/invite",
		LinkHref:   "/customers/" + url.PathEscape(id) + "/link",
		Notice:     v.customerNotice(view),
		History:    v.history(view.History),
	}
	if p.Notice == nil {
		p.Stuck = v.stuck(view, now)
	}
	if inv := view.Invitation; inv != nil {
		p.SentAt, p.TimesSent = inv.QueuedAt, inv.Generation
		if p.CanLink = inv.Live(now) && p.CanInvite; inv.Live(now) {
			p.OpenUntil = v.DateTime(inv.ExpiresAt)
			if !view.RemindAt.IsZero() {
				p.RemindAt = v.Date(view.RemindAt)
			}
			p.RevokeHref = "/customers/" + url.PathEscape(id) + "/revoke"
		}
	}
	accepted, err := v.peoplesAcceptances(id)
	if err != nil {
		return customerPage{}, err
	}
	p.revokedJustNow(v)
	for _, person := range view.People {
		here := v.personPath(id, person.UserID)
		if person.Differs {
			p.Differing = append(p.Differing, v.differing(view, person, here))
			p.CanInvite, p.CanLink = false, false
		}
		line := personLine{Email: person.Email, Since: v.T("customer.people.since", "Date", v.Date(person.Since)), Accepted: accepted[person.UserID]}
		if person.Differs {
			line.Differs = v.T("customer.people.differs")
		}
		line.Href, line.Disabled, line.Viewer = here, person.State == portal.UserDisabled, person.Right == portal.RightViewer
		p.People = append(p.People, line)
	}
	p.Invited = v.invitedLines(id, view.Invited)
	requests, err := v.web.service.AccessRequests(v.r.Context(), v.caller, id)
	p.Requests = v.requestRows(requests)
	for i := range p.Requests {
		p.Requests[i].CustomerHref = "" // it is this page
	}
	return p, err
}

func (v *visit) differing(view portal.CustomerView, person portal.Person, here string) differing {
	d := differing{
		Text: v.T("customer.differs.text", "Email", person.Email, "Profile", view.Customer.Email),
		Keep: here + "/" + actKeep, Remove: here + "/" + actRemove,
	}
	switch {
	case view.Customer.Email == "":
		d.Text = v.T("customer.differs.text.none", "Email", person.Email)
	case portal.CheckInvitable(view.Customer, view.Status, view.HasAccess) == nil:
		d.Replace = here + "/" + actReplace
	}
	return d
}

func (v *visit) history(entries []portal.HistoryEntry) []historyLine {
	var out []historyLine
	for _, e := range entries {
		icon, tone := historyMark(e.Kind)
		detail := e.Detail
		if e.By != "" && detail != "" {
			detail = strings.TrimRight(detail, ". ") + ". "
		}
		if e.By != "" {
			detail += v.T("history.by", "Name", e.By)
		}
		out = append(out, historyLine{icon, tone, v.T("history." + string(e.Kind)), v.DateTime(e.At), detail})
	}
	return out
}

// stuck explains why somebody is not registered and what helps; nil if nothing does.
func (v *visit) stuck(view portal.CustomerView, now time.Time) *notice {
	if view.Customer.Archived {
		return nil
	}
	switch view.Status {
	case portal.StatusRegistered, portal.StatusNotInvited:
		return nil
	case portal.StatusQueued, portal.StatusSent, portal.StatusDelivered:
		if inv := view.Invitation; inv != nil && now.Sub(inv.QueuedAt) < patience {
			return nil
		}
	}
	b := statusBadge(v.Text, view.Status)
	n := &notice{Tone: b.Tone, Icon: b.Icon, Text: v.T("stuck." + slug(view.Status))}
	if n.Tone == "" {
		n.Tone = "info"
	}
	if view.Status == portal.StatusNoEmail && view.Customer.Email != "" {
		n.Text = v.T("error.customer.bademail")
	}
	if inv := view.Invitation; view.Status == portal.StatusRevoked && inv != nil {
		switch {
		case inv.State != portal.InvitationRevoked:
			n.Text = v.T("stuck.left")
		case inv.Email != "" && view.Customer.EmailNorm != "" && inv.EmailNorm != view.Customer.EmailNorm:
			n.Text = v.T("stuck.moved", "Old", inv.Email, "Email", view.Customer.Email)
		}
	}
	switch view.Status {
	case portal.StatusQueued, portal.StatusSent, portal.StatusDelivered, portal.StatusBounced, portal.StatusExpired, portal.StatusAwaitingConfirmation:
		n.Advice = []string{v.T("stuck.address", "Email", view.Customer.Email), v.T("stuck.spam", "Biller", v.Name())}
	}
	return n
}

// patience is how long a mail is merely on its way.
const patience = 10 * time.Minute

// customerNotice says how the last action went, after its redirect.
func (v *visit) customerNotice(view portal.CustomerView) *notice {
	q := v.r.URL.Query()
	if q.Get("notice") == "sent" && view.Invitation != nil && v.justNow(view.Invitation.QueuedAt) {
		key := "customer.notice.sent"
		if view.Invitation.Generation > 1 {
			key = "customer.notice.resent"
		}
		return &notice{Tone: "good", Icon: "check", Text: v.T(key, "Email", view.Customer.Email)}
	}
	if why := q.Get("refused"); why != "" {
		return v.refusedNotice(why)
	}
	switch apperr.Code(q.Get("error")) {
	case "":
		return v.peopleNotice(view, q.Get("notice"))
	case apperr.TooManyRequests:
		text := v.T("customer.error.wait")
		if inv := view.Invitation; inv != nil && !view.NextSendAt.IsZero() && v.web.now().Sub(inv.QueuedAt) < portal.SendGap {
			text = v.T("customer.error.justsent", "Email", inv.Email, "At", v.DateTime(view.NextSendAt))
		} else if !view.NextSendAt.IsZero() {
			text = v.T("customer.error.until", "At", v.DateTime(view.NextSendAt))
		}
		return &notice{Tone: "warn", Icon: "clock", Text: text}
	case apperr.NotFound:
		return &notice{Tone: "warn", Icon: "info", Text: v.T("customer.error.nolink")}
	case apperr.Invalid, apperr.Conflict:
		if err := portal.CheckInvitable(view.Customer, view.Status, view.HasAccess); err != nil {
			return &notice{Tone: "bad", Icon: "warning", Text: apperr.MessageOf(v.told(err))}
		}
	}
	return &notice{Tone: "bad", Icon: "warning", Text: v.T("customer.error.other")}
}

// peopleNotice says what staff did about a person, if the history has just kept it.
func (v *visit) peopleNotice(view portal.CustomerView, kind string) *notice {
	switch portal.HistoryKind(kind) {
	case portal.HistoryApproved, portal.HistoryRefused, portal.HistoryRemoved, portal.HistoryKept, portal.HistoryErased, portal.HistoryRevoked:
	default:
		return nil
	}
	for _, e := range view.History {
		if string(e.Kind) == kind && v.justNow(e.At) {
			return &notice{Tone: "good", Icon: "check", Text: v.T("customer.notice." + kind)}
		}
	}
	return nil
}

// refusedNotice says why something about a person was not done.
func (v *visit) refusedNotice(why string) *notice {
	switch why {
	case "decided", "has", "archived", "dead", "differs", "gone", "resets", "wait":
		return &notice{Tone: "warn", Icon: "info", Text: v.T("customer.refused." + why)}
	}
	return &notice{Tone: "bad", Icon: "warning", Text: v.T("customer.error.other")}
}
