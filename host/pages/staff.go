package pages

import (
	"bytes"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Staff serves {StaffPath}/addons/{id}/…, the pages of add-ons for a biller's
// staff. HTML answers are filtered and drawn inside the platform's frame.
func (h *Handler) Staff() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = h.withID(r)
		if !h.onHost(r, h.BaseURL) {
			h.failures.notFound(w, r)
			return
		}
		staff, err := h.Platform.StaffFrom(r)
		switch {
		case apperr.Is(err, apperr.Unauthenticated):
			h.signIn(w, r)
		case err != nil:
			h.Log.ErrorContext(r.Context(), "cannot tell who is signed in", "error", err.Error())
			h.failures.down(w, r, target{}, err)
		case !allowedMethod(r.Method):
			w.Header().Set("Allow", allowed)
			h.framed(w, r, "", http.StatusMethodNotAllowed, message{Icon: "compass", Heading: "This page cannot do that", Lead: "Please go back and use the buttons on the page."})
		case h.crossing.Check(r) != nil:
			h.refuse(w, r, staff, "", refusal.Origin, message{Icon: "lock", Heading: "Nothing was changed", Lead: crossOriginLead, Retry: retryPath(r)})
		default:
			h.staffPage(w, r, staff)
		}
	})
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	next := h.StaffPath + "/"
	if r.Method == http.MethodGet {
		next = retryPath(r)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.SignInPath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
}

// AddonPath returns where the staff pages of an add-on begin, without a slash.
func (h *Handler) AddonPath(id string) string { return h.StaffPath + "/addons/" + id }

func (h *Handler) staffPage(w http.ResponseWriter, r *http.Request, staff addon.Staff) {
	full := r.URL.EscapedPath()
	id, _, _ := strings.Cut(strings.TrimPrefix(full, h.AddonPath("")), "/")
	t, err := h.staffTarget(r, staff, id, wire.Staff)
	if err == nil && full == t.basePath {
		h.addSlash(w, r)
		return
	}
	path := strings.TrimPrefix(full, t.basePath)
	page, ok := manifest.StaffPage{}, false
	if err == nil && web.IsSafePath(full, t.basePath) {
		// By the path that the add-on reads: "/%73ettings" is its page "/settings".
		page, ok = t.addon.Manifest.StaffPageFor(strings.TrimPrefix(r.URL.Path, t.basePath))
	}
	switch {
	case err != nil && !apperr.Is(err, apperr.NotFound):
		h.staffFailed(w, r, t, err)
	case !ok:
		h.framed(w, r, "", http.StatusNotFound, message{Icon: "compass", Heading: "This page is not here", Lead: "The add-on may not be installed, or the address has a typing mistake."})
	case !staff.Can(page.Ability):
		h.refuse(w, r, staff, id, refusal.Role, message{Icon: "lock", Heading: "You may not open this page", Lead: "Your role does not allow it. Ask an owner."})
	default:
		h.serveStaff(w, r, t, path, page.Title)
	}
}

// staffTarget finds the add-on for a staff user. NotFound if it does not run or
// the biller has not switched it on.
func (h *Handler) staffTarget(r *http.Request, staff addon.Staff, id string, surface wire.Surface) (target, error) {
	a, ok := h.byID(id)
	if !ok {
		return target{}, apperr.Errorf(apperr.NotFound, "There is no such add-on.")
	}
	t := target{surface: surface, addon: a, basePath: h.AddonPath(id), viewer: staff.Viewer(a.Manifest.HasAbility)}
	var err error
	if t.installation, err = h.Installations.Installation(r.Context(), staff.BillerID, id); err != nil {
		return t, err
	}
	if t.installation.State != addon.Enabled {
		return t, apperr.Errorf(apperr.NotFound, "This add-on is not installed.")
	}
	t.biller, err = h.Platform.Biller(r.Context(), staff.BillerID)
	return t, err
}

// staffAnswer is what came back of a staff page.
type staffAnswer struct {
	status int
	html   *capped // nil unless the answer is HTML
}

func (h *Handler) serveStaff(w http.ResponseWriter, r *http.Request, t target, path, title string) {
	out, err := h.forward(w, r, wire.Staff, path, "")
	if err != nil {
		h.staffFailed(w, r, t, err)
		return
	}
	var answer staffAnswer
	begun, err := h.pass(r, t, out, func(status int, from http.Header) (io.Writer, error) {
		return h.beginStaff(w, r, t, &answer, status, from)
	})
	switch {
	case isUnsent(err) && !begun:
		h.staffFailed(w, outlasting(r), t, err)
	case err != nil && r.Context().Err() != nil:
		h.Log.DebugContext(r.Context(), "browser went away")
	case err != nil && begun && answer.html == nil:
		h.logFailure(r, t, err)
		panic(http.ErrAbortHandler)
	case err != nil:
		h.staffFailed(w, r, t, err)
	case answer.html != nil:
		h.drawStaff(w, outlasting(r), t, answer, title) // it may have come before the end of a body that is late
	}
}

// beginStaff judges the head of an answer: HTML is kept for the frame, a redirect
// may lead anywhere in the staff area, 401 has the person prove again who they are,
// unless they just did, and the rest is a download.
func (h *Handler) beginStaff(w http.ResponseWriter, r *http.Request, t target, answer *staffAnswer, status int, from http.Header) (io.Writer, error) {
	if status == http.StatusUnauthorized && !t.viewer.Fresh(h.Now()) {
		h.askAgain(w, r, t)
		return io.Discard, nil
	}
	answer.status = status
	h.listRefused(r, t, whyOf(status))
	to := w.Header()
	if location := from.Get("Location"); location != "" {
		page, err := pageURL(h.BaseURL, r.URL.EscapedPath(), r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		safe, err := destination(location, page, h.StaffPath, nil)
		if err != nil {
			return nil, err
		}
		to.Set("Location", safe)
		to.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		return io.Discard, nil
	}
	if isHTML(from.Get("Content-Type")) {
		if from.Get("Content-Encoding") != "" {
			return nil, apperr.Errorf(apperr.Internal, "add-on compressed a staff page")
		}
		answer.html = new(capped)
		return answer.html, nil
	}
	copyAnswer(to, from)
	secure(to, inert)
	if hasBody(status) {
		to.Set("Content-Disposition", attachment(from.Get("Content-Disposition")))
	}
	if !isPrivate(to) {
		keepNowhere(to)
	}
	w.WriteHeader(status)
	return w, nil
}

// attachment returns the disposition as a download with the add-on's file name.
func attachment(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil || params["filename"] == "" {
		return "attachment"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": params["filename"]})
}

func (h *Handler) drawStaff(w http.ResponseWriter, r *http.Request, t target, answer staffAnswer, title string) {
	page, err := pageURL(h.BaseURL, r.URL.EscapedPath(), r.URL.RawQuery)
	if err != nil {
		h.staffFailed(w, r, t, err)
		return
	}
	own, fragment, err := h.frameOf(t, page).filter(answer.html.Bytes())
	if err != nil {
		h.staffFailed(w, r, t, err)
		return
	}
	if own != "" {
		title = own
	}
	out := addon.Page{Title: title, Status: answer.status, Active: "addon:" + t.addon.Manifest.ID, Body: template.HTML(fragment)}
	if answer.status == http.StatusForbidden {
		out.Refused = refusal.Role
	}
	h.Platform.Frame(w, r, out)
}

// frameOf returns the rules for a fragment drawn on a page.
func (h *Handler) frameOf(t target, page *url.URL) frame {
	f := frame{
		addonID: t.addon.Manifest.ID, page: page, staffPath: h.StaffPath,
		addonPath: h.AddonPath(t.addon.Manifest.ID), staticBase: staticBase(t.addon),
	}
	if portal := h.portalURL(t.addon, t.biller); portal != "" {
		// A portal address that does not parse gets no links.
		f.portal, _ = url.Parse(portal)
	}
	return f
}

func (h *Handler) staffFailed(w http.ResponseWriter, r *http.Request, t target, err error) {
	h.logFailure(r, t, err)
	status := statusOf(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(retryAfter(err).Seconds()))))
	}
	m := h.failureOf(r, t, err)
	m.Retry = retryPath(r)
	switch {
	case isTooLarge(err):
		m = message{Icon: "warning", Heading: "This is too large to send", Lead: "Please go back, shorten it and try again."}
	case isUnsent(err):
		m = message{Icon: "warning", Heading: unsentHeading, Lead: unsentLead}
	}
	id := ""
	if t.addon.Manifest != nil {
		id = t.addon.Manifest.ID
	}
	h.framed(w, r, id, status, m)
}

func (h *Handler) failureOf(r *http.Request, t target, _ error) message {
	name := "The add-on"
	if t.addon.Manifest != nil {
		name = t.addon.Manifest.Name
	}
	return message{
		Icon: "warning", Heading: name + " does not answer",
		Lead:      "It may be starting again. Nothing else is affected. Please try again in a moment.",
		RequestID: web.RequestID(r.Context()),
	}
}

// framed draws a message of our own inside the platform's frame.
func (h *Handler) framed(w http.ResponseWriter, r *http.Request, addonID string, status int, m message) {
	h.notice(w, r, m, addon.Page{Status: status, Active: navigation(addonID)})
}

// navigation is where an add-on stands in the navigation.
func navigation(addonID string) string {
	if addonID == "" {
		return ""
	}
	return "addon:" + addonID
}

func (h *Handler) notice(w http.ResponseWriter, r *http.Request, m message, p addon.Page) {
	inNotice := m
	inNotice.Heading = "" // it is the page's own
	notice, err := h.failures.notice.HTML(r, inNotice)
	if err != nil {
		// The template was drawn at start; what is left is a plain sentence.
		http.Error(w, apperr.GenericMessage, p.Status)
		return
	}
	var b bytes.Buffer
	b.WriteString("<h1>" + template.HTMLEscapeString(m.Heading) + "</h1>")
	b.WriteString(string(notice))
	p.Title, p.Body = m.Heading, template.HTML(b.String())
	h.Platform.Frame(w, r, p)
}
