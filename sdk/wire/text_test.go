package wire_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

const noText = "pass\xffword"

type signUp struct{ sdk.SignUp }

func (signUp) Register(context.Context, string, string, string, sdk.Person) (sdk.SignUpState, error) {
	return sdk.SignUpState{Step: "profiles"}, nil
}

// TestBytesThatAreNoText sends a field that is not UTF-8 through each kind of
// call. The field is to blame, not our side.
func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	tried := make(chan error, 1)
	i := sdktest.Start(t, addon(func(env sdk.Env) sdk.Parts {
		return sdk.Parts{
			SignUp: signUp{},
			Report: reporter(func(context.Context, sdk.RegistrationQuery, func(sdk.Registration) error) error { return nil }),
			Events: events(func(ctx context.Context, e sdk.Event) error {
				tried <- env.Host.Audit.Write(ctx, sdk.AuditEvent{Action: "test.ran", Detail: map[string]string{"a": noText}})
				return nil
			}),
		}
	}), sdktest.WithHost(host))
	public := i.PublicCall(sdktest.Northwind)
	for field, try := range map[string]func() error{
		"password": func() error {
			_, err := i.SignUp(public).Register(t.Context(), "h", "jane@acme.com", noText, sdk.Person{})
			return err
		},
		"customer_ids": func() error {
			_, err := i.SignUp(public).Choose(t.Context(), "h", []string{"c1", noText}, sdk.Person{})
			return err
		},
		"search": func() error {
			return i.Report(public).Registrations(t.Context(), sdk.RegistrationQuery{Search: noText}, nil)
		},
		"detail": func() error {
			if err := i.Handle(t.Context(), sdktest.Northwind, sdk.Event{ID: "e"}); err != nil {
				return err
			}
			return <-tried
		},
	} {
		t.Run(field, func(t *testing.T) {
			err := try()
			if names := apperr.FieldsOf(err); !apperr.Is(err, apperr.Invalid) || len(names) != 1 || names[field] == "" {
				t.Errorf("error %v, fields %v", err, names)
			}
		})
	}
	if _, err := i.SignUp(public).Register(t.Context(), "h", "jane@acme.com", "pässword", sdk.Person{}); err != nil {
		t.Errorf("text is refused: %v", err)
	}
}

func TestOneBillersWordsDoNotFailTheOthers(t *testing.T) {
	t.Parallel()
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Billers: hooks{enable: func(ctx context.Context) error {
			if sdk.CallFrom(ctx).BillerID == sdktest.Northwind {
				return apperr.Errorf(apperr.Conflict, "broken %s", noText)
			}
			return nil
		}}}
	}))
	err := i.EnableAll(t.Context(), sdktest.Northwind, "contoso")
	want := "enable northwind: broken pass\uFFFDword"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestBadBytesOfAPlatformAreReplaced: a platform's records may be old.
func TestBadBytesOfAPlatformAreReplaced(t *testing.T) {
	t.Parallel()
	const want = "pass\uFFFDword"
	bad := sdk.Customer{ID: "c1", Name: noText, Email: noText, Address: sdk.Address{City: noText}}
	host := sdktest.NewHost()
	host.AddCustomer(sdktest.Northwind, bad)
	host.AddInvoice(sdktest.Northwind, sdk.Invoice{ID: "i1", Memo: noText, Lines: []sdk.InvoiceLine{{Description: noText}}})
	got := make(chan []string, 1)
	i := sdktest.Start(t, addon(func(env sdk.Env) sdk.Parts {
		return sdk.Parts{Events: events(func(ctx context.Context, e sdk.Event) error {
			page, err := env.Host.Customers.ListCustomers(ctx, sdk.CustomerQuery{})
			if err != nil {
				return err
			}
			invoice, err := env.Host.Invoices.Invoice(ctx, "i1")
			if err != nil {
				return err
			}
			got <- []string{e.Customer.Name, page.Customers[0].Email, page.Customers[0].Address.City, invoice.Memo, invoice.Lines[0].Description}
			return nil
		})}
	}), sdktest.WithHost(host))
	if err := i.Handle(t.Context(), sdktest.Northwind, sdk.Event{ID: "e", Customer: bad}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{want, want, want, want, want}, <-got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
