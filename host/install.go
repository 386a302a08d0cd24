package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Install enables an add-on for the staff user's biller, with the permissions
// they agreed to; nil means all that the manifest names. The first biller's
// Install also makes the platform run the add-on. It does not wait until the
// add-on runs, and works without Run: running hosts follow the database.
//
// PermissionDenied without the ability addons:install, or if the operator has to
// approve the add-on first; NotFound if it is not offered; Conflict while its data
// is being deleted, or if another add-on has the address of its public pages;
// Invalid for a permission the manifest does not name. Installing what is installed
// is no error.
func (h *Host) Install(ctx context.Context, staff addon.Staff, addonID string, permissions []string) error {
	return h.install(ctx, staff, addonID, "", permissions)
}

// install is Install of one version; an empty one means the version that runs, or
// the newest that can.
func (h *Host) install(ctx context.Context, staff addon.Staff, addonID, version string, permissions []string) error {
	if !staff.Can(addon.AbilityInstall) {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to install add-ons.")
	}
	if err := h.admit(ctx, staff.BillerID, addonID); err != nil {
		return err
	}
	m, err := h.activate(ctx, addonID, version)
	if err != nil {
		return err
	}
	if permissions == nil {
		permissions = permissionNames(m)
	}
	for _, p := range permissions {
		if !m.HasPermission(p) {
			return apperr.Errorf(apperr.Invalid, "%s does not ask for the permission %s.", m.Name, p)
		}
	}
	if err := h.enable(ctx, staff, m, permissions); err != nil {
		return err
	}
	h.services.Agreed(staff.BillerID, addonID, permissions)
	h.fleet.Wake()
	return h.audit(ctx, staff, m, "addon.installed", permissions)
}

// activate returns the manifest of the version the platform runs; if it runs
// none yet, it unpacks the one that is offered and chooses it. Conflict if it runs
// another version than the one that staff agreed to: a version takes over from
// another one by a trial only.
func (h *Host) activate(ctx context.Context, addonID, version string) (*manifest.Manifest, error) {
	if err := h.shelf.refresh(ctx); err != nil {
		return nil, err
	}
	if m, ok := h.shelf.manifest(addonID); ok {
		return agreedTo(m, version)
	}
	switch a, err := h.store.ActiveOf(ctx, addonID); {
	case err == nil:
		return h.bring(ctx, a, version)
	case !apperr.Is(err, apperr.NotFound):
		return nil, err
	}
	offer, err := findFitting(ctx, h.config.Marketplace, addonID, version)
	if err != nil {
		return nil, err
	}
	if err := h.shelf.addressFree(offer.Manifest); err != nil {
		return nil, err
	}
	p, err := marketplace.Unpack(ctx, h.config.Marketplace, addonID, offer.Manifest.Version, h.shelf.dir)
	if err != nil {
		return nil, err
	}
	return p.Manifest, h.choose(ctx, p)
}

// choose makes the platform run a package that is unpacked, unless another add-on got
// its address meanwhile.
func (h *Host) choose(ctx context.Context, p *pack.Package) error {
	h.choosing.Lock()
	defer h.choosing.Unlock()
	if err := h.shelf.refresh(ctx); err != nil {
		return err
	}
	if err := h.shelf.addressFree(p.Manifest); err != nil {
		return err
	}
	err := h.store.SetActive(ctx, addon.Active{AddonID: p.Manifest.ID, Version: p.Manifest.Version, Digest: p.Digest})
	if err != nil {
		return err
	}
	return h.shelf.refresh(ctx)
}

// bring gets the package of the version that the platform runs, which this machine
// lacks.
func (h *Host) bring(ctx context.Context, a addon.Active, version string) (*manifest.Manifest, error) {
	p, err := h.shelf.open(ctx, a)
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, "This server cannot get "+a.AddonID+" "+a.Version+", which the platform runs: "+apperr.MessageOf(err), err)
	}
	m, err := agreedTo(p.Manifest, version)
	if err != nil {
		return nil, err
	}
	return m, h.shelf.refresh(ctx)
}

// agreedTo returns the manifest of the version that runs, if staff agreed to that
// one; empty means whichever.
func agreedTo(m *manifest.Manifest, version string) (*manifest.Manifest, error) {
	if version != "" && version != m.Version {
		return nil, apperr.Errorf(apperr.Conflict, "The platform runs version %s of %s by now. Open its page again and read what it asks for.", m.Version, m.Name)
	}
	return m, nil
}

// enable records the consent.
func (h *Host) enable(ctx context.Context, staff addon.Staff, m *manifest.Manifest, permissions []string) error {
	_, err := h.store.Install(ctx, addon.Installation{
		BillerID: staff.BillerID, AddonID: m.ID, State: addon.Enabled, Permissions: permissions, Version: m.Version, InstalledBy: staff.ID,
	})
	if !apperr.Is(err, apperr.Conflict) {
		return err
	}
	taken := err
	now, err := h.store.Installation(ctx, staff.BillerID, m.ID)
	if err == nil && now.State != addon.Enabled {
		return taken
	}
	if err != nil || now.Version == m.Version && slices.Equal(slices.Sorted(slices.Values(now.Permissions)), slices.Sorted(slices.Values(permissions))) {
		return err
	}
	return h.store.Agree(ctx, staff.BillerID, m.ID, m.Version, permissions)
}

// Remove suspends an add-on for the staff user's biller: its pages close, its
// data stays. PermissionDenied without the ability addons:install; NotFound if it
// is not installed.
func (h *Host) Remove(ctx context.Context, staff addon.Staff, addonID string) error {
	if !staff.Can(addon.AbilityInstall) {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to remove add-ons.")
	}
	if err := h.store.Suspend(ctx, staff.BillerID, addonID); err != nil {
		return err
	}
	h.services.Agreed(staff.BillerID, addonID, nil)
	h.fleet.Wake()
	return h.audit(ctx, staff, &manifest.Manifest{ID: addonID}, "addon.removed", nil)
}

// Installed returns the biller's installations, suspended ones included.
func (h *Host) Installed(ctx context.Context, biller string) ([]addon.Installation, error) {
	return h.store.Installations(ctx, biller)
}

// audit records what has been done: a browser that has gone meanwhile changes
// nothing about that.
func (h *Host) audit(ctx context.Context, staff addon.Staff, m *manifest.Manifest, action string, permissions []string) error {
	detail := map[string]string{}
	if m.Version != "" {
		detail["version"] = m.Version
		detail["permissions"] = fmt.Sprint(permissions)
	}
	err := h.platform.RecordAudit(context.WithoutCancel(ctx), staff.BillerID, addon.AuditRecord{
		At: h.config.Now().UTC(), AddonID: m.ID, StaffID: staff.ID, Action: action, Object: m.ID,
		RequestID: web.RequestID(ctx), Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("record audit: %w", err)
	}
	return nil
}

func permissionNames(m *manifest.Manifest) []string {
	names := []string{}
	for _, p := range m.Permissions {
		names = append(names, p.Name)
	}
	return names
}

// Ready returns nil when every add-on that is switched on answers, and why not
// otherwise.
func (h *Host) Ready(ctx context.Context) error {
	list, err := h.store.Active(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range list {
		if _, err := h.fleet.Client(a.AddonID); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.AddonID, err))
		}
	}
	return errors.Join(errs...)
}
