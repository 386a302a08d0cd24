package wire_test

import (
	"context"
	"errors"
	"fmt"
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

func TestBillers(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: "contoso", Name: "Contoso"})
	var env sdk.Env
	hook := func(ctx context.Context) error {
		b, err := env.Host.Billers.Biller(ctx)
		if err == nil && b.ID == "contoso" && len(env.Host.Billers.Enabled()) > 1 {
			return apperr.Errorf(apperr.Unavailable, "Not now.")
		}
		return err
	}
	left := make(chan string, 2)
	leave := func(ctx context.Context) error { left <- sdk.CallFrom(ctx).BillerID; return nil }
	i := sdktest.Start(t, addon(func(e sdk.Env) sdk.Parts {
		env = e
		return sdk.Parts{Billers: hooks{hook, leave, leave}}
	}), sdktest.WithHost(host))
	if _, err := env.Host.Billers.As(t.Context(), sdktest.Northwind); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("As before Enable: %v", err)
	}
	i.Enable(sdktest.Northwind)
	call := sdk.Call{BillerID: "contoso"}
	failed, err := i.Client.Enable(t.Context(), []wire.Enablement{{Call: call, Credential: host.Credential(call)}})
	if err != nil || failed["contoso"] != "Not now." {
		t.Errorf("Enable = %v, %v", failed, err)
	}
	job, err := env.Host.Billers.As(t.Context(), sdktest.Northwind)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := env.Host.Billers.Biller(job); err != nil || b.ID != sdktest.Northwind || sdk.CallFrom(job).PortalURL == "" {
		t.Errorf("as Northwind: %+v, %v, %+v", b, err, sdk.CallFrom(job))
	}
	if _, err := env.Host.Customers.ListCustomers(job, sdk.CustomerQuery{}); err != nil {
		t.Errorf("a job lists customers: %v", err)
	}
	if err := i.Disable(t.Context(), "contoso"); err != nil {
		t.Error(err)
	}
	if err := i.Purge(t.Context(), sdktest.Northwind); err != nil {
		t.Error(err)
	}
	if a, b := <-left, <-left; a != "contoso" || b != sdktest.Northwind || len(env.Host.Billers.Enabled()) != 0 {
		t.Errorf("left %q, %q; still %v", a, b, env.Host.Billers.Enabled())
	}
}

func TestManyBillersAreEnabledOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	busy, times := map[string]bool{}, map[string]int{}
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Billers: hooks{enable: func(ctx context.Context) error {
			id := sdk.CallFrom(ctx).BillerID
			mu.Lock()
			overlap := busy[id]
			busy[id] = true
			times[id]++
			mu.Unlock()
			if overlap {
				return errors.New("two hooks of one biller at once")
			}
			mu.Lock()
			defer mu.Unlock()
			delete(busy, id)
			return nil
		}}}
	}))
	var ids []string
	for n := range 500 {
		ids = append(ids, fmt.Sprintf("b%03d", n), "same")
	}
	i.Enable(ids...)
	if len(times) != 501 || times["same"] != 500 || times["b499"] != 1 {
		t.Errorf("%d billers, same %d times", len(times), times["same"])
	}
}

func TestReportStreams(t *testing.T) {
	t.Parallel()
	stopped := make(chan error, 1)
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Report: reporter(func(ctx context.Context, q sdk.RegistrationQuery, send func(sdk.Registration) error) error {
			for n := 0; q.Limit == 0 || n < q.Limit; n++ {
				if err := send(sdk.Registration{CustomerID: fmt.Sprint(n), Name: strings.Repeat("x", 1000)}); err != nil {
					stopped <- err
					return err
				}
			}
			return apperr.Errorf(apperr.Unavailable, "That was all.")
		})}
	}))
	r := i.Report(i.StaffCall(sdktest.Northwind, "staff:report"))
	count := 0
	err := r.Registrations(t.Context(), sdk.RegistrationQuery{Limit: 1000}, func(row sdk.Registration) error {
		if row.CustomerID != fmt.Sprint(count) {
			t.Fatalf("row %d is %s", count, row.CustomerID)
		}
		count++
		return nil
	})
	if count != 1000 || apperr.MessageOf(err) != "That was all." {
		t.Errorf("%d rows, %v", count, err)
	}
	enough := errors.New("enough")
	if err := r.Registrations(t.Context(), sdk.RegistrationQuery{}, func(sdk.Registration) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	if err := <-stopped; err == nil {
		t.Error("the add-on was not told")
	}
}

func TestDrainWaits(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var order []string
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{
			Invite: inviter{send: func(context.Context, string) (sdk.Invitation, error) {
				close(entered)
				<-release
				return sdk.Invitation{ID: "done"}, nil
			}},
			Run: func(ctx context.Context) error {
				<-ctx.Done()
				order = append(order, "run")
				return ctx.Err()
			},
			Close: func() error { order = append(order, "close"); return nil },
		}
	}))
	in := i.Invite(i.StaffCall(sdktest.Northwind))
	answered := make(chan error, 1)
	go func() {
		inv, err := in.Send(context.Background(), "x")
		if err == nil && inv.ID != "done" {
			err = fmt.Errorf("answer %+v", inv)
		}
		answered <- err
	}()
	<-entered
	draining := func() bool { // on a busy machine a short time may be over before the add-on hears of it
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := i.Client.Drain(short); !apperr.Is(err, apperr.Unavailable) {
			t.Fatalf("Drain with a call in flight: %v", err)
		}
		_, err := in.Link(t.Context(), "x")
		return apperr.Is(err, apperr.Unavailable)
	}
	for late := time.Now().Add(time.Minute); !draining(); {
		if time.Now().After(late) {
			t.Fatal("it takes calls while draining")
		}
	}
	if _, err := in.Send(t.Context(), "x"); !apperr.Is(err, apperr.Unavailable) || wire.Gone(err) {
		t.Errorf("call while draining: %v", err)
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("call in flight: %v", err)
	}
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"run", "close"}, order); diff != "" {
		t.Error(diff)
	}
	if err := i.Client.Health(t.Context()); err == nil {
		t.Error("healthy after its end")
	}
}
