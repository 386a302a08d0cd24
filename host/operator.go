package host

import (
	"context"
	"path/filepath"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// operatorPages is what the pages of operators ask.
type operatorPages struct{ *Host }

var (
	_ admin.Operator = operatorPages{}
	_ admin.Purger   = (*Host)(nil)
)

// Operation implements admin.Operator.
func (p operatorPages) Operation(ctx context.Context, by addon.Staff, addonID string) (admin.Operation, error) {
	if err := mayOperate(by); err != nil {
		return admin.Operation{}, err
	}
	o, err := p.active(ctx, addonID)
	if err != nil {
		return admin.Operation{}, err
	}
	known := p.known(ctx)
	o.BeforeWithdrawnAt = withdrawn(known, addonID, o.Previous.Version)
	for _, offer := range known.Offers {
		if m := offer.Manifest; m.ID == addonID {
			o.Versions = append(o.Versions, admin.Offered{Version: addon.Version{Version: m.Version, Digest: offer.Digest}, Manifest: m, Problem: unfit(m)})
		}
	}
	if len(o.Versions) == 0 && o.Digest == "" {
		return admin.Operation{}, known.Missing(addonID, "")
	}
	o.Current, o.Before = p.manifestOf(o, o.Active.Current()), p.manifestOf(o, o.Previous)
	return o, p.describe(ctx, &o, addonID)
}

// active is what runs of the add-on and how; zero if the platform does not run it.
func (p operatorPages) active(ctx context.Context, addonID string) (admin.Operation, error) {
	list, err := p.Addons(ctx)
	if err != nil {
		return admin.Operation{}, err
	}
	for _, s := range list {
		if s.AddonID == addonID {
			return admin.Operation{
				Active: s.Active, State: string(s.State), RetryAt: s.RetryAt, Error: s.Error, Report: s.Report,
				Serving: s.Serving, Trial: s.Trial, Processes: s.Processes, WithdrawnAt: s.WithdrawnAt,
			}, nil
		}
	}
	return admin.Operation{Active: addon.Active{AddonID: addonID}}, nil
}

// describe adds what the host's store knows.
func (p operatorPages) describe(ctx context.Context, o *admin.Operation, addonID string) error {
	installed, err := p.store.InstallationsOf(ctx, addonID)
	if err != nil {
		return err
	}
	for _, i := range installed {
		if i.State == addon.Enabled {
			o.Billers++
		}
	}
	o.NeedsApproval = p.config.Policy == PolicyApproved
	approvals, err := p.store.Approvals(ctx)
	if err != nil {
		return err
	}
	o.Approval = approvals[addonID]
	o.History, err = p.store.Operations(ctx, addonID, operationsShown)
	return err
}

// manifestOf returns that of a version on offer or unpacked here; nil if it is
// neither.
func (p operatorPages) manifestOf(o admin.Operation, v addon.Version) *manifest.Manifest {
	if v.Digest == "" {
		return nil
	}
	for _, offered := range o.Versions {
		if offered.Digest == v.Digest {
			return offered.Manifest
		}
	}
	if pkg, err := pack.Open(filepath.Join(p.shelf.dir, v.Digest)); err == nil {
		return pkg.Manifest
	}
	return nil
}
