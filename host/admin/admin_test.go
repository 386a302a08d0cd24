package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// fake is every part the pages need.
type fake struct {
	zone      string // of the biller
	staff     addon.Staff
	signedOut bool
	refused   string // as the last page said
	installed map[string]addon.Installation
	run       func() admin.RunState
	change    func(*admin.Offer)
	trouble   string
	gone      []admin.Gone
	detail    admin.Detail
	under     addon.Installing
	icon      []byte
	installs  []string
	removes   []string
	err       error
	manifest  *manifest.Manifest // offered besides
	settings  func(addon.Staff, string) (addon.SettingsState, error)
	save      func(addon.Staff, string, addon.SettingsChange) error
}

func (f *fake) Listing(context.Context) (admin.Listing, error) {
	m := &manifest.Manifest{
		ID: "customer-portal", Name: "Customer Portal", Version: "1.0.0", Summary: "Invite your customers.", Publisher: "Billing Add-ons", Icon: "people",
		Description: "Send an **invitation**.<script>x</script>\n\n[a](javascript:x)",
		Permissions: []manifest.Permission{{Name: "customers:read", Reason: "To show whom you can invite."}, {Name: "mail:send", Reason: "To send <b>invitations</b>."}},
		Pages:       manifest.Pages{Public: manifest.PublicPages{Prefix: "portal"}, Staff: []manifest.StaffPage{{Path: "/", Title: "Customer Portal", Ability: "staff:invite"}}},
		Slots:       []manifest.Slot{{Name: "customer.tab", Title: "Portal tab", Path: "/customer"}},
	}
	late := &manifest.Manifest{ID: "late-fees", Name: "Late Fees", Version: "2.0.4", Summary: "Adds a fee.", Publisher: "Fieldnote", Icon: "icon.svg"}
	offers := []admin.Offer{{Manifest: m, Size: 18_400_000}, {Manifest: late}}
	if f.manifest != nil {
		offers = append(offers, admin.Offer{Manifest: f.manifest})
	}
	if f.change != nil {
		f.change(&offers[0])
	}
	return admin.Listing{Offers: offers, Trouble: f.trouble, Gone: f.gone}, f.err
}

func (f *fake) Detail(context.Context, admin.Offer) (admin.Detail, error) { return f.detail, nil }

func (f *fake) Icon(context.Context, admin.Offer) ([]byte, error) {
	if f.icon == nil {
		return nil, apperr.Errorf(apperr.NotFound, "none")
	}
	return f.icon, nil
}

func (f *fake) Installing(_ context.Context, biller, id string) (addon.Installing, error) {
	if f.under.BillerID != biller || f.under.AddonID != id {
		return addon.Installing{}, apperr.Errorf(apperr.NotFound, "none")
	}
	return f.under, nil
}

func (f *fake) Installation(_ context.Context, biller, id string) (addon.Installation, error) {
	inst, ok := f.installed[biller+"/"+id]
	if !ok {
		return addon.Installation{}, apperr.Errorf(apperr.NotFound, "no installation")
	}
	return inst, nil
}

func (f *fake) BeginInstall(_ context.Context, s addon.Staff, id, version string, permissions []string) error {
	f.installs = append(f.installs, s.BillerID+" "+id+" "+version+" "+strings.Join(permissions, ","))
	return f.err
}

func (f *fake) Remove(_ context.Context, s addon.Staff, id string) error {
	f.removes = append(f.removes, s.BillerID+" "+id)
	return f.err
}

func (f *fake) Settings(_ context.Context, s addon.Staff, id string) (addon.SettingsState, error) {
	if f.settings == nil {
		return addon.SettingsState{}, apperr.Errorf(apperr.NotFound, "no settings")
	}
	return f.settings(s, id)
}

func (f *fake) SaveSettings(_ context.Context, s addon.Staff, id string, c addon.SettingsChange) error {
	return f.save(s, id, c)
}

func (f *fake) State(string) admin.RunState {
	if f.run == nil {
		return admin.Running
	}
	return f.run()
}

func (f *fake) Biller(context.Context, string) (sdk.Biller, error) {
	return sdk.Biller{Name: "Northwind Pool Service", TimeZone: f.zone}, nil
}

func (f *fake) StaffFrom(*http.Request) (addon.Staff, error) {
	if f.signedOut {
		return addon.Staff{}, apperr.Errorf(apperr.Unauthenticated, "sign in")
	}
	return f.staff, nil
}

func (f *fake) Frame(w http.ResponseWriter, _ *http.Request, p addon.Page) {
	f.refused = p.Refused
	w.WriteHeader(max(p.Status, 200))
	fmt.Fprintf(w, "[%s|%s]%s", p.Title, p.Active, p.Body)
}

func remoteIP(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }

func MustHandler(tb testing.TB, f *fake) http.Handler {
	tb.Helper()
	if f.staff.ID == "" {
		f.staff = addon.Staff{ID: "s1", BillerID: "northwind", Abilities: []string{addon.AbilityInstall, "staff:invite"}}
	}
	h, err := admin.New(admin.Config{
		Catalog: f, Installations: f, Installer: f, Settings: f, Runner: f, Platform: f, Log: slog.New(slog.DiscardHandler),
		StaffPath: "/admin", SignInPath: "/sign-in", RemoteIP: remoteIP, Now: func() time.Time { return noon },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func enabled(ids ...string) map[string]addon.Installation {
	m := map[string]addon.Installation{"southgate/late-fees": {State: addon.Enabled}}
	for _, id := range ids {
		m["northwind/"+id] = addon.Installation{State: addon.Enabled, Version: "1.0.0", Permissions: []string{"customers:read", "mail:send"}}
	}
	return m
}

func request(h http.Handler, method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	viewer := addon.Staff{ID: "s2", BillerID: "northwind"}
	suspended := map[string]addon.Installation{"northwind/customer-portal": {State: addon.Suspended}, "southgate/late-fees": {State: addon.Suspended}}
	starting := func() admin.RunState { return admin.Starting }
	unwell := func() admin.RunState { return admin.Unavailable }
	tests := []struct {
		name, path string
		f          *fake
		status     int
		want, not  []string
	}{
		{"marketplace", "", &fake{installed: enabled("late-fees")}, 200,
			[]string{"[Add-ons Marketplace|marketplace]", `<a class="btn" href="/admin/marketplace/customer-portal/install">Install</a>`, "Installed (1)", "Late Fees"}, nil},
		{"nothing of another biller", "", &fake{installed: enabled()}, 200, []string{"Installed (0)"}, []string{"badge good"}},
		{"search", "?q=fee+adds", &fake{}, 200, []string{"Late Fees"}, []string{"Customer Portal"}},
		{"search finds nothing", "?q=%3Cb%3E", &fake{}, 200, []string{"No add-on matches “&lt;b&gt;”."}, nil},
		{"installed ones", "?show=installed", &fake{installed: enabled("late-fees")}, 200, []string{"Late Fees"}, []string{"Customer Portal"}},
		{"consent", "/customer-portal/install", &fake{}, 200, []string{
			"Install Customer Portal?", "For Northwind Pool Service. Version 1.0.0 by Billing Add-ons", "Read customers", "To send &lt;b&gt;invitations&lt;/b&gt;.",
			"Agree and install", "A tab <b>Portal tab</b> on every customer", "18.4 MB", `action="/admin/marketplace/customer-portal/install"`,
		}, []string{"<script", "javascript:"}},
		{"consent without the ability", "/customer-portal/install", &fake{staff: viewer}, 403, []string{"Ask an owner"}, []string{"Agree and install"}},
		{"about", "/customer-portal", &fake{}, 200, []string{"<h1>Customer Portal</h1>", "<strong>invitation</strong>", "Read customers", "18.4 MB",
			`href="/admin/marketplace/customer-portal/install">Install</a>`}, []string{"<script", "javascript:", "Agree and install"}},
		{"about without the ability", "/customer-portal", &fake{staff: viewer}, 200, []string{"Ask an owner of Northwind Pool Service"}, []string{"/install"}},
		{"installed", "/customer-portal", &fake{installed: enabled("customer-portal")}, 200, []string{"Running", `href="/admin/addons/customer-portal/"`, "/remove"}, []string{"/install\""}},
		{"no Open without the page's ability", "", &fake{staff: viewer, installed: enabled("customer-portal")}, 200, []string{"Installed"}, []string{">Open<", "/admin/addons/"}},
		{"no Open on its page either", "/customer-portal", &fake{staff: viewer, installed: enabled("customer-portal")}, 200, []string{"Running"}, []string{">Open<", "/admin/addons/"}},
		{"removed", "?removed=customer-portal", &fake{installed: suspended}, 200, []string{"Customer Portal was removed. Its data is kept."}, nil},
		{"claimed to be removed", "?removed=customer-portal", &fake{installed: enabled("customer-portal")}, 200, nil, []string{"was removed"}},
		{"removed by another biller", "?removed=late-fees", &fake{installed: suspended}, 200, nil, []string{"was removed"}},
		{"removed, but never there", "?removed=%3Cb%3E", &fake{installed: suspended}, 200, nil, []string{"was removed"}},
		{"suspended may be installed", "/customer-portal", &fake{installed: map[string]addon.Installation{"northwind/customer-portal": {State: addon.Suspended}}}, 200, []string{"/customer-portal/install"}, nil},
		{"asks for more than before", "/customer-portal", &fake{installed: map[string]addon.Installation{"northwind/customer-portal": {State: addon.Enabled, Permissions: []string{"mail:send"}}}}, 200, []string{"asks for more than you agreed to", ">Agree<"}, nil},
		{"installed, starting", "/customer-portal", &fake{installed: enabled("customer-portal"), run: starting}, 200, []string{"Starting"}, []string{"Running"}},
		{"installed, not available", "/customer-portal", &fake{installed: enabled("customer-portal"), run: unwell}, 200, []string{"Not available now", "started again by itself"}, []string{"Running"}},
		{"unknown add-on", "/nothing", &fake{}, 404, []string{"There is no such add-on"}, nil},
		{"withdrawn and not here", "/old-fees", &fake{gone: []admin.Gone{{AddonID: "old-fees", Version: "1.9.0", At: noon}}}, 404,
			[]string{"old-fees 1.9.0 was withdrawn from the marketplace on November 21, 2026. It cannot be installed any more."}, []string{"no such add-on", "ask whoever"}},
		{"withdrawn in the evening of the biller's day", "/old-fees", &fake{zone: "America/New_York", gone: []admin.Gone{{AddonID: "old-fees", Version: "1.9.0", At: noon.Add(14 * time.Hour)}}}, 404,
			[]string{"marketplace on November 21, 2026."}, nil},
		{"withdrawn, installed and not here", "/old-fees", &fake{installed: enabled("old-fees"), gone: []admin.Gone{{AddonID: "old-fees", Version: "1.9.0", At: noon}}}, 404,
			[]string{"was withdrawn", "ask whoever runs this platform for another version"}, []string{"no such add-on"}},
		{"unknown page", "/customer-portal/x/y", &fake{}, 404, []string{"typing mistake"}, nil},
		{"remove", "/customer-portal/remove", &fake{installed: enabled("customer-portal")}, 200, []string{"Remove Customer Portal?"}, nil},
		{"remove without the ability", "/customer-portal/remove", &fake{staff: viewer, installed: enabled("customer-portal")}, 403, []string{"Your role does not allow this"}, nil},
		{"broken catalogue", "", &fake{err: errors.New("secret path")}, 500, []string{apperr.GenericMessage, "R-"}, []string{"secret path"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := request(MustHandler(t, tt.f), "GET", "/admin/marketplace"+tt.path, nil)
			if w.Code != tt.status {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			for _, want := range tt.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("no %q in %s", want, w.Body)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(w.Body.String(), not) {
					t.Errorf("%q in %s", not, w.Body)
				}
			}
		})
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	agreed := url.Values{"version": {"1.0.0"}}
	all := []string{"northwind customer-portal 1.0.0 customers:read,mail:send"}
	state := func(s admin.OfferState) func(*admin.Offer) { return func(o *admin.Offer) { o.State = s } }
	tests := []struct {
		name     string
		f        *fake
		form     url.Values
		status   int
		location string
		want     []string
	}{
		{"agreed", &fake{}, agreed, 303, "/admin/marketplace/customer-portal/installing", all},
		{"runs already", &fake{installed: enabled("customer-portal")}, agreed, 303, "/admin/addons/customer-portal/", nil},
		{"installed, but does not run", &fake{installed: enabled("customer-portal"), run: func() admin.RunState { return admin.Unavailable }}, agreed, 303, "/admin/marketplace/customer-portal/installing", all},
		{"another version was shown", &fake{}, url.Values{"version": {"0.9.0"}}, 409, "", nil},
		{"needs a newer platform", &fake{change: state(admin.NeedsPlatform)}, agreed, 409, "", nil},
		{"not for this processor", &fake{change: state(admin.OtherProcessor)}, agreed, 409, "", nil},
		{"withdrawn", &fake{change: state(admin.Withdrawn)}, agreed, 409, "", nil},
		{"not approved", &fake{change: state(admin.WaitsForOperator)}, agreed, 409, "", nil},
		{"without the ability", &fake{staff: addon.Staff{ID: "s2", BillerID: "northwind"}}, agreed, 403, "", nil},
		{"signed out", &fake{signedOut: true}, agreed, 303, "/sign-in?next=%2Fadmin%2Fmarketplace", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := request(MustHandler(t, tt.f), "POST", "/admin/marketplace/customer-portal/install", tt.form)
			if w.Code != tt.status || w.Header().Get("Location") != tt.location {
				t.Errorf("%d %s: %s", w.Code, w.Header().Get("Location"), w.Body)
			}
			if diff := cmp.Diff(tt.want, tt.f.installs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	f := &fake{installed: enabled("customer-portal")}
	w := request(MustHandler(t, f), "POST", "/admin/marketplace/customer-portal/remove", nil)
	if w.Code != 303 || w.Header().Get("Location") != "/admin/marketplace?removed=customer-portal" || !slices.Equal(f.removes, []string{"northwind customer-portal"}) {
		t.Errorf("%d %s %v", w.Code, w.Header().Get("Location"), f.removes)
	}
}

func TestOtherSitesInstallNothing(t *testing.T) {
	t.Parallel()
	f := &fake{}
	r := httptest.NewRequest("POST", "/admin/marketplace/customer-portal/install", strings.NewReader("version=1.0.0"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-site")
	w := httptest.NewRecorder()
	MustHandler(t, f).ServeHTTP(w, r)
	if w.Code != 403 || len(f.installs) != 0 || !strings.Contains(w.Body.String(), "another website") {
		t.Errorf("%d %v %s", w.Code, f.installs, w.Body)
	}
}
