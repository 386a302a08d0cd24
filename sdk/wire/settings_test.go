package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func allSettings() sdk.Settings {
	return sdk.NewSettings(map[string]any{
		"heading": "Grüße", "empty": "", "count": int64(-7), "none": int64(0), "on": true, "off": false,
		"words": []string{"a", "b"}, "nothing": []string{}, "unknown": 1.5,
	}, map[string]string{"token": "s3cret"})
}

func TestSettingsTravel(t *testing.T) {
	t.Parallel()
	want := allSettings()
	got := wire.SettingsFromPB(wire.SettingsToPB(want))
	if diff := cmp.Diff(want.Values(), got.Values()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Secrets(), got.Secrets()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got.Has("unknown") || !got.Has("empty") || !got.Has("token") || got.Text("token") != "" || got.Secret("token") != "s3cret" {
		t.Errorf("got %v", got.Values())
	}
	if zero := wire.SettingsFromPB(wire.SettingsToPB(sdk.Settings{})); len(zero.Values())+len(zero.Secrets()) != 0 {
		t.Errorf("the zero value changes: %v", zero.Values())
	}
}

// Settings come with Enable, are those of the call's biller, and stay the same
// for a request that is under way.
func TestSettingsOfTheCall(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: "contoso", Name: "Contoso"})
	entered, proceed := make(chan struct{}), make(chan struct{})
	var env sdk.Env
	enabled := make(chan string, 10)
	i := sdktest.Start(t, addon(func(e sdk.Env) sdk.Parts {
		env = e
		return sdk.Parts{
			Billers: hooks{enable: func(ctx context.Context) error {
				enabled <- sdk.SettingsFrom(ctx).Text("heading")
				return nil
			}},
			Public: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(entered)
					<-proceed
				}
				_, _ = fmt.Fprint(w, sdk.SettingsFrom(r.Context()).Text("heading"))
			}),
			Invite: inviter{send: func(ctx context.Context, _ string) (sdk.Invitation, error) {
				return sdk.Invitation{ID: sdk.SettingsFrom(ctx).Text("heading")}, nil
			}},
			Report: reporter(func(ctx context.Context, _ sdk.RegistrationQuery, send func(sdk.Registration) error) error {
				return send(sdk.Registration{Name: sdk.SettingsFrom(ctx).Text("heading")})
			}),
		}
	}), sdktest.WithHost(host))
	set := func(biller, heading string) {
		host.SetSettings(biller, sdk.NewSettings(map[string]any{"heading": heading}, nil))
		i.Enable(biller)
		if got := <-enabled; got != heading {
			t.Errorf("the hook sees %q, want %q", got, heading)
		}
	}
	page := func(biller, path string) string {
		rec := httptest.NewRequest(http.MethodGet, path, nil)
		res := i.Do(wire.Public, i.PublicCall(biller), rec)
		defer func() { _ = res.Body.Close() }() // read whole below
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	set(sdktest.Northwind, "before")
	set("contoso", "theirs")
	slow := make(chan string, 1)
	go func() { slow <- page(sdktest.Northwind, "/slow") }()
	<-entered
	set(sdktest.Northwind, "after")
	close(proceed)
	if got := <-slow; got != "before" {
		t.Errorf("a request under way sees %q", got)
	}
	if got := page(sdktest.Northwind, "/") + page("contoso", "/") + page("nobody", "/"); got != "aftertheirs" {
		t.Errorf("pages see %q", got)
	}
	inv, err := i.Invite(i.StaffCall("contoso")).Send(t.Context(), "c")
	if err != nil || inv.ID != "theirs" {
		t.Errorf("a call sees %q, %v", inv.ID, err)
	}
	err = i.Report(i.StaffCall("contoso")).Registrations(t.Context(), sdk.RegistrationQuery{}, func(r sdk.Registration) error {
		if r.Name != "theirs" {
			return fmt.Errorf("a stream sees %q", r.Name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	job, err := env.Host.Billers.As(t.Context(), "contoso")
	if err != nil || sdk.SettingsFrom(job).Text("heading") != "theirs" {
		t.Errorf("a job sees %q, %v", sdk.SettingsFrom(job).Text("heading"), err)
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	check := func(ctx context.Context, s sdk.Settings) error {
		switch s.Text("heading") {
		case "panic":
			panic("no")
		case "slow":
			<-ctx.Done()
			return ctx.Err()
		case "uncoded":
			return errors.New("password is hunter2")
		case "bad":
			return &apperr.Error{Code: apperr.Invalid, Message: "Two are wrong.", Fields: map[string]string{"heading": "No.", "token": "Too short."}}
		}
		if v := sdk.CallFrom(ctx).Viewer; v.StaffID != "staff-1" || sdk.CredentialFrom(ctx) == "" {
			return fmt.Errorf("called by %+v", v)
		}
		return nil
	}
	with := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts { return sdk.Parts{CheckSettings: check} }))
	ask := func(heading string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return with.CheckSettings(ctx, with.StaffCall(sdktest.Northwind), sdk.NewSettings(map[string]any{"heading": heading}, nil))
	}
	for heading, want := range map[string]apperr.Code{"": "", "bad": apperr.Invalid, "panic": apperr.Internal, "uncoded": apperr.Internal} {
		if err := ask(heading, time.Minute); apperr.CodeOf(err) != want {
			t.Errorf("%s: %v", heading, err)
		}
	}
	if err := ask("slow", 50*time.Millisecond); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("slow: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"heading": "No.", "token": "Too short."}, apperr.FieldsOf(ask("bad", time.Minute))); diff != "" {
		t.Error(diff)
	}
	without := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts { return sdk.Parts{} }))
	if err := without.CheckSettings(t.Context(), without.StaffCall(sdktest.Northwind), sdk.Settings{}); err != nil {
		t.Errorf("without a check: %v", err)
	}
	bad := sdk.NewSettings(map[string]any{"heading": "\xff"}, nil)
	if err := with.CheckSettings(t.Context(), with.StaffCall(sdktest.Northwind), bad); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("no text: %v", err)
	}
}
