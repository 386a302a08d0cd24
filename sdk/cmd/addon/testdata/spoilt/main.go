// Command spoilt is an add-on that misbehaves in the way that is written at the
// end of its file.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/serve"
)

func main() {
	mode := mode()
	addon := sdk.Addon{ID: "hello-world", Version: "0.1.0", Start: start(mode)}
	switch mode {
	case "exits":
		fmt.Fprintln(os.Stderr, "reading the configuration")
		panic("no configuration")
	case "prints":
		fmt.Println("Hello from main!")
	case "cookie":
		set("BILLING_ADDON", "another platform")
	case "protocol":
		fmt.Println("1|7|unix|/tmp/none|grpc")
		select {}
	case "netrpc":
		fmt.Println("1|1|unix|/tmp/none|netrpc")
		select {}
	case "silent":
		exec.Command("/bin/sleep", "1000").Run()
	case "version":
		addon.Version = "0.2.0"
	}
	serve.Main(addon)
}

// mode is what stands after the last "MODE=" in this program's file.
func mode() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	end := make([]byte, 64)
	if _, err := f.ReadAt(end, info.Size()-64); err != nil {
		panic(err)
	}
	_, mode, _ := strings.Cut(string(end), "MODE=")
	return mode
}

func set(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

func start(mode string) func(context.Context, sdk.Env) (sdk.Parts, error) {
	return func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
		parts := sdk.Parts{Staff: page(mode, env)}
		switch mode {
		case "refuses":
			return parts, apperr.Errorf(apperr.Invalid, "The moon is not full.")
		case "fails":
			return parts, errors.New("a secret reason")
		case "database":
			if env.Database.DSN == "" {
				return parts, apperr.Errorf(apperr.Invalid, "There is no database.")
			}
		case "child":
			return parts, exec.Command("/bin/sleep", "1000").Start()
		case "offers":
			parts.Events, parts.Staff = events{env}, nil
		case "mails":
			parts.Events = events{env}
		}
		return parts, nil
	}
}

func page(mode string, env sdk.Env) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch mode {
		case "customers":
			_, err = env.Host.Customers.ListCustomers(r.Context(), sdk.CustomerQuery{})
		case "quiet":
			// The page hides what the host said.
			_, _ = env.Host.Invoices.ListInvoices(r.Context(), sdk.InvoiceQuery{CustomerID: "customer-1"})
		case "page":
			err = errors.New("no page today")
		case "dies":
			go panic("giving up")
			select {}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}

type events struct{ env sdk.Env }

// Handle sends a mail for each event.
func (e events) Handle(ctx context.Context, _ sdk.Event) error {
	_, err := e.env.Host.Mail.Send(ctx, sdk.Message{Key: "1", To: "a@b.example", Kind: "note"})
	return err
}
