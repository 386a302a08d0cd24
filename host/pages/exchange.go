package pages

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

var (
	errSlow = errors.New("add-on did not answer in time")
	errBusy = errors.New("add-on answers as many requests as it may")
)

// target is where a request goes.
type target struct {
	surface      wire.Surface
	addon        Addon
	installation addon.Installation
	biller       sdk.Biller
	viewer       sdk.Viewer
	basePath     string
	nonce        string
}

// call describes the request to the add-on.
func (h *Handler) call(r *http.Request, t target) sdk.Call {
	c := sdk.Call{
		BillerID:   t.biller.ID,
		Viewer:     t.viewer,
		Locale:     t.biller.Locale,
		BaseURL:    h.PortalBaseURL,
		BasePath:   t.basePath,
		PortalURL:  h.portalURL(t.addon, t.biller),
		StaticBase: staticBase(t.addon),
		CSPNonce:   t.nonce,
		RequestID:  web.RequestID(r.Context()),
		RemoteIP:   remoteIP(r, h.TrustedProxies),
		UserAgent:  userAgent(r),
	}
	if c.Locale == "" {
		c.Locale = "en"
	}
	return c
}

// shown is the biller as the add-on may know it, nil if the biller's staff did not
// agree to that: almost every page shows its name, and would ask for it.
func (h *Handler) shown(t target) *sdk.Biller {
	if !slices.Contains(t.installation.Permissions, "billers:read") {
		return nil
	}
	b := t.biller
	b.PortalURL = h.portalURL(t.addon, b)
	return &b
}

// portalURL returns where the add-on's public pages of a biller begin, or "".
func (h *Handler) portalURL(a Addon, b sdk.Biller) string {
	if a.Manifest.Pages.Public.Prefix == "" {
		return ""
	}
	return h.PortalBaseURL + publicPath(a, b)
}

func publicPath(a Addon, b sdk.Biller) string {
	return "/" + a.Manifest.Pages.Public.Prefix + "/" + b.Slug
}

func staticBase(a Addon) string {
	return StaticPath + a.Manifest.ID + "/" + shortDigest(a)
}

// pass sends the request to the add-on and its answer to begin's writer. The
// request token lives exactly as long. begun tells whether the head was let
// through before an error.
func (h *Handler) pass(r *http.Request, t target, out wire.PageRequest, judge begin) (begun bool, err error) {
	id := t.addon.Manifest.ID
	more, err := h.readAhead(out)
	if err != nil {
		return false, err
	}
	release, ok := h.enter(id, t.biller.ID, more)
	if !ok {
		h.Meter.PageRefused(id, surfaceName(out.Surface))
		return false, errBusy
	}
	defer release()
	o, r := h.observe(r, id, out.Surface)
	defer func() { o.end(r, err) }()

	out.Call, out.Biller = h.call(r, t), h.shown(t)
	out.Token = h.Tokens.Issue(Grant{
		AddonID: id, Installation: t.installation, Surface: out.Surface, Viewer: t.viewer,
		RequestID: out.Call.RequestID, RemoteIP: out.Call.RemoteIP,
	})
	defer h.Tokens.Revoke(out.Token)

	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	patience := time.AfterFunc(h.HeadTimeout, func() { cancel(whoIsSlow(out.Request.Body)) })
	defer patience.Stop()
	g := &gate{begin: o.begins(judge), patience: patience, idle: h.IdleTimeout}
	err = h.Client.Serve(ctx, id, out, g.open)
	switch {
	case err == nil && !g.begun():
		err = apperr.Errorf(apperr.Internal, "add-on answered nothing")
	case err != nil && (context.Cause(ctx) == errSlow || isUnsent(context.Cause(ctx))):
		err = context.Cause(ctx)
	}
	return g.begun(), err
}

// forward returns what crosses of a browser's request to a surface. path is
// escaped and below the surface's mount.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, surface wire.Surface, path, cookies string) (wire.PageRequest, error) {
	origin := h.BaseURL
	if surface == wire.Public {
		origin = h.PortalBaseURL
	}
	u, err := pageURL(origin, path, r.URL.RawQuery)
	if err != nil {
		return wire.PageRequest{}, err
	}
	header := requestHeader(r.Header)
	if cookies != "" {
		header.Set("Cookie", cookies)
	}
	return wire.PageRequest{
		Surface: surface,
		Request: &http.Request{
			Method: r.Method, URL: u, Host: u.Host, Header: header,
			ContentLength: r.ContentLength, Body: http.MaxBytesReader(w, r.Body, h.MaxBody),
		},
		// A connection without deadlines is closed by the server all the same.
		StopBody: func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now()) },
	}, nil
}

// pageURL returns the absolute address of a path and query on an origin.
func pageURL(origin, escapedPath, rawQuery string) (*url.URL, error) {
	u, err := url.Parse(origin + escapedPath)
	if err != nil {
		return nil, apperr.Wrap(apperr.NotFound, "This page is not here.", err)
	}
	u.RawQuery = rawQuery
	return u, nil
}

func newNonce() string {
	var b [16]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
