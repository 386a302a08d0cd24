package sdktest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// PublicCall is a call of somebody who opened a public page of the biller.
func (i *Instance) PublicCall(biller string) sdk.Call { return i.Host.PublicCall(biller) }

// StaffCall is a call of a staff user with the abilities.
func (i *Instance) StaffCall(biller string, abilities ...string) sdk.Call {
	return i.Host.StaffCall(biller, abilities...)
}

// PublicCall is a call of somebody who opened a public page of the biller.
func (h *Host) PublicCall(biller string) sdk.Call {
	call := h.installationCall(biller)
	call.BasePath = "/portal/" + biller
	call.CSPNonce = "bm9uY2U"
	call.RequestID = "req-test"
	call.RemoteIP = netip.MustParseAddr("192.0.2.7")
	call.UserAgent = "sdktest"
	return call
}

// StaffCall is a call of the staff user Dana Whitfield with the abilities, who has
// just signed in.
func (h *Host) StaffCall(biller string, abilities ...string) sdk.Call {
	call := h.PublicCall(biller)
	call.BasePath = "/admin/addons/addon"
	call.Viewer = sdk.Viewer{StaffID: "staff-1", Name: "Dana Whitfield", Abilities: abilities, AuthenticatedAt: time.Now().UTC()}
	return call
}

func (h *Host) installationCall(biller string) sdk.Call {
	const origin = "http://portal.test"
	return sdk.Call{
		BillerID:   biller,
		Locale:     "en-US",
		BaseURL:    origin,
		PortalURL:  origin + "/portal/" + biller,
		StaticBase: "/static/addon",
	}
}

// Enable enables the add-on for billers of the host; the test fails if a hook
// does.
func (i *Instance) Enable(billers ...string) {
	i.tb.Helper()
	if err := i.EnableAll(i.tb.Context(), billers...); err != nil {
		i.tb.Fatal(err)
	}
}

func (i *Instance) enablements(billers []string) []wire.Enablement {
	es := make([]wire.Enablement, len(billers))
	for n, b := range billers {
		call := i.Host.installationCall(b)
		es[n] = wire.Enablement{Call: call, Credential: i.Host.Credential(call), Settings: i.Host.settingsOf(b)}
	}
	return es
}

// Disable disables the add-on for the biller.
func (i *Instance) Disable(ctx context.Context, biller string) error {
	return i.Client.Disable(ctx, i.Host.installationCall(biller))
}

// Purge deletes what the add-on keeps for the biller.
func (i *Instance) Purge(ctx context.Context, biller string) error {
	return i.Client.Purge(ctx, i.Host.installationCall(biller))
}

// Export returns the biller's file and what the add-on calls it.
func (i *Instance) Export(ctx context.Context, biller string) (wire.Exported, []byte, error) {
	var (
		file bytes.Buffer
		as   wire.Exported
	)
	err := i.Client.Export(ctx, i.Host.installationCall(biller), func(e wire.Exported) (io.Writer, error) {
		as = e
		return &file, nil
	})
	return as, file.Bytes(), err
}

// Invite returns the add-on's Inviter for the call.
func (i *Instance) Invite(call sdk.Call) sdk.Inviter {
	return i.Client.Invite(call, i.Host.Token(call))
}

// SignUp returns the add-on's SignUp for the call.
func (i *Instance) SignUp(call sdk.Call) sdk.SignUp { return i.Client.SignUp(call, i.Host.Token(call)) }

// Report returns the add-on's Reporter for the call.
func (i *Instance) Report(call sdk.Call) sdk.Reporter {
	return i.Client.Report(call, i.Host.Token(call))
}

// Handle delivers an event of the biller.
func (i *Instance) Handle(ctx context.Context, biller string, e sdk.Event) error {
	call := i.Host.installationCall(biller)
	return i.Client.HandleEvent(ctx, call, i.Host.Credential(call), e)
}

// Do lets the add-on answer r on the surface and fails the test if it gives no
// answer. Close the answer's body: that ends the request.
func (i *Instance) Do(surface wire.Surface, call sdk.Call, r *http.Request) *http.Response {
	i.tb.Helper()
	res, err := i.TryDo(surface, call, r)
	if err != nil {
		i.tb.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return res
}

// TryDo is Do that returns the error; it is a *wire.PageError.
func (i *Instance) TryDo(surface wire.Surface, call sdk.Call, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	pr, pw := io.Pipe()
	head := make(chan *http.Response, 1)
	failed := make(chan error, 1)
	token := i.Host.Token(call)
	go func() {
		err := i.Client.ServePage(ctx, wire.PageRequest{Surface: surface, Call: call, Token: token, Request: r},
			func(status int, h http.Header) (wire.ResponseBody, error) {
				head <- &http.Response{
					Status:        http.StatusText(status),
					StatusCode:    status,
					Proto:         "HTTP/1.1",
					ProtoMajor:    1,
					ProtoMinor:    1,
					Header:        h,
					Body:          &responseBody{pr, cancel},
					ContentLength: -1,
					Request:       r,
				}
				return pipeBody{pw}, nil
			})
		i.Host.Revoke(token)
		// CloseWithError never fails.
		_ = pw.CloseWithError(err)
		failed <- err
	}()
	select {
	case res := <-head:
		return res, nil
	case err := <-failed:
		select {
		case res := <-head:
			return res, nil
		default:
			cancel()
			return nil, err
		}
	}
}

type pipeBody struct{ *io.PipeWriter }

func (pipeBody) Flush() error { return nil }

type responseBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *responseBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
