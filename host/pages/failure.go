package pages

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

//go:embed templates
var templates embed.FS

var errClosed = errors.New("add-on is suspended for this biller")

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// message is a page with one message for the public.
type message struct {
	CSS   string
	Nonce string
	// Style sets the biller's colours; empty for the platform's.
	Style   template.CSS
	Biller  sdk.Biller
	Icon    string
	Heading string
	Lead    string
	// More is a second paragraph; empty leaves it out.
	More string
	// Retry is where Try again leads; empty leaves the button out.
	Retry     string
	RequestID string
}

// Initial stands in the biller's mark, as on the portal's own pages.
func (m message) Initial() string {
	for _, r := range strings.TrimSpace(m.Biller.Name) {
		return string(unicode.ToUpper(r))
	}
	return ""
}

// failures draws the pages people see when an add-on cannot answer.
type failures struct {
	page   *web.Page[message]
	notice *web.Page[message]
}

func newFailures() (*failures, error) {
	public, err := web.NewRenderer(web.RendererConfig{Files: templates, Funcs: template.FuncMap{"dial": dial}})
	if err != nil {
		return nil, err
	}
	full := message{
		Icon: "clock", More: "x", Retry: "/x", RequestID: "R-0000-0000", Nonce: "x", Style: "--x: y",
		Biller: sdk.Biller{Name: "X", Phone: "1", Email: "x@x.example"},
	}
	f := &failures{}
	if f.page, err = web.NewPage(public, "templates/message.html", full, message{Icon: "clock"}); err != nil {
		return nil, err
	}
	if f.notice, err = web.NewPage(public, "templates/notice.html", full, message{Icon: "clock"}); err != nil {
		return nil, err
	}
	return f, nil
}

// dial returns what a phone can dial of a number as people write it.
func dial(phone string) template.URL {
	return template.URL("tel:" + strings.Map(func(r rune) rune {
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone))
}

// notFound is one page, byte for byte, for everything that is not there.
func (f *failures) notFound(w http.ResponseWriter, r *http.Request) {
	f.write(w, r, http.StatusNotFound, message{
		Icon: "compass", Heading: "This page is not here",
		Lead: "The address may have a typing mistake, or the page has moved. If you followed a link from a mail, open the newest one and try again.",
		More: "The address of your portal is in the mails of the business that bills you. If you cannot find one, please ask them.",
	})
}

func (f *failures) closed(w http.ResponseWriter, r *http.Request, t target) {
	f.write(w, r, http.StatusServiceUnavailable, branded(t, message{
		Icon: "lock", Heading: "The portal is not available",
		Lead: "Please contact " + t.biller.Name + ".",
	}))
}

func (f *failures) method(w http.ResponseWriter, r *http.Request, t target) {
	w.Header().Set("Allow", allowed)
	f.write(w, r, http.StatusMethodNotAllowed, branded(t, message{
		Icon: "compass", Heading: "This page cannot do that", Lead: "Please go back and use the buttons on the page.",
	}))
}

func (f *failures) crossOrigin(w http.ResponseWriter, r *http.Request, t target) {
	f.write(w, r, http.StatusForbidden, branded(t, message{
		Icon: "lock", Heading: "Nothing was changed", Lead: crossOriginLead, Retry: retryPath(r),
	}))
}

const crossOriginLead = "The form was sent from another website, so we did not accept it. Open the page here and try again."

// down is the page for an add-on, or a platform, that does not answer.
func (f *failures) down(w http.ResponseWriter, r *http.Request, t target, err error) {
	status := statusOf(err)
	if t.addon.Manifest == nil {
		status = http.StatusServiceUnavailable
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(retryAfter(err).Seconds()))))
	}
	lead := "This is on our side, not yours. Please try again in a few minutes."
	if t.addon.Manifest != nil && (apperr.Is(err, apperr.Unavailable) || wire.Gone(err)) {
		lead = "This is on our side, not yours. We are starting it again. Please try again in a minute."
	}
	f.write(w, r, status, branded(t, message{
		Icon: "clock", Heading: "The portal is not available",
		Lead: lead, Retry: retryPath(r), RequestID: web.RequestID(r.Context()),
	}))
}

func (f *failures) tooLarge(w http.ResponseWriter, r *http.Request, t target) {
	f.write(w, r, http.StatusRequestEntityTooLarge, branded(t, message{
		Icon: "warning", Heading: "This is too large to send", Lead: "Please go back, shorten it and try again.",
	}))
}

const (
	unsentHeading = "This did not arrive"
	unsentLead    = "Only a part of what you sent has reached us, so nothing was changed. Please go back and send it again."
)

// unsent is the page for a request whose body did not arrive whole.
func (f *failures) unsent(w http.ResponseWriter, r *http.Request, t target) {
	f.write(w, r, http.StatusBadRequest, branded(t, message{Icon: "warning", Heading: unsentHeading, Lead: unsentLead}))
}

func (f *failures) write(w http.ResponseWriter, r *http.Request, status int, m message) {
	m.CSS = lookPath() + "portal.css"
	nonce := "none"
	if m.Nonce != "" {
		nonce = m.Nonce
	}
	h := w.Header()
	secure(h, publicPolicy(nonce, nil))
	h.Set("Cache-Control", "no-store")
	if err := f.page.Render(w, r, status, m); err != nil {
		// The template was drawn at start; what is left is a plain sentence.
		http.Error(w, apperr.GenericMessage, status)
	}
}

// branded adds the biller's colours and contact.
func branded(t target, m message) message {
	m.Biller, m.Nonce = t.biller, t.nonce
	if hexColour.MatchString(t.biller.Brand) && hexColour.MatchString(t.biller.OnBrand) {
		m.Style = template.CSS("--brand: " + t.biller.Brand + "; --on-brand: " + t.biller.OnBrand)
	}
	return m
}

// retryPath returns the page itself, on the same host.
func retryPath(r *http.Request) string {
	p := r.URL.EscapedPath()
	if r.Method == http.MethodGet && r.URL.RawQuery != "" {
		p += "?" + r.URL.RawQuery
	}
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return ""
	}
	return p
}

// statusOf returns the status of the page for an add-on that did not answer.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errBusy), apperr.Is(err, apperr.Unavailable) && apperr.RetryAfterOf(err) > 0:
		return http.StatusServiceUnavailable
	case errors.Is(err, errSlow):
		return http.StatusGatewayTimeout
	case isTooLarge(err):
		return http.StatusRequestEntityTooLarge
	case isUnsent(err):
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}

func retryAfter(err error) time.Duration {
	if d := apperr.RetryAfterOf(err); d > 0 {
		return d
	}
	return 2 * time.Second
}

// answerFailed writes the public page for an exchange that failed before its head.
func (h *Handler) answerFailed(w http.ResponseWriter, r *http.Request, t target, err error) {
	h.logFailure(r, t, err)
	switch {
	case isTooLarge(err):
		h.failures.tooLarge(w, r, t)
	case isUnsent(err):
		h.failures.unsent(w, r, t)
	default:
		h.failures.down(w, r, t, err)
	}
}

// logFailure tells of an add-on that did not answer. A sender who did not send, and
// more senders than there are places, are no fault of it.
func (h *Handler) logFailure(r *http.Request, t target, err error) {
	if errors.Is(err, errBusy) {
		h.listRefused(r, t, refusal.Throttled)
		return
	}
	if isUnsent(err) {
		h.Log.DebugContext(r.Context(), "request did not arrive", "addon", t.addon.Manifest.ID, "biller", t.biller.ID, "error", err.Error())
		return
	}
	h.Log.WarnContext(r.Context(), "add-on did not answer", "addon", t.addon.Manifest.ID, "surface", int(t.surface),
		"biller", t.biller.ID, "method", r.Method, "error", fmt.Sprint(err))
}
