package supervisor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// roster is which billers a process knows, and by which credential.
type roster struct {
	w        *worker
	client   *wire.Client
	manifest *manifest.Manifest
	known    map[string]known
	told     nag
}

type known struct {
	installation addon.Installation
	credential   string
}

func newRoster(w *worker, client *wire.Client, m *manifest.Manifest) *roster {
	return &roster{w: w, client: client, manifest: m, known: map[string]known{}, told: nag{}}
}

// sync tells the process what changed since the last time. Billers whose hook
// failed are tried again at the next. A store that does not answer is no fault
// of the process, but leaves it incomplete; an error is the process's fault.
func (r *roster) sync(ctx context.Context) (complete bool, err error) {
	installations, err := r.w.sup.cfg.Store.InstallationsOf(ctx, r.w.id)
	if r.told.due("installations", err) {
		r.w.log.Warn("installations not read", "error", err.Error())
	}
	if err != nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.w.sup.cfg.Times.Enable)
	defer cancel()
	enabled := map[string]bool{}
	var changed []addon.Installation
	for _, i := range installations {
		if i.State != addon.Enabled {
			continue
		}
		enabled[i.BillerID] = true
		if k, ok := r.known[i.BillerID]; !ok || !same(k.installation, i) {
			changed = append(changed, i)
		}
	}
	for biller, k := range r.known {
		if !enabled[biller] {
			r.disable(ctx, k)
		}
	}
	settings, err := r.w.sup.cfg.Settings(ctx, r.manifest, changed)
	if r.told.due("settings", err) {
		r.w.log.Warn("settings not read", "error", err.Error())
	}
	if err != nil {
		return false, nil
	}
	err = r.enable(ctx, changed, settings)
	return err == nil, err
}

func same(a, b addon.Installation) bool {
	return a.Version == b.Version && a.UpdatedAt.Equal(b.UpdatedAt)
}

func (r *roster) enable(ctx context.Context, installations []addon.Installation, settings map[string]sdk.Settings) error {
	list := make([]wire.Enablement, 0, len(installations))
	fresh := map[string]known{}
	for _, i := range installations {
		call, err := r.w.sup.cfg.Call(ctx, i)
		if r.told.due("call "+i.BillerID, err) {
			r.w.log.Warn("biller not enabled", "biller", i.BillerID, "error", err.Error())
		}
		if err != nil {
			continue
		}
		credential := r.credential(i)
		list = append(list, wire.Enablement{Call: call, Credential: credential, Settings: settings[i.BillerID]})
		fresh[i.BillerID] = known{installation: i, credential: credential}
	}
	if len(list) == 0 {
		return nil
	}
	failed, err := r.client.Enable(ctx, list)
	for biller, k := range fresh {
		if old, ok := r.known[biller]; ok && old.credential != k.credential {
			r.revoke(old)
		}
		r.known[biller] = k
		reason, bad := failed[biller]
		var trouble error
		if bad {
			trouble = errors.New(reason)
		}
		if r.told.due("enable "+biller, trouble) {
			r.w.log.Warn("biller not enabled", "biller", biller, "reason", reason)
		}
		if bad {
			k.installation.UpdatedAt = time.Time{} // never the same: tried again
			r.known[biller] = k
		}
	}
	return err
}

// credential returns the one that the process works with already, if it still
// stands for the same rights: jobs under way go on when settings change.
func (r *roster) credential(i addon.Installation) string {
	if old := r.known[i.BillerID]; old.credential != "" && slices.Equal(old.installation.Permissions, i.Permissions) {
		return old.credential
	}
	return r.w.sup.cfg.Credentials.IssueInstallation(i)
}

// disable makes the process forget a biller. The credential ends first: what
// the add-on still tries for this biller fails.
func (r *roster) disable(ctx context.Context, k known) {
	r.revoke(k)
	r.known[k.installation.BillerID] = known{installation: k.installation}
	call, err := r.w.sup.cfg.Call(ctx, k.installation)
	if apperr.Is(err, apperr.NotFound) { // the platform has let the biller go
		call, err = sdk.Call{BillerID: k.installation.BillerID}, nil
	}
	if err == nil {
		err = r.client.Disable(ctx, call)
	}
	if r.told.due("disable "+k.installation.BillerID, err) {
		r.w.log.Warn("biller not disabled", "biller", k.installation.BillerID, "error", err.Error())
	}
	if err != nil {
		return
	}
	delete(r.known, k.installation.BillerID)
}

// close makes all credentials worthless; the process is ending.
func (r *roster) close() {
	for _, k := range r.known {
		r.revoke(k)
	}
}

func (r *roster) revoke(k known) { r.w.sup.cfg.Credentials.Revoke(k.credential) }
