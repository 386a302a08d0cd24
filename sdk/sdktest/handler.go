package sdktest

import (
	"errors"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Handler serves the add-on's pages of a surface to a browser. call says for
// whom a request is made; the request's path is what the add-on gets, so use
// http.StripPrefix. Nothing is filtered, as a real host would.
func (i *Instance) Handler(surface wire.Surface, call func(*http.Request) sdk.Call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call(r)
		token := i.Host.Token(c)
		defer i.Host.Revoke(token)
		control := http.NewResponseController(w)
		err := i.Client.ServePage(r.Context(), wire.PageRequest{
			Surface: surface,
			Call:    c,
			Token:   token,
			Request: r,
			StopBody: func() {
				// A writer without deadlines has a body that cannot block.
				_ = control.SetReadDeadline(time.Unix(1, 0))
			},
		}, func(status int, h http.Header) (wire.ResponseBody, error) {
			for k, vs := range h {
				w.Header()[k] = vs
			}
			w.WriteHeader(status)
			return browser{w, control}, nil
		})
		if err == nil {
			return
		}
		if page, ok := errors.AsType[*wire.PageError](err); ok && page.Started {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "The add-on gave no page: "+apperr.MessageOf(err), http.StatusBadGateway)
	})
}

type browser struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (b browser) Flush() error { return b.control.Flush() }
