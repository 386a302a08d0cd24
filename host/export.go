package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Export writes all that an add-on keeps for the staff user's biller to w, as the
// add-on itself lays it out. What w holds after an error is worthless: keep it
// aside until Export returns.
//
// PermissionDenied without the ability addons:install; NotFound if the add-on is
// not installed, or has no export; Conflict while its data is being deleted;
// Unavailable if it does not run.
func (h *Host) Export(ctx context.Context, staff addon.Staff, addonID string, w io.Writer) (addon.Exported, error) {
	if !staff.Can(addon.AbilityInstall) {
		return addon.Exported{}, apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to export the data of add-ons.")
	}
	inst, err := h.store.Installation(ctx, staff.BillerID, addonID)
	if err != nil {
		return addon.Exported{}, err
	}
	if inst.State == addon.Purging {
		return addon.Exported{}, apperr.Errorf(apperr.Conflict, "The data of this add-on is being deleted.")
	}
	e, err := h.export(ctx, inst, w)
	if err != nil {
		return addon.Exported{}, err
	}
	return e, h.record(ctx, staff, addonID, "addon.exported", "")
}

// ExportFile is Export into a file without a name, read from its beginning. Close
// it.
func (h *Host) ExportFile(ctx context.Context, staff addon.Staff, addonID string) (_ addon.Exported, _ io.ReadCloser, err error) {
	dir, err := h.exportsDir()
	if err != nil {
		return addon.Exported{}, nil, err
	}
	f, err := os.CreateTemp(dir, unfinished+"download")
	if err != nil {
		return addon.Exported{}, nil, fmt.Errorf("make export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return addon.Exported{}, nil, fmt.Errorf("hide export: %w", err)
	}
	e, err := h.Export(ctx, staff, addonID, f)
	if err != nil {
		return addon.Exported{}, nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return addon.Exported{}, nil, fmt.Errorf("read export: %w", err)
	}
	return e, f, nil
}

// TookOut remembers that an export has reached the biller: the data of a removed
// add-on may be deleted then. Call it when the last byte was sent.
// PermissionDenied without the ability addons:install.
func (h *Host) TookOut(ctx context.Context, staff addon.Staff, addonID string) error {
	if !staff.Can(addon.AbilityInstall) {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to take out an add-on's data.")
	}
	return h.store.Exported(ctx, staff.BillerID, addonID)
}

// errNoExport is what an add-on without an export answers.
func errNoExport() error {
	return apperr.Errorf(apperr.NotFound, "This add-on keeps nothing that could be taken out.")
}

func (h *Host) export(ctx context.Context, inst addon.Installation, w io.Writer) (addon.Exported, error) {
	client, release, err := h.fleet.Acquire(inst.AddonID)
	if err != nil {
		return addon.Exported{}, err
	}
	defer release()
	call, err := h.leavingCall(ctx, inst)
	if err != nil {
		return addon.Exported{}, err
	}
	var out addon.Exported
	opened := false
	counted := &counter{w: w}
	err = client.Export(ctx, call, func(e wire.Exported) (io.Writer, error) {
		out.FileName, out.MediaType, opened = e.FileName, e.MediaType, true
		return counted, nil
	})
	if apperr.Is(err, apperr.NotFound) && !opened {
		return addon.Exported{}, errNoExport()
	}
	if err != nil {
		return addon.Exported{}, fmt.Errorf("export from %s: %w", inst.AddonID, err)
	}
	out.Size = counted.n
	return out, nil
}

// maxExport bounds what an add-on may fill the disk with.
const maxExport = 4 << 30

// counter counts what it passes on, and stops an add-on that never ends.
type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	if c.n+int64(len(b)) > maxExport {
		return 0, apperr.Errorf(apperr.Unavailable, "The add-on's export is larger than 4 GB.")
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
