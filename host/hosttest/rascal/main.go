// Command rascal is an add-on that does wrong what tests of the host tell it to,
// at its start by its version, and later by its pages.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func main() {
	version := "1.0.0"
	if data, err := os.ReadFile(manifest.FileName); err == nil {
		if m, err := manifest.Parse(manifest.FileName, data); err == nil {
			version = m.Version
		}
	}
	_, mode, _ := strings.Cut(version, "-")
	beforeHandshake(mode)
	serve.Main(sdk.Addon{ID: "rascal", Version: version, Start: func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
		return start(mode, env)
	}})
}

func beforeHandshake(mode string) {
	switch mode {
	case "prints":
		fmt.Println("Hello, I am starting.")
	case "cookie":
		if err := os.Setenv(wire.Handshake().MagicCookieKey, "wrong"); err != nil {
			panic(err)
		}
	case "impostor":
		panic(impostor())
	case "protocol":
		fmt.Println("1|99|unix|/nowhere|grpc|")
		select {}
	}
}

func start(mode string, env sdk.Env) (sdk.Parts, error) {
	switch mode {
	case "hangs":
		select {}
	case "crashes":
		fmt.Fprintln(stderr(), "cannot find my config")
		os.Exit(4)
	}
	r := &rascal{host: env.Host, released: make(chan struct{})}
	public, staff, slots := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	for path, page := range map[string]http.HandlerFunc{
		"/{$}": r.greet, "/stop": stop, "/third": r.third, "/crash": crash, "/child": child, "/flood": flood, "/json": wrongTypes,
		"/gigabytes": gigabytes, "/swallow": swallow, "/headers": headers, "/cookies": cookies, "/status": status, "/script": script,
		"/files": r.files, "/customers": r.customers, "/keep": r.keep, "/expired": r.expired, "/loop": r.loop, "/panic": burst,
		"/flush": flush, "/gone": r.gone, "/slow": r.slow, "/release": r.release, "/count": r.count, "/trailer": trailer, "/hold": r.hold,
		"/memory": memory, "/pour": r.pour, "/text": text,
	} {
		public.HandleFunc(path, page)
	}
	staff.HandleFunc("/{$}", script)
	slots.HandleFunc("/customer", script)
	return sdk.Parts{Public: public, Staff: staff, Slots: slots, Invite: inviter{}}, nil
}

// stderr is the process's own, which go-plugin leaves alone.
func stderr() *os.File { return os.NewFile(2, "stderr") }

// inviter answers with more than a message may hold.
type inviter struct{ sdk.Inviter }

func (inviter) Link(context.Context, string) (string, error) { return strings.Repeat("x", 64<<20), nil }
