package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// addon returns an add-on whose Start hands its environment to parts.
func addon(parts func(sdk.Env) sdk.Parts) sdk.Addon {
	return sdk.Addon{ID: "trial", Version: "1.2.3", Start: func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
		return parts(env), nil
	}}
}

type inviter struct {
	sdk.Inviter
	send func(ctx context.Context, id string) (sdk.Invitation, error)
}

func (i inviter) Send(ctx context.Context, id string) (sdk.Invitation, error) { return i.send(ctx, id) }

func (i inviter) Link(context.Context, string) (string, error) { panic("a broken part") }

type hooks struct {
	enable, disable, purge func(ctx context.Context) error
}

func (h hooks) Enable(ctx context.Context) error  { return h.enable(ctx) }
func (h hooks) Disable(ctx context.Context) error { return h.disable(ctx) }
func (h hooks) Purge(ctx context.Context) error   { return h.purge(ctx) }

type events func(context.Context, sdk.Event) error

func (f events) Handle(ctx context.Context, e sdk.Event) error { return f(ctx, e) }

type reporter func(context.Context, sdk.RegistrationQuery, func(sdk.Registration) error) error

func (f reporter) Registrations(ctx context.Context, q sdk.RegistrationQuery, send func(sdk.Registration) error) error {
	return f(ctx, q, send)
}

func TestDescribeAndCapabilities(t *testing.T) {
	t.Parallel()
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Invite: inviter{}, Events: events(nil)}
	}))
	d, err := i.Client.Describe(t.Context())
	if err != nil || d.ID != "trial" || d.Version != "1.2.3" || d.SDKVersion != wire.SDKVersion {
		t.Fatalf("Describe = %+v, %v", d, err)
	}
	if diff := cmp.Diff([]string{sdk.CapabilityInvite, sdk.CapabilityEvents}, i.Capabilities); diff != "" {
		t.Error(diff)
	}
	if err := i.Client.Health(t.Context()); err != nil {
		t.Errorf("Health: %v", err)
	}
	_, err = i.Client.Start(t.Context(), wire.StartRequest{Services: i.Host})
	if !apperr.Is(err, apperr.Conflict) {
		t.Errorf("second start: %v", err)
	}
}

func TestEnvironmentArrives(t *testing.T) {
	t.Parallel()
	var got sdk.Env
	want := sdk.Database{Driver: "postgres", DSN: "a", DirectDSN: "b"}
	sdktest.Start(t, addon(func(e sdk.Env) sdk.Parts { got = e; return sdk.Parts{} }), sdktest.WithDatabase(want))
	if got.Database != want || len(got.Key) != 32 || !got.Dev || got.Log == nil {
		t.Errorf("environment %+v", got)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://addon:hush@db/x"
	for name, c := range map[string]struct {
		start func(context.Context, sdk.Env) (sdk.Parts, error)
		want  string
	}{
		"with an error": {func(_ context.Context, e sdk.Env) (sdk.Parts, error) {
			return sdk.Parts{}, fmt.Errorf("open %s: password hush refused", e.Database.DSN)
		}, "open (database): password (password) refused"},
		"with a panic":  {func(context.Context, sdk.Env) (sdk.Parts, error) { panic("hush") }, apperr.GenericMessage},
		"without Start": {nil, apperr.GenericMessage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sdktest.TryStart(t, sdk.Addon{ID: "x", Version: "1.0.0", Start: c.start},
				sdktest.WithDatabase(sdk.Database{Driver: "postgres", DSN: dsn}))
			if !strings.Contains(apperr.MessageOf(err), c.want) || strings.Contains(apperr.MessageOf(err), "hush") {
				t.Errorf("error %q, want %q", apperr.MessageOf(err), c.want)
			}
		})
	}
}

func TestCallReachesTheAddonAndItsTokenTheHost(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: "contoso", Name: "Contoso"})
	host.AddCustomer(sdktest.Northwind, sdk.Customer{ID: "c1", Name: "Jane"})
	host.AddCustomer("contoso", sdk.Customer{ID: "c1", Name: "Other biller's"})
	var got sdk.Call
	i := sdktest.Start(t, addon(func(env sdk.Env) sdk.Parts {
		return sdk.Parts{Invite: inviter{send: func(ctx context.Context, id string) (sdk.Invitation, error) {
			got = sdk.CallFrom(ctx)
			c, err := env.Host.Customers.Customer(ctx, id)
			return sdk.Invitation{CustomerID: c.ID, Email: c.Name}, err
		}}}
	}), sdktest.WithHost(host))
	call := i.StaffCall(sdktest.Northwind, "staff:invite")
	inv, err := i.Invite(call).Send(t.Context(), "c1")
	if err != nil || inv.Email != "Jane" {
		t.Fatalf("Send = %+v, %v", inv, err)
	}
	if !reflect.DeepEqual(call, got) {
		t.Errorf("the call changed from %+v to %+v", call, got)
	}
	if _, err := i.Invite(call).Send(t.Context(), "c2"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("unknown customer: %v", err)
	}
	if _, err := i.Client.Invite(call, "").Send(t.Context(), "c1"); !apperr.Is(err, apperr.Unauthenticated) {
		t.Errorf("without a token: %v", err)
	}
	if _, err := i.Client.Invite(call, "forged").Send(t.Context(), "c1"); !apperr.Is(err, apperr.Unauthenticated) {
		t.Errorf("with a forged token: %v", err)
	}
}

func TestHostServices(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.AddCustomer(sdktest.Northwind, sdk.Customer{ID: "c1", Email: "Jane@Acme.com"})
	host.AddInvoice(sdktest.Northwind, sdk.Invoice{ID: "i1", CustomerID: "c1", Balance: sdk.Money{Minor: 5, Currency: "USD"}})
	ran := make(chan error, 1)
	i := sdktest.Start(t, addon(func(env sdk.Env) sdk.Parts {
		return sdk.Parts{Events: events(func(ctx context.Context, _ sdk.Event) error {
			ran <- useEverything(ctx, env.Host)
			return nil
		})}
	}), sdktest.WithHost(host))
	if err := i.Handle(t.Context(), sdktest.Northwind, sdk.Event{ID: "e"}); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if len(host.Mails()) != 1 || len(host.Audits()) != 1 || len(host.Notices()) != 1 {
		t.Errorf("mails %v, audits %v, notices %v", host.Mails(), host.Audits(), host.Notices())
	}
	host.Permissions = []string{}
	if err := i.Handle(t.Context(), sdktest.Northwind, sdk.Event{ID: "e"}); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("without permissions: %v", err)
	}
}

func useEverything(ctx context.Context, h sdk.Host) error {
	found, err := h.Customers.CustomersByEmail(ctx, "jane@acme.com")
	if err != nil || len(found) != 1 {
		return fmt.Errorf("by email: %v, %w", found, err)
	}
	page, err := h.Customers.ListCustomers(ctx, sdk.CustomerQuery{})
	if err != nil || len(page.Customers) != 1 {
		return fmt.Errorf("list: %v, %w", page, err)
	}
	invoice, err := h.Invoices.Invoice(ctx, "i1")
	if err != nil || invoice.Balance.Minor != 5 {
		return fmt.Errorf("invoice: %v, %w", invoice, err)
	}
	invoices, err := h.Invoices.ListInvoices(ctx, sdk.InvoiceQuery{CustomerID: "c1", OpenOnly: true})
	if err != nil || len(invoices.Invoices) != 1 {
		return fmt.Errorf("invoices: %v, %w", invoices, err)
	}
	biller, err := h.Billers.Biller(ctx)
	if err != nil || biller.ID != sdktest.Northwind {
		return fmt.Errorf("biller: %v, %w", biller, err)
	}
	for _, repeated := range []bool{false, true} {
		sent, err := h.Mail.Send(ctx, sdk.Message{Key: "k", To: "jane@acme.com"})
		if err != nil || sent.Repeated != repeated {
			return fmt.Errorf("mail: %v, %w", sent, err)
		}
	}
	notice := sdk.StaffNotice{Key: "k", Kind: "test", Ability: "staff:invite", Subject: "S", Text: "T"}
	if told, err := h.Staff.Notify(ctx, notice); err != nil || told != 1 {
		return fmt.Errorf("told %d: %w", told, err)
	}
	return h.Audit.Write(ctx, sdk.AuditEvent{Action: "test.ran", Detail: map[string]string{"a": "b"}})
}

func TestErrorsOfParts(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Invite: inviter{send: func(_ context.Context, id string) (sdk.Invitation, error) {
			switch id {
			case "coded":
				return sdk.Invitation{}, fmt.Errorf("send: %w", apperr.Throttled(time.Minute, "Wait a minute."))
			case "uncoded":
				return sdk.Invitation{}, errors.New("secret text")
			}
			panic("secret panic")
		}}}
	}), sdktest.WithLog(slog.New(slog.NewTextHandler(&log, nil))))
	in := i.Invite(i.StaffCall(sdktest.Northwind))
	_, err := in.Send(t.Context(), "coded")
	if want := (seen{apperr.TooManyRequests, "Wait a minute.", nil, time.Minute}); !cmp.Equal(want, see(err)) {
		t.Errorf("coded: %+v", see(err))
	}
	for _, id := range []string{"uncoded", "panic"} {
		_, err := in.Send(t.Context(), id)
		if !apperr.Is(err, apperr.Internal) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := in.Link(t.Context(), "x"); !apperr.Is(err, apperr.Internal) {
		t.Errorf("panic in Link: %v", err)
	}
	for _, want := range []string{"secret text", "secret panic", "addon_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if _, err := i.SignUp(i.PublicCall(sdktest.Northwind)).Begin(t.Context(), "t", sdk.Person{}); !apperr.Is(err, apperr.NotFound) || wire.Gone(err) {
		t.Errorf("capability it lacks: %v", err)
	}
	if err := i.Client.Health(t.Context()); err != nil {
		t.Errorf("after panics: %v", err)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
