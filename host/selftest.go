package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// selfTest asks a version that is on trial for its first page, in the name of one
// biller that has the add-on. Any answer below 500 will do. An add-on without
// pages or without billers has nothing to be asked for. A version that wants the
// address of another add-on fails.
func (h *Host) selfTest(ctx context.Context, c *wire.Client, pkg *pack.Package) error {
	if err := h.shelf.refresh(ctx); err != nil {
		return err
	}
	if err := h.shelf.addressFree(pkg.Manifest); err != nil {
		return err
	}
	surface := firstSurface(pkg.Manifest)
	if surface == 0 {
		return nil
	}
	list, err := h.store.InstallationsOf(ctx, pkg.Manifest.ID)
	if err != nil {
		return err
	}
	for _, i := range list {
		if i.State != addon.Enabled {
			continue
		}
		b, err := h.platform.Biller(ctx, i.BillerID)
		if apperr.Is(err, apperr.NotFound) {
			continue // the platform has let it go
		}
		if err != nil {
			return fmt.Errorf("read biller: %w", err)
		}
		return h.askFirstPage(ctx, c, surface, b, i)
	}
	return nil
}

// firstSurface returns where the add-on has a first page; 0 if nowhere.
func firstSurface(m *manifest.Manifest) wire.Surface {
	switch {
	case m.Pages.Public.Prefix != "":
		return wire.Public
	case len(m.Pages.Staff) > 0:
		return wire.Staff
	}
	return 0
}

func (h *Host) askFirstPage(ctx context.Context, c *wire.Client, surface wire.Surface, b sdk.Biller, i addon.Installation) error {
	id := web.NewRequestID()
	token := h.services.IssueRequest(services.Grant{
		BillerID: i.BillerID, AddonID: i.AddonID, Permissions: i.Permissions, Public: surface == wire.Public, RequestID: id,
	})
	defer h.services.Revoke(token)
	call := h.call(b, i.AddonID, sdk.Viewer{}, id)
	origin, base := h.config.PortalBaseURL, "/"
	if surface == wire.Staff {
		origin, base = h.config.BaseURL, h.config.StaffPath+"/addons/"+i.AddonID
	} else if len(call.PortalURL) > len(origin) {
		base = call.PortalURL[len(origin):]
	}
	call.BasePath = base
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/", http.NoBody)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	return c.ServePage(ctx, wire.PageRequest{Surface: surface, Call: call, Token: token, Request: r}, acceptPage)
}

// acceptPage is a wire.OnHead that refuses an answer of 500 and above. One that
// says when to come again is asked for again, as trials are.
func acceptPage(status int, header http.Header) (wire.ResponseBody, error) {
	if status >= http.StatusInternalServerError {
		refusal := &apperr.Error{Code: apperr.Unavailable, Message: fmt.Sprintf("The first page answered with status %d.", status)}
		if status == http.StatusServiceUnavailable && header.Get("Retry-After") != "" {
			refusal.RetryAfter = time.Second
		}
		return nil, refusal
	}
	return dropped{io.Discard}, nil
}

// dropped is a response body that nobody reads.
type dropped struct{ io.Writer }

// Flush implements wire.ResponseBody.
func (dropped) Flush() error { return nil }
