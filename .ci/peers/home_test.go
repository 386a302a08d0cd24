package peers_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/mail/sink"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/rpc"
	portalstore "github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/plugin/web"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

const (
	elena    = "elena@riverafamily.example"
	invoices = 50
	secret   = "heron lemon quiet barge"
)

// BenchmarkHomePage asks for the signed-in home page of a customer with 50 open
// invoices, with its real queries on both sides: of the Customer Portal as a
// process under a whole host, and of the same handler inside the server, on the
// same databases, with the platform called directly. Visitors are another process.
func BenchmarkHomePage(b *testing.B) {
	books := mustBooks(b)
	h, data, session := mustPortal(b, books)
	addon := mustAddonPID(b, h)
	direct := mustDirect(b, data, books)
	inside := order{URL: direct + "/portal/northwind/", Cookie: "session=" + session, Want: "INV-1050"}
	across := order{URL: h.URL + "/portal/northwind/", Cookie: "customer-portal-northwind-session=" + session, Want: "INV-1050"}
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			inside.Clients, across.Clients = clients, clients
			inside.Count, across.Count = 100, 100
			mustVisit(b, inside, 0)
			mustVisit(b, across, addon)
			inside.Count, across.Count = 400, 400
			var in, out []sample
			for b.Loop() {
				for range rounds {
					in = append(in, mustVisit(b, inside, 0))
					out = append(out, mustVisit(b, across, addon))
				}
			}
			cpu := func(s sample) time.Duration { return s.CPU }
			p50 := func(s sample) time.Duration { return s.P50 }
			b.Logf("in process: CPU %.0f µs, p50 %.0f µs; through the boundary: CPU %.0f µs, p50 %.0f µs; ratio CPU %.2f, p50 %.2f (load %s)",
				micros(median(in, cpu)), micros(median(in, p50)), micros(median(out, cpu)), micros(median(out, p50)),
				ratio(out, in, cpu), ratio(out, in, p50), load(b))
			b.ReportMetric(ratio(out, in, cpu), "CPU-ratio")
			b.ReportMetric(ratio(out, in, p50), "p50-ratio")
		})
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// shelf is what the reference platform keeps.
type shelf struct {
	*store.Store
	customer string
}

// mustBooks returns the reference platform's books with a biller and a customer
// who owes 50 invoices, and twenty others.
func mustBooks(b *testing.B) shelf {
	b.Helper()
	migrations, err := store.Migrations()
	must(b, err)
	db := dbtest.MustOpen(b, dbtest.SQLite(b, migrations))
	s := store.New(db, now, func(context.Context, *sqlx.Tx, string, string, string) error { return nil }, make([]byte, 32))
	biller, err := s.AddBiller(b.Context(), sdk.Biller{
		Slug: "northwind", Name: "Northwind Pool Service", Brand: "#0b6b8a", Email: "office@northwind.example", Phone: "(727) 555-0142",
	})
	must(b, err)
	var entries []store.Entry
	for i := range 21 {
		name, address := fmt.Sprintf("Neighbour %d", i), fmt.Sprintf("n%d@neighbour.example", i)
		if i == 0 {
			name, address = "Elena Rivera", elena
		}
		e := store.Entry{Name: name, Apply: func(books.CustomerForm) books.CustomerForm {
			return books.CustomerForm{Number: fmt.Sprintf("NW-%d", 1000+i), Name: name, DisplayName: name, Email: address}
		}}
		for n := range invoices {
			due := now().Truncate(24*time.Hour).AddDate(0, 0, n-20)
			e.Invoices = append(e.Invoices, books.Total(sdk.Invoice{
				Number: fmt.Sprintf("INV-%d", 1001+100*i+n), Title: fmt.Sprintf("Weekly service %d", n), IssuedOn: due.AddDate(0, 0, -20), DueOn: due,
				Tax:   sdk.Money{Currency: "USD"},
				Lines: []sdk.InvoiceLine{{Description: "Weekly pool service", QuantityMilli: 4500, UnitPrice: sdk.Money{Minor: int64(9500 + n), Currency: "USD"}}},
			}))
		}
		entries = append(entries, e)
	}
	_, err = s.Load(b.Context(), biller.ID, entries)
	must(b, err)
	found, err := s.CustomersByEmail(b.Context(), biller.ID, elena)
	must(b, err)
	return shelf{s, found[0].ID}
}

// mustPortal runs a host with the Customer Portal and signs Elena up.
func mustPortal(b *testing.B, s shelf) (h *hosttest.Host, data, session string) {
	b.Helper()
	packages := b.TempDir()
	must(b, hosttest.Pack(packages, "github.com/billing-addons/customer-portal/plugin", filepath.Join(root(), "manifest.yaml")))
	post, err := sink.Open()
	must(b, err)
	b.Cleanup(func() { must(b, post.Close()) })
	biller, err := s.BillerBySlug(b.Context(), "northwind")
	must(b, err)
	dana := hosttest.Dana()
	dana.BillerID = biller.ID
	h = hosttest.MustHost(b, func(c *host.Config, p *hosttest.Platform) {
		c.Packages, c.Log, c.SMTP.URL = packages, slog.New(slog.DiscardHandler), post.URL()
		data = c.DataDir
		p.CustomerFn, p.CustomersByEmailFn, p.ListCustomersFn = s.Customer, s.CustomersByEmail, s.ListCustomers
		p.InvoiceFn, p.ListInvoicesFn, p.BillerFn, p.BillerBySlugFn = s.Invoice, s.ListInvoices, s.Biller, s.BillerBySlug
	})
	must(b, h.Install(b.Context(), dana, "customer-portal", []string{"customers:read", "invoices:read", "mail:send", "billers:read", "audit:write", "database"}))
	h.Until("the portal runs", func() bool { return h.Ready(b.Context()) == nil })
	h.Until("the customer is known", func() bool {
		_, err := h.Invite(dana, "customer-portal").Status(b.Context(), s.customer)
		return err == nil
	})
	_, err = h.Invite(dana, "customer-portal").Send(b.Context(), s.customer)
	must(b, err)
	link, err := h.Invite(dana, "customer-portal").Link(b.Context(), s.customer)
	must(b, err)
	return h, data, mustSignUp(b, h.SignUp(biller.ID, "customer-portal"), link[strings.LastIndex(link, "/")+1:], post)
}

var sixDigits = regexp.MustCompile(`(?m)^\s*(\d{6})\s*$`)

func mustSignUp(b *testing.B, s sdk.SignUp, token string, post *sink.Sink) string {
	b.Helper()
	ctx, person := b.Context(), sdk.Person{Locale: "en-US"}
	st, err := s.Begin(ctx, token, person)
	must(b, err)
	st, err = s.Register(ctx, st.Handle, elena, secret, person)
	must(b, err)
	handle := st.Handle
	profiles, err := s.Profiles(ctx, handle, person)
	must(b, err)
	st, err = s.Choose(ctx, handle, []string{profiles[0].CustomerID}, person)
	must(b, err)
	if st.Step == sdk.StepConfirm {
		m, err := post.Await(ctx, func(m sink.Mail) bool { return sixDigits.MatchString(m.Text) })
		must(b, err)
		st, err = s.Confirm(ctx, handle, sixDigits.FindStringSubmatch(m.Text)[1], person)
		must(b, err)
	}
	in, err := s.Accept(ctx, handle, st.Agreement.Version, person)
	must(b, err)
	return in.Session
}

func mustAddonPID(b *testing.B, h *hosttest.Host) int {
	b.Helper()
	list, err := h.Addons(b.Context())
	must(b, err)
	return list[0].PID
}

// mustDirect serves the portal's pages from this process, on the add-on's own
// database and with its key, and asks the platform by function call.
func mustDirect(b *testing.B, data string, s shelf) (origin string) {
	b.Helper()
	file := filepath.Join(data, "addons", "customer-portal", "data.db")
	db := dbtest.MustOpen(b, sqldb.Config{Driver: sqldb.SQLite, DSN: file})
	key, err := hkdf.Key(sha256.New, make([]byte, 32), nil, "host/addon/customer-portal", 32)
	must(b, err)
	texts, err := catalogue.Load()
	must(b, err)
	keys := portal.NewKeys(key)
	service := &portal.Service{
		Store: portalstore.New(db, keys, nil), Passwords: password.New(password.Config{}), Keys: keys,
		NormalizeEmail: email.Normalize, MaskEmail: email.Mask, Now: now, IDs: func() string { return uuid.Must(uuid.NewV7()).String() }, Settings: rpc.Settings,
	}
	d := direct{s}
	pages, err := web.New(web.Config{
		Service: service, Host: sdk.Host{Billers: directBillers{direct: d}, Invoices: directInvoices{d}},
		Texts: texts, Log: slog.New(slog.DiscardHandler), Now: now,
	})
	must(b, err)
	server := httptest.NewServer(d.pages(pages.Public()))
	b.Cleanup(server.Close)
	return server.URL
}

// direct asks the platform without anything between.
type direct struct{ shelf }

// pages does the least that a server has to: find the biller of the address.
func (d direct) pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slug, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/portal/"), "/")
		biller, err := d.BillerBySlug(r.Context(), slug)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		call := sdk.Call{
			BillerID: biller.ID, Locale: "en-US", BaseURL: "http://" + r.Host, BasePath: "/portal/" + slug,
			PortalURL: "http://" + r.Host + "/portal/" + slug, StaticBase: "/static", CSPNonce: "bm9uY2U",
			RequestID: sdkweb.NewRequestID(), UserAgent: r.UserAgent(),
		}
		http.StripPrefix(call.BasePath, next).ServeHTTP(w, r.WithContext(sdk.WithCall(r.Context(), call)))
	})
}

type directBillers struct {
	sdk.Billers // nobody asks for the rest
	direct
}

func (d directBillers) Biller(ctx context.Context) (sdk.Biller, error) {
	return d.direct.Biller(ctx, sdk.CallFrom(ctx).BillerID)
}

type directInvoices struct{ direct }

func (d directInvoices) Invoice(ctx context.Context, id string) (sdk.Invoice, error) {
	return d.direct.Invoice(ctx, sdk.CallFrom(ctx).BillerID, id)
}

func (d directInvoices) ListInvoices(ctx context.Context, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	return d.direct.ListInvoices(ctx, sdk.CallFrom(ctx).BillerID, q)
}
