package services_test

import (
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func inviter(billerID string) services.Grant {
	return services.Grant{BillerID: billerID, AddonID: portal, Permissions: all(), Viewer: sdk.Viewer{StaffID: "s1", Abilities: []string{"staff:invite"}}}
}

// TestPermitBindsAnAddress: only staff make permits, and each is good for one
// biller, add-on, customer and address.
func TestPermitBindsAnAddress(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	ctx := t.Context()
	permit, err := mustHost(t, w, inviter(biller)).Mail.Permit(ctx, "c-b1", "Colleague@Acme.example")
	if err != nil {
		t.Fatal(err)
	}
	job := services.Grant{BillerID: biller, AddonID: portal, Permissions: all()}
	tests := []struct {
		name  string
		grant services.Grant
		edit  func(*sdk.Message)
		code  apperr.Code
	}{
		{"what staff let through", job, func(*sdk.Message) {}, ""},
		{"another address", job, func(m *sdk.Message) { m.To = "x@acme.example" }, apperr.PermissionDenied},
		{"another kind", job, func(m *sdk.Message) { m.Kind = "invitation" }, apperr.PermissionDenied},
		{"no permit", job, func(m *sdk.Message) { m.Permit = "" }, apperr.PermissionDenied},
		{"a longer life", job, func(m *sdk.Message) { m.Permit = "9" + m.Permit }, apperr.PermissionDenied},
		{"garbage", job, func(m *sdk.Message) { m.Permit = "x.y" }, apperr.PermissionDenied},
		{"no customer", job, func(m *sdk.Message) { m.CustomerID = "" }, apperr.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := message(strings.ReplaceAll(tt.name, " ", "-"))
			m.Kind, m.To, m.Permit = "access", "colleague@acme.example", permit
			tt.edit(&m)
			_, err := mustHost(t, w, tt.grant).Mail.Send(ctx, m)
			wantCode(t, "Send", err, tt.code)
		})
	}
	theirs := message("theirs")
	theirs.Kind, theirs.To, theirs.CustomerID, theirs.Permit = "access", "colleague@acme.example", "c-b2", permit
	_, err = mustHost(t, w, services.Grant{BillerID: other, AddonID: portal, Permissions: all()}).Mail.Send(ctx, theirs)
	wantCode(t, "the other biller's", err, apperr.PermissionDenied)

	m := message("foreign")
	m.Kind, m.To, m.Permit = "access", "colleague@acme.example", permit
	foreign, err := w.Addon("notices").For(ctx, w.IssueRequest(services.Grant{BillerID: biller, AddonID: "notices", Permissions: all()}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = foreign.Mail.Send(ctx, m)
	wantCode(t, "another add-on's", err, apperr.PermissionDenied)
	if a := w.platform.audits; len(a) != 1 || a[0].Action != "mail.permitted" || a[0].StaffID != "s1" || strings.Contains(a[0].Detail["to"], "olleague") {
		t.Errorf("audit = %+v", a)
	}
}

func TestPermitNeedsStaff(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	job, reader, public := inviter(biller), inviter(biller), inviter(biller)
	job.Viewer, reader.Viewer.Abilities, public.Public = sdk.Viewer{}, []string{"staff:report"}, true
	for name, g := range map[string]services.Grant{"a job": job, "staff who may not invite": reader, "a public page": public} {
		_, err := mustHost(t, w, g).Mail.Permit(t.Context(), "c-b1", "x@acme.example")
		wantCode(t, name, err, apperr.PermissionDenied)
	}
	_, err := mustHost(t, w, inviter(biller)).Mail.Permit(t.Context(), "nobody", "x@acme.example")
	wantCode(t, "an unknown customer", err, apperr.NotFound)
	_, err = mustHost(t, w, inviter(biller)).Mail.Permit(t.Context(), "c-b1", "x")
	wantCode(t, "no address", err, apperr.Invalid)
}

func TestPermitEnds(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, inviter(biller))
	m := message("late")
	var err error
	if m.Permit, err = h.Mail.Permit(t.Context(), "c-b1", "x@acme.example"); err != nil {
		t.Fatal(err)
	}
	m.Kind, m.To = "access", "x@acme.example"
	w.now.Add(int64(90 * 24 * time.Hour / time.Second))
	_, err = mustHost(t, w, inviter(biller)).Mail.Send(t.Context(), m)
	wantCode(t, "after ninety days", err, apperr.PermissionDenied)
}
