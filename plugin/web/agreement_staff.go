package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/document"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// maxAgreementForm is the largest body of the form: characters that a form writes as
// three bytes or six, and the text a little longer than it may be, so that the form
// can say so.
const maxAgreementForm = 8 * portal.MaxAgreement

// versionsPage lists the versions of the agreement for staff.
type versionsPage struct {
	frame
	Notice   *notice
	Versions []versionRow
}

// versionRow is a version for staff.
type versionRow struct {
	Version, Href, Published string
	Effective                template.HTML
	Accepted                 string
	Badge                    badge
	// Withdraw is where the version can be withdrawn, "" for those that cannot.
	Withdraw string
}

// versionPage shows one version to staff.
type versionPage struct {
	frame
	Row versionRow
	// Before is the version before, "" for the first; Changes what is new since.
	Before        string
	Text, Changes template.HTML
}

// draftPage is **New version**.
type draftPage struct {
	frame
	form
	// Next is the number it will have, Base that of the newest one.
	Next, Base string
	Body, On   string
	Today      string
	// Preview is set after **Preview**, and Changes what is new since Before.
	Preview, Changes template.HTML
	Before           string
}

func (s *Web) agreementStaffRoutes() []staffRoute {
	return []staffRoute{
		{"GET /agreement", portal.AbilityConfigure, s.versions},
		{"GET /agreement/new", portal.AbilityConfigure, s.draftForm},
		{"POST /agreement/new", portal.AbilityConfigure, s.publish},
		{"GET /agreement/versions/{version}", portal.AbilityConfigure, s.version},
		{"POST /agreement/versions/{version}/withdraw", portal.AbilityConfigure, s.withdraw},
		{"GET /customers/{id}/people/{user}/agreements/{version}/{file}", portal.AbilityInvite, s.customersProof},
	}
}

func (s *Web) versions(v *visit) error { return v.versionsPage(http.StatusOK, v.versionsNotice()) }

func (v *visit) versionsPage(status int, n *notice) error {
	versions, err := v.web.service.AgreementVersions(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	p := versionsPage{frame: v.titled(v.T("versions.title")), Notice: n}
	for _, version := range versions {
		p.Versions = append(p.Versions, v.versionRow(version))
	}
	return v.web.pages.versions.Render(v.w, v.r, status, p)
}

// versionsNotice says how the last action went, after its redirect.
func (v *visit) versionsNotice() *notice {
	q := v.r.URL.Query()
	key := map[string]string{"published": "versions.published", "withdrawn": "versions.withdrawn"}[q.Get("notice")]
	if version := web.QueryValue(v.r, "version"); key != "" && len(version) <= 7 {
		return &notice{Tone: "good", Icon: "check", Text: v.T(key, "Version", version)}
	}
	return nil
}

func (v *visit) versionRow(a portal.AgreementVersion) versionRow {
	path := "/agreement/versions/" + url.PathEscape(a.Version)
	row := versionRow{
		Version: v.T("versions.number", "Version", a.Version), Href: v.Path(path), Effective: v.TimeDate(a.EffectiveOn),
		Accepted: v.N("versions.accepted", a.Accepted), Badge: v.versionBadge(a.State), Published: v.T("versions.default"),
	}
	if !a.PublishedAt.IsZero() {
		row.Published = v.T("versions.by", "Name", a.PublishedBy.Name, "Date", v.DateTime(a.PublishedAt))
	}
	if a.State == portal.AgreementScheduled {
		row.Withdraw = v.Path(path + "/withdraw")
	}
	return row
}

func (v *visit) versionBadge(s portal.AgreementState) badge {
	switch s {
	case portal.AgreementInForce:
		return badge{Tone: "good", Icon: "check", Word: v.T("versions.in_force")}
	case portal.AgreementScheduled:
		return badge{Tone: "info", Icon: "clock", Word: v.T("versions.scheduled")}
	case portal.AgreementWithdrawn:
		return badge{Icon: "info", Word: v.T("versions.withdrawn.state")}
	}
	return badge{Icon: "clock", Word: v.T("versions.past")}
}

// version shows one, with what is new in it.
func (s *Web) version(v *visit) error {
	versions, err := s.service.AgreementVersions(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(versions, func(a portal.AgreementVersion) bool { return a.Version == v.r.PathValue("version") })
	if i < 0 {
		return portal.ErrNoAgreement
	}
	p := versionPage{frame: v.titled(v.T("versions.number", "Version", versions[i].Version)), Row: v.versionRow(versions[i])}
	blocks := s.documents.Parse(versions[i].Markdown())
	p.Text = s.documents.HTML(blocks, v.look(3, true))
	if before := standing(versions[i+1:]); before != nil {
		p.Before = before.Version
		p.Changes = v.changes(before.Agreement, blocks, true)
	}
	return s.pages.version.Render(v.w, v.r, http.StatusOK, p)
}

// standing is the newest version that was not withdrawn, nil if there is none.
func standing(versions []portal.AgreementVersion) *portal.AgreementVersion {
	for i := range versions {
		if versions[i].WithdrawnAt.IsZero() {
			return &versions[i]
		}
	}
	return nil
}

// changes marks what is new since an earlier version; empty if no word is.
func (v *visit) changes(before portal.Agreement, after []document.Block, spelled bool) template.HTML {
	changed := document.Changes(v.web.documents.Parse(before.Markdown()), after)
	return v.web.documents.HTML(changed, v.look(3, spelled))
}

// look is how a text stands on a page whose part it is.
func (v *visit) look(top int, spelled bool) document.Look {
	return document.Look{
		Top: top, Spelled: spelled,
		Added: v.T("agreement.mark.added"), Removed: v.T("agreement.mark.removed"), End: v.T("agreement.mark.end"),
	}
}

func (s *Web) draftForm(v *visit) error { return v.draftPage(http.StatusOK, nil) }

// draftPage draws the form: as typed, or with the newest text to begin with.
func (v *visit) draftPage(status int, f *web.Form) error {
	versions, err := v.web.service.AgreementVersions(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	newest := standing(versions)
	if newest == nil {
		return portal.ErrNoAgreement
	}
	p := draftPage{frame: v.titled(v.T("draft.title")), Base: versions[0].Version, Today: v.Today(v.web.now()).Format(time.DateOnly), Before: newest.Version}
	if f == nil {
		f = web.NewForm(map[string]string{"text": newest.Markdown()})
	}
	p.form, p.Body, p.On = newForm(f, "text", "on"), f.Value("text"), f.Text("on")
	if base := f.Text("base"); base != "" && f.Message == "" {
		p.Base = base // what was looked at: publishing says if there is more by now
	}
	if base, err := strconv.Atoi(p.Base); err == nil {
		p.Next = strconv.Itoa(base + 1)
	}
	if f.Value("do") == "preview" && !f.Failed() {
		blocks := v.web.documents.Parse(f.Value("text"))
		p.Preview = v.web.documents.HTML(blocks, v.look(3, true))
		p.Changes = v.changes(newest.Agreement, blocks, true)
	}
	return v.web.pages.draft.Render(v.w, v.r, status, p)
}

// publish is **Preview** and **Publish** of **New version**.
func (s *Web) publish(v *visit) error {
	f, err := web.ParseLargeForm(v.w, v.r, maxAgreementForm)
	if err != nil {
		return err
	}
	draft := portal.AgreementDraft{Text: f.Value("text"), On: f.Text("on"), Zone: catalogue.Zone(v.Biller), Base: f.Text("base")}
	if f.Value("do") != "publish" {
		err := s.service.CheckAgreement(draft)
		if draft.On == "" && errors.Is(err, portal.ErrAgreementDay) {
			err = nil // a look at the text needs no day
		}
		if err != nil && v.fail(f, err, afterTries()) {
			return v.draftPage(web.StatusOf(codeOf(err)), f)
		}
		return v.draftPage(http.StatusOK, f)
	}
	a, err := s.service.Publish(v.r.Context(), v.caller, draft)
	switch {
	case err != nil && v.fail(f, err, afterTries()):
		return v.draftPage(web.StatusOf(codeOf(err)), f)
	case err != nil:
		return err
	}
	return v.redirect("/agreement?notice=published&version=" + a.Version)
}

// withdraw is **Withdraw** of a version that is not in force yet.
func (s *Web) withdraw(v *visit) error {
	version := v.r.PathValue("version")
	err := s.service.Withdraw(v.r.Context(), v.caller, version)
	switch {
	case errors.Is(err, portal.ErrAgreementInForce), errors.Is(err, portal.ErrAgreementGone):
		return v.versionsPage(http.StatusConflict, &notice{Tone: "bad", Icon: "warning", Text: v.told(err).Error()})
	case err != nil:
		return err
	}
	return v.redirect("/agreement?notice=withdrawn&version=" + url.QueryEscape(version))
}

// agreementSentences are the errors of agreements in the words of the catalogue.
func agreementSentences() []sentence {
	return []sentence{
		{portal.ErrAgreementEmpty, "text", "draft.error.empty"},
		{portal.ErrAgreementLong, "text", "draft.error.long"},
		{portal.ErrAgreementNoText, "text", "draft.error.notext"},
		{portal.ErrAgreementSigns, "text", "draft.error.signs"},
		{portal.ErrAgreementSame, "text", "draft.error.same"},
		{portal.ErrAgreementDay, "on", "draft.error.day"},
		{portal.ErrAgreementPast, "on", "draft.error.past"},
		{portal.ErrAgreementFar, "on", "draft.error.far"},
		{portal.ErrAgreementOrder, "on", "draft.error.order"},
		{portal.ErrAgreementRaced, "", "draft.error.raced"},
		{portal.ErrAgreementInForce, "", "versions.error.in_force"},
		{portal.ErrAgreementGone, "", "versions.error.gone"},
		{portal.ErrNoAgreement, "", "versions.error.none"},
		{portal.ErrNoAcceptance, "", "message.notfound.title"},
	}
}
