// Command hello is the smallest add-on: one public page that greets with the
// biller's name.
package main

import (
	"context"
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/serve"
)

func main() { serve.Main(addon()) }

func addon() sdk.Addon { return sdk.Addon{ID: "hello", Version: "1.0.0", Start: start} }

func start(_ context.Context, env sdk.Env) (sdk.Parts, error) {
	page := template.Must(template.New("hello").Parse("<!doctype html><title>Hello</title><h1>Hello, {{.Name}}</h1>\n"))
	public := http.NewServeMux()
	public.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		biller, err := env.Host.Billers.Biller(r.Context())
		if err != nil {
			http.Error(w, apperr.MessageOf(err), http.StatusServiceUnavailable)
			return
		}
		if err := page.Execute(w, biller); err != nil {
			env.Log.WarnContext(r.Context(), "page not written", "error", err.Error())
		}
	})
	return sdk.Parts{Public: public}, nil
}
