package hosttest_test

import (
	"context"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// abilities says which ability each call of the host for a staff user takes.
func abilities() map[string]string {
	return map[string]string{
		"Install": addon.AbilityInstall, "BeginInstall": addon.AbilityInstall, "Remove": addon.AbilityInstall,
		"Export": addon.AbilityInstall, "ExportFile": addon.AbilityInstall, "TookOut": addon.AbilityInstall, "Purge": addon.AbilityInstall,
		"Settings": "staff:configure", "SaveSettings": "staff:configure",
		"Upgrade": addon.AbilityOperate, "Rollback": addon.AbilityOperate, "RollbackWithdrawn": addon.AbilityOperate, "Retry": addon.AbilityOperate,
		"Approve": addon.AbilityOperate, "Disapprove": addon.AbilityOperate, "Operations": addon.AbilityOperate,
		"Invite.Send": "staff:invite", "Invite.Resend": "staff:invite", "Invite.Status": "staff:invite", "Invite.Link": "staff:invite",
		"Report.Registrations": "staff:report",
	}
}

// without is everything that staff can be able to, but one.
func without(ability string) addon.Staff {
	s := hosttest.Dana()
	s.Abilities = slices.DeleteFunc([]string{addon.AbilityInstall, addon.AbilityOperate, "staff:invite", "staff:configure", "staff:report"},
		func(a string) bool { return a == ability })
	return s
}

// call calls with the staff user, "hello" for each text and nothing else.
func call(ctx context.Context, method reflect.Value, staff addon.Staff) error {
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		switch in := method.Type().In(i); in {
		case reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		case reflect.TypeFor[addon.Staff]():
			args = append(args, reflect.ValueOf(staff))
		case reflect.TypeFor[string]():
			args = append(args, reflect.ValueOf("hello"))
		case reflect.TypeFor[io.Writer]():
			args = append(args, reflect.ValueOf(io.Discard))
		case reflect.TypeFor[addon.PurgeOrder]():
			args = append(args, reflect.ValueOf(addon.PurgeOrder{AddonID: "hello"}))
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	out := method.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// TestEveryCallNeedsItsAbility reads the calls for staff from host.Host, those over
// RPC to an add-on with them: each is refused to somebody who may do everything else.
// A call that nobody has thought of fails.
func TestEveryCallNeedsItsAbility(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	methods := map[string]func(staff addon.Staff) reflect.Value{}
	typ := reflect.TypeFor[*host.Host]()
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		staffed := false
		for j := range m.Type.NumIn() {
			staffed = staffed || m.Type.In(j) == reflect.TypeFor[addon.Staff]()
		}
		if !staffed || m.Name == "Slots" || m.Name == "Draw" || m.Name == "Invite" || m.Name == "Report" {
			continue // Slots and Draw leave out what a person may not see
		}
		methods[m.Name] = func(addon.Staff) reflect.Value { return reflect.ValueOf(h.Host).Method(i) }
	}
	for part, of := range map[string]struct {
		typ reflect.Type
		get func(staff addon.Staff) reflect.Value
	}{
		"Invite": {reflect.TypeFor[sdk.Inviter](), func(s addon.Staff) reflect.Value { return reflect.ValueOf(h.Invite(s, "hello")) }},
		"Report": {reflect.TypeFor[sdk.Reporter](), func(s addon.Staff) reflect.Value { return reflect.ValueOf(h.Report(s, "hello")) }},
	} {
		for i := range of.typ.NumMethod() {
			name := of.typ.Method(i).Name
			methods[part+"."+name] = func(s addon.Staff) reflect.Value { return of.get(s).MethodByName(name) }
		}
	}
	for name, method := range methods {
		ability, ok := abilities()[name]
		if !ok {
			t.Errorf("what does %s need?", name)
			continue
		}
		for _, staff := range []addon.Staff{without(ability), {ID: "s", BillerID: "northwind"}} {
			if err := call(t.Context(), method(staff), staff); !apperr.Is(err, apperr.PermissionDenied) {
				t.Errorf("%s without %s: %v", name, ability, err)
			}
		}
	}
	if len(methods) != len(abilities()) {
		t.Errorf("%d calls, want %d", len(methods), len(abilities()))
	}
	if inst, err := h.Installed(t.Context(), "northwind"); err != nil || len(inst) != 1 || inst[0].State != addon.Enabled {
		t.Errorf("afterwards: %+v, %v", inst, err)
	}
}

// TestAddonWorksAfterItWasRemovedAndInstalledAtOnce: what was agreed to again counts
// for the process that runs on.
func TestAddonWorksAfterItWasRemovedAndInstalledAtOnce(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	for range 3 {
		if err := h.Remove(t.Context(), hosttest.Dana(), "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Invite(hosttest.Dana(), "hello").Status(t.Context(), "7"); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("while it is removed: %v", err)
		}
		h.MustInstall("hello")
		if _, err := h.Invite(hosttest.Dana(), "hello").Status(t.Context(), "7"); err != nil {
			t.Errorf("installed again: %v", err)
		}
	}
}
