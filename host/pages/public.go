package pages

import (
	"io"
	"net/http"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Public serves /{prefix}/{slug}/…, the pages that anybody may open. Whatever is
// not there, whether add-on, biller or installation, gets one and the same page.
func (h *Handler) Public() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = h.withID(r)
		t, path, err := h.publicTarget(r)
		if err != nil {
			h.publicError(w, r, t, err)
			return
		}
		if path == "" {
			h.addSlash(w, r)
			return
		}
		if !allowedMethod(r.Method) {
			h.failures.method(w, r, t)
			return
		}
		if h.crossing.Check(r) != nil {
			h.listRefused(r, t, refusal.Origin)
			h.failures.crossOrigin(w, r, t)
			return
		}
		h.servePublic(w, r, t, path)
	})
}

// publicTarget finds whom a request is for, and the path below the mount, which
// is "" if the slash is missing.
func (h *Handler) publicTarget(r *http.Request) (target, string, error) {
	gone := apperr.Errorf(apperr.NotFound, "This page is not here.")
	full := r.URL.EscapedPath()
	parts := strings.SplitN(strings.TrimPrefix(full, "/"), "/", 3)
	if !h.onHost(r, h.PortalBaseURL) || len(parts) < 2 {
		return target{}, "", gone
	}
	a, ok := h.byPrefix(parts[0])
	if !ok || parts[1] == "" || strings.Contains(parts[1], "%") {
		return target{}, "", gone
	}
	biller, err := h.Platform.BillerBySlug(r.Context(), parts[1])
	if err != nil {
		return target{}, "", err
	}
	inst, err := h.Installations.Installation(r.Context(), biller.ID, a.Manifest.ID)
	if err != nil {
		return target{}, "", err
	}
	t := target{surface: wire.Public, addon: a, installation: inst, biller: biller, basePath: publicPath(a, biller), nonce: newNonce()}
	if inst.State != addon.Enabled {
		return t, "", errClosed
	}
	if !web.IsSafePath(full, t.basePath) {
		return target{}, "", gone
	}
	return t, strings.TrimPrefix(full, t.basePath), nil
}

func (h *Handler) publicError(w http.ResponseWriter, r *http.Request, t target, err error) {
	switch {
	case apperr.Is(err, apperr.NotFound):
		h.failures.notFound(w, r)
	case err == errClosed:
		h.failures.closed(w, r, t)
	default:
		h.Log.ErrorContext(r.Context(), "cannot find whom a public request is for", "error", err.Error())
		h.failures.down(w, r, target{biller: t.biller, nonce: t.nonce}, err)
	}
}

func (h *Handler) addSlash(w http.ResponseWriter, r *http.Request) {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (h *Handler) servePublic(w http.ResponseWriter, r *http.Request, t target, path string) {
	cookies := newJar(t.addon.Manifest.ID, t.biller.Slug, strings.HasPrefix(h.PortalBaseURL, "https://"))
	out, err := h.forward(w, r, wire.Public, path, cookies.in(r))
	if err != nil {
		h.publicError(w, r, t, err)
		return
	}
	begun, err := h.pass(r, t, out, func(status int, from http.Header) (io.Writer, error) {
		return w, h.beginPublic(w, r, t, cookies, status, from)
	})
	switch {
	case err == nil:
	case isUnsent(err) && !begun:
		h.answerFailed(w, outlasting(r), t, err)
	case r.Context().Err() != nil:
		h.Log.DebugContext(r.Context(), "browser went away")
	case begun:
		h.logFailure(r, t, err)
		panic(http.ErrAbortHandler)
	default:
		h.answerFailed(w, r, t, err)
	}
}

// beginPublic judges the head of an answer and writes it.
func (h *Handler) beginPublic(w http.ResponseWriter, r *http.Request, t target, cookies jar, status int, from http.Header) error {
	m := t.addon.Manifest
	h.listRefused(r, t, whyOf(status))
	to := w.Header()
	var redirect string
	if location := from.Get("Location"); location != "" {
		page, err := pageURL(h.PortalBaseURL, r.URL.EscapedPath(), r.URL.RawQuery)
		if err != nil {
			return err
		}
		if redirect, err = destination(location, page, t.basePath, m.RedirectOrigins); err != nil {
			return err
		}
	}
	copyAnswer(to, from)
	if redirect != "" {
		to.Set("Location", redirect)
	}
	kept, dropped := cookies.out(from["Set-Cookie"])
	if dropped > 0 {
		h.Log.WarnContext(r.Context(), "cookies of an add-on dropped", "addon", m.ID, "count", dropped)
	}
	to["Set-Cookie"] = kept
	if len(kept) == 0 {
		delete(to, "Set-Cookie")
	}
	secure(to, publicPolicy(t.nonce, m.RedirectOrigins))
	keepPrivate(to)
	to.Set("X-Request-Id", web.RequestID(r.Context()))
	w.WriteHeader(status)
	return nil
}
