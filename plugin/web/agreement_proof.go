package web

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/document"
	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Files of a proof.
const (
	proofPDF  = "proof.pdf"
	proofJSON = "proof.json"
)

// acceptanceRow is a version that somebody accepted, with the files that prove it.
type acceptanceRow struct {
	What, When, PDF, JSON string
	// Of tells screen readers which acceptance a file is about.
	Of string
}

// acceptanceRow describes an acceptance; its files are below path.
func (v *visit) acceptanceRow(a portal.Acceptance, path string) acceptanceRow {
	path += "/" + url.PathEscape(a.Version) + "/"
	what := v.T("agreement.accepted", "Version", a.Version)
	return acceptanceRow{What: what, When: v.DateTime(a.At), PDF: v.Path(path + proofPDF), JSON: v.Path(path + proofJSON), Of: what}
}

// myAcceptances are those on the security page.
func (v *visit) myAcceptances() ([]acceptanceRow, error) {
	list, err := v.web.service.Acceptances(v.r.Context(), v.caller, v.session)
	var rows []acceptanceRow
	for _, a := range list {
		row := v.acceptanceRow(a, "/security/agreements")
		row.When = v.Moment(a.At)
		rows = append(rows, row)
	}
	return rows, err
}

// peoplesAcceptances are those on a customer's tab, by user.
func (v *visit) peoplesAcceptances(customerID string) (map[string][]acceptanceRow, error) {
	list, err := v.web.service.CustomerAcceptances(v.r.Context(), v.caller, customerID)
	rows := map[string][]acceptanceRow{}
	for _, a := range list {
		path := "/customers/" + url.PathEscape(customerID) + "/people/" + url.PathEscape(a.UserID) + "/agreements"
		rows[a.UserID] = append(rows[a.UserID], v.acceptanceRow(a, path))
	}
	return rows, err
}

// myProof is a file about an own acceptance.
func (s *Web) myProof(v *visit) error {
	proof, err := s.service.MyProof(v.r.Context(), v.caller, v.session, v.r.PathValue("version"))
	if err != nil {
		return err
	}
	return v.proof(proof)
}

// customersProof is a file about the acceptance of one of a customer's people.
func (s *Web) customersProof(v *visit) error {
	proof, err := s.service.CustomerProof(v.r.Context(), v.caller, v.r.PathValue("id"), v.r.PathValue("user"), v.r.PathValue("version"))
	if err != nil {
		return err
	}
	return v.proof(proof)
}

func (v *visit) proof(p portal.AgreementProof) error {
	var file bytes.Buffer
	kind := ""
	var err error
	switch v.r.PathValue("file") {
	case proofPDF:
		kind, err = "application/pdf", document.WritePDF(&file, v.paper(p))
	case proofJSON:
		kind, err = "application/json", document.WriteJSON(&file, p, v.caller.BillerID, v.Name(), v.web.now())
	default:
		return v.web.nowhere(v)
	}
	if err != nil {
		return err
	}
	_, ending, _ := strings.Cut(v.r.PathValue("file"), ".")
	name := fmt.Sprintf("agreement-%s-%s.%s", p.Version, p.Person(), ending)
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(file.Len()))
	v.w.WriteHeader(http.StatusOK)
	// A write fails only when the browser has gone, and then nobody is told.
	_, _ = v.w.Write(file.Bytes())
	return nil
}

// paper is the proof for people.
func (v *visit) paper(p portal.AgreementProof) document.Paper {
	intact := v.T("proof.intact")
	if !p.Intact() {
		intact = v.T("proof.broken")
	}
	facts := []document.Fact{
		{Name: v.T("proof.biller"), Value: v.Name()},
		{Name: v.T("proof.person"), Value: p.Person()},
		{Name: v.T("proof.id"), Value: p.UserID},
		{Name: v.T("proof.version"), Value: p.Version},
		{Name: v.T("proof.effective"), Value: v.DateTime(p.Agreement.EffectiveOn)},
		{Name: v.T("proof.at"), Value: v.DateTime(p.At)},
		{Name: v.T("proof.utc"), Value: p.At.UTC().Format("2006-01-02 15:04:05.000000 UTC")},
		{Name: v.T("proof.ip"), Value: p.IP},
		{Name: v.T("proof.browser"), Value: p.Agent},
		{Name: v.T("proof.hash"), Value: p.TextHash},
		{Name: v.T("proof.check"), Value: intact},
	}
	if p.Present != p.Person() {
		facts = append(facts, document.Fact{Name: v.T("proof.present"), Value: p.Present})
	}
	locale := v.Biller.Locale
	return document.Paper{
		Title: v.T("proof.title"), Lead: v.T("proof.lead", "Person", p.Person(), "Version", p.Version, "Biller", v.Name()),
		Facts: facts, Heading: v.T("proof.text", "Version", p.Version), Blocks: v.web.documents.Parse(p.Agreement.Markdown()),
		Foot: v.T("proof.foot", "Biller", v.Name(), "Date", v.DateTime(v.web.now())), Missing: v.T("proof.missing"),
		Author: v.Name(), Lang: v.Lang(), Letter: strings.HasSuffix(locale, "-US") || strings.HasSuffix(locale, "-CA"), At: v.web.now(),
	}
}
