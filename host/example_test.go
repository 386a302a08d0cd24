package host_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// acme is a billing platform with one business. The embedded Platform answers
// "not found" to everything else; a real platform implements all of it.
type acme struct{ host.Platform }

func (acme) Biller(_ context.Context, id string) (sdk.Biller, error) {
	return sdk.Biller{ID: id, Slug: "acme", Name: "Acme Pools", Locale: "en-US", TimeZone: "UTC", Currency: "USD"}, nil
}

func (p acme) BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error) {
	return p.Biller(ctx, slug)
}

// StaffFrom would read the platform's own session cookie.
func (acme) StaffFrom(*http.Request) (addon.Staff, error) {
	return addon.Staff{ID: "dana", Name: "Dana", BillerID: "acme", Abilities: []string{addon.AbilityInstall, "staff:invite"}}, nil
}

// Frame draws the platform's own navigation around what an add-on shows to staff.
func (acme) Frame(w http.ResponseWriter, _ *http.Request, p addon.Page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(max(p.Status, http.StatusOK))
	_, _ = fmt.Fprintf(w, "<nav>Acme</nav><main>%s</main>", p.Body)
}

// A platform embeds the host, installs an add-on from a folder of packages and
// serves its pages beside its own.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "acme")
	check(err)
	defer os.RemoveAll(dir)
	packages := filepath.Join(dir, "offered")
	check(hosttest.Pack(packages, "github.com/billing-addons/customer-portal/host/hosttest/hello", "hosttest/hello/manifest.yaml"))

	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	platform := acme{&hosttest.Platform{}}
	h, err := host.New(ctx, host.Config{
		DataDir: dir, Database: sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")}, Key: make([]byte, 32),
		BaseURL: origin, PortalBaseURL: origin, Packages: packages, Dev: true, Log: slog.New(slog.DiscardHandler),
		SMTP: mail.Config{URL: "smtp://127.0.0.1:1025", From: "no-reply@acme.example", PlatformName: "Acme"},
	}, platform)
	check(err)
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Acme's own page") })
	mux.Handle("/", h.Handler()) // everything else is for add-ons
	server.Config.Handler = mux
	server.Start()

	dana, err := platform.StaffFrom(nil)
	check(err)
	check(h.Install(ctx, dana, "hello", nil)) // staff do this on the page Add-ons Marketplace
	for h.Ready(ctx) != nil {
	}
	for _, path := range []string{"/", "/admin/addons/hello/", "/hello/acme/version"} {
		fmt.Println(get(origin + path))
	}
	server.Close()
	cancel()
	check(<-ended)
	check(h.Close())
	// Output:
	// Acme's own page
	// <nav>Acme</nav><main><h1 id="hello-top">Hello</h1><p>Dana</p>
	// 		<form method="post" action="/admin/addons/hello/rename"><button>Rename</button></form></main>
	// <p>1.0.0</p>
}

func get(url string) string {
	res, err := http.Get(url)
	check(err)
	defer func() { _ = res.Body.Close() }() // read whole below
	body, err := io.ReadAll(res.Body)
	check(err)
	return string(body)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
