package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

const (
	// purgeLease is how long a server that does a purge may be silent before
	// another one takes it for dead.
	purgeLease = 20 * time.Second
	// purgeTime bounds one try.
	purgeTime = 15 * time.Minute
)

// Purge deletes what a removed add-on keeps for the staff user's biller, for good.
// It orders that and does not wait: a running host does it as soon as the add-on
// runs, also after a restart; the installation is in the state addon.Purging
// until then and gone afterwards. Ordering it again is no error.
//
// PermissionDenied without the ability addons:install; NotFound if the add-on is
// not installed; Invalid, with the field name, if that is not its name; Conflict
// while it is not removed, or not exported.
func (h *Host) Purge(ctx context.Context, staff addon.Staff, o addon.PurgeOrder) error {
	if !staff.Can(addon.AbilityInstall) {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to delete the data of add-ons.")
	}
	inst, err := h.store.Installation(ctx, staff.BillerID, o.AddonID)
	if err != nil {
		return err
	}
	if name := h.nameOf(ctx, o.AddonID); strings.TrimSpace(o.Name) != name {
		return apperr.Field("name", "Type "+name+", exactly so.")
	}
	op := operation(staff, addon.ActionPurge, o.AddonID, inst.Version, "")
	op.BillerID = staff.BillerID
	p := addon.Purge{StaffID: op.StaffID, By: op.By, KeepExport: o.KeepExport}
	begun, err := h.store.BeginPurge(ctx, staff.BillerID, p, op)
	if err != nil || !begun {
		return err
	}
	h.purges.nudge()
	return h.record(context.WithoutCancel(ctx), staff, o.AddonID, "addon.purge_ordered", "")
}

// nameOf returns the name that people know an add-on by; its id if nobody offers
// it any more.
func (h *Host) nameOf(ctx context.Context, addonID string) string {
	if m, ok := h.shelf.manifest(addonID); ok {
		return m.Name
	}
	if o, err := findOffer(ctx, h.config.Marketplace, addonID, ""); err == nil {
		return o.Manifest.Name
	}
	return addonID
}

// purge does one purge unless another server does, and tells whether it began. Each
// step may be done again, so it may end anywhere: the next try begins anew.
func (h *Host) purge(ctx context.Context, i addon.Installation) (began bool, err error) {
	if _, err := h.fleet.Client(i.AddonID); err != nil {
		return false, err // an add-on that rests is not woken
	}
	mine, err := h.store.ClaimPurge(ctx, i.BillerID, i.AddonID, h.lease)
	if err != nil || !mine {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.store.ReleasePurge(context.WithoutCancel(ctx), i.BillerID, i.AddonID))
		}
	}()
	return true, h.purgeSteps(ctx, i)
}

// purgeSteps does a purge that was claimed.
func (h *Host) purgeSteps(ctx context.Context, i addon.Installation) error {
	ctx, cancel := context.WithTimeout(ctx, purgeTime)
	defer cancel()
	go h.renewPurge(ctx, cancel, i)
	h.reach("claimed")
	for _, step := range []struct {
		name string
		do   func(context.Context, addon.Installation) error
	}{
		{"settled", h.settle}, {"kept", h.keepExport}, {"purged", h.purgeAddon}, {"audited", h.auditPurge}, {"ended", h.endPurge},
	} {
		// A server that was silent for long may find that another one has done it all,
		// and that the add-on is installed again.
		held, err := h.store.RenewPurge(ctx, i.BillerID, i.AddonID, h.lease)
		if err != nil || !held {
			return err
		}
		if err := step.do(ctx, i); err != nil {
			return err
		}
		h.reach(step.name)
	}
	return nil
}

// renewPurge keeps the claim until ctx ends, and ends ctx when it is lost.
func (h *Host) renewPurge(ctx context.Context, cancel context.CancelFunc, i addon.Installation) {
	again := time.NewTicker(h.lease / 4)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		held, err := h.store.RenewPurge(ctx, i.BillerID, i.AddonID, h.lease)
		if err == nil && !held {
			cancel()
		}
	}
}

// settle waits until the add-on's process has heard that the biller is gone, so
// that nothing of it begins anew after the purge.
func (h *Host) settle(ctx context.Context, i addon.Installation) error {
	a, err := h.store.ActiveOf(ctx, i.AddonID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return h.fleet.Ensure(ctx, a)
}

// keepExport writes the data to a file that the operator can hand over.
func (h *Host) keepExport(ctx context.Context, i addon.Installation) error {
	if !i.Purge.KeepExport {
		return nil
	}
	dir, err := h.exportsDir()
	if err != nil {
		return err
	}
	base := keptName(i, "")
	if done, err := filepath.Glob(filepath.Join(dir, base+"*")); err != nil || len(done) > 0 {
		return err // what comes after a purge that was interrupted would be empty
	}
	f, err := os.OpenFile(filepath.Join(dir, unfinished+base), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make export: %w", err)
	}
	out, err := h.export(ctx, i, f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		missing := apperr.Is(err, apperr.NotFound)
		if gone := os.Remove(f.Name()); gone != nil || !missing {
			return errors.Join(err, gone)
		}
		return nil
	}
	file := filepath.Join(dir, keptName(i, out.FileName))
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("place export: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	h.config.Log.InfoContext(ctx, "data of an add-on was exported", "addon", i.AddonID, "biller", i.BillerID, "file", file)
	return nil
}

// keptName is the file of one purge: no other biller, add-on or order has it.
func keptName(i addon.Installation, fileName string) string {
	sum := sha256.Sum256([]byte(i.AddonID + "\x00" + i.BillerID + "\x00" + i.UpdatedAt.Format(time.RFC3339Nano)))
	name := addon.ExportName(i.AddonID, i.BillerID, i.UpdatedAt.UTC(), fileName)
	ending := filepath.Ext(name)
	return strings.TrimSuffix(name, ending) + "-" + hex.EncodeToString(sum[:4]) + ending
}

// syncDir makes sure that a new name in a folder outlives a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keep names of folder: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("keep names of folder: %w", err)
	}
	return nil
}

// leavingCall is jobCall that also works for a biller whom the platform has let go.
func (h *Host) leavingCall(ctx context.Context, i addon.Installation) (sdk.Call, error) {
	call, err := h.jobCall(ctx, i)
	if apperr.Is(err, apperr.NotFound) {
		return sdk.Call{BillerID: i.BillerID, RequestID: web.NewRequestID()}, nil
	}
	return call, err
}

func (h *Host) purgeAddon(ctx context.Context, i addon.Installation) error {
	client, release, err := h.fleet.Acquire(i.AddonID)
	if err != nil {
		return err
	}
	defer release()
	call, err := h.leavingCall(ctx, i)
	if err != nil {
		return err
	}
	if err := client.Purge(ctx, call); err != nil {
		return fmt.Errorf("purge %s: %w", i.AddonID, err)
	}
	return nil
}

// auditPurge comes before the end, so that a purge without a record is none; the
// key keeps a second try from writing it twice.
func (h *Host) auditPurge(ctx context.Context, i addon.Installation) error {
	by := addon.Staff{ID: i.Purge.StaffID, Name: i.Purge.By, BillerID: i.BillerID}
	return h.record(ctx, by, i.AddonID, addon.ActionPurged, i.AddonID+"/purged/"+i.UpdatedAt.Format(time.RFC3339Nano))
}

func (h *Host) endPurge(ctx context.Context, i addon.Installation) error {
	_, err := h.store.EndPurge(ctx, i.BillerID, addon.Operation{
		StaffID: i.Purge.StaffID, By: i.Purge.By, Action: addon.ActionPurged, AddonID: i.AddonID, BillerID: i.BillerID, From: i.Version,
	})
	if err == nil {
		h.config.Log.InfoContext(ctx, "data of an add-on was purged", "addon", i.AddonID, "biller", i.BillerID)
	}
	return err
}

// record writes into the biller's audit log; a key makes writing it again
// harmless.
func (h *Host) record(ctx context.Context, staff addon.Staff, addonID, action, key string) error {
	err := h.platform.RecordAudit(ctx, staff.BillerID, addon.AuditRecord{
		Key: key, At: h.config.Now().UTC(), AddonID: addonID, StaffID: staff.ID, Action: action, Object: addonID,
		RequestID: web.RequestID(ctx),
	})
	if err != nil {
		return fmt.Errorf("record audit: %w", err)
	}
	return nil
}

// reach names a step of a purge, where tests interrupt the host.
func (h *Host) reach(point string) {
	if h.fault != nil {
		h.fault(point)
	}
}
