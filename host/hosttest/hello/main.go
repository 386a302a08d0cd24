// Command hello is the add-on that tests of the host run as a real process.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/serve"
)

func main() { serve.Main(sdk.Addon{ID: "hello", Version: version(), Start: start}) }

// version is what the manifest of the package says, in whose folder an add-on
// runs: tests make several packages of this program.
func version() string {
	data, err := os.ReadFile(manifest.FileName)
	if err != nil {
		return "1.0.0"
	}
	m, err := manifest.Parse(manifest.FileName, data)
	if err != nil {
		return "1.0.0"
	}
	return m.Version
}

func start(_ context.Context, env sdk.Env) (sdk.Parts, error) {
	h := hello{env.Host}
	public, staff, slots := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	public.HandleFunc("GET /{$}", h.greet)
	public.HandleFunc("GET /biller", h.biller)
	public.HandleFunc("GET /customers", h.customers)
	public.HandleFunc("GET /cookie", h.cookie)
	public.HandleFunc("GET /wait", h.wait)
	public.HandleFunc("GET /version", h.version)
	public.HandleFunc("GET /crash", h.crash)
	public.HandleFunc("GET /endless", h.endless)
	staff.HandleFunc("GET /{$}", h.staff)
	staff.HandleFunc("GET /wait", h.wait)
	staff.HandleFunc("GET /endless", h.endless)
	staff.HandleFunc("POST /rename", h.rename)
	slots.HandleFunc("GET /customer", h.tab)
	return sdk.Parts{
		Public: public, Staff: staff, Slots: slots, Invite: inviter{}, SignUp: signUp{}, Report: reporter{}, Events: events{},
	}, nil
}

type hello struct{ host sdk.Host }

// greet fails in versions such as "1.1.0-broken".
func (hello) greet(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(version(), "-broken") {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	c := sdk.CallFrom(r.Context())
	html(w, fmt.Sprintf("<p>Hello from process %d to %s at %s</p>", os.Getpid(), c.RemoteIP, c.BasePath))
}

func (hello) version(w http.ResponseWriter, _ *http.Request) { html(w, "<p>"+version()+"</p>") }

func (hello) crash(http.ResponseWriter, *http.Request) {
	fmt.Fprintln(os.NewFile(2, "stderr"), "told to crash")
	os.Exit(3)
}

// biller needs billers:read, which the biller grants.
func (h hello) biller(w http.ResponseWriter, r *http.Request) {
	b, err := h.host.Billers.Biller(r.Context())
	if err != nil {
		http.Error(w, string(apperr.CodeOf(err)), http.StatusBadGateway)
		return
	}
	html(w, "<p>"+b.Name+" "+b.PortalURL+"</p>")
}

// customers needs customers:read, which the manifest does not name.
func (h hello) customers(w http.ResponseWriter, r *http.Request) {
	_, err := h.host.Customers.Customer(r.Context(), "1")
	html(w, "<p>"+string(apperr.CodeOf(err))+"</p>")
}

func (hello) cookie(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("seen"); err == nil {
		html(w, "<p>seen "+c.Value+"</p>")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "seen", Value: "once"})
	html(w, "<p>new</p>")
}

// wait answers with the head when the query says so, notes that it waits, and
// waits to be killed.
func (h hello) wait(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("head") {
		html(w, "<p>half</p>")
		w.(http.Flusher).Flush()
	}
	if err := h.host.Audit.Write(r.Context(), sdk.AuditEvent{Action: "hello.waits"}); err != nil {
		return
	}
	<-r.Context().Done()
}

// endless answers until nobody listens.
func (hello) endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	part := make([]byte, 64<<10)
	for i := range part {
		part[i] = ' '
	}
	for {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func (hello) staff(w http.ResponseWriter, r *http.Request) {
	html(w, "<title>Hello there</title><h1 id=top>Hello</h1><p>"+sdk.CallFrom(r.Context()).Viewer.Name+`</p><script>alert(1)</script>
		<form method="post" action="rename"><button>Rename</button></form>`)
}

func (hello) rename(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, sdk.CallFrom(r.Context()).BasePath+"/", http.StatusSeeOther)
}

func (hello) tab(w http.ResponseWriter, r *http.Request) {
	html(w, "<p>Customer "+r.URL.Query().Get("customer")+"</p>")
}

func html(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A write fails only when the host has gone.
	_, _ = fmt.Fprint(w, body)
}
