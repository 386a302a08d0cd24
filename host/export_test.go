package host

import (
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

// SetFault has f called at each step of a purge, whose claims are short. Call it
// before Run.
func (h *Host) SetFault(f func(point string)) { h.fault, h.lease = f, 2*time.Second }

// SweepExports removes exports that are old at the time now.
func (h *Host) SweepExports(now time.Time) error { return h.sweepExports(now) }

// KeptName is the file of one purge.
func KeptName(i addon.Installation, fileName string) string { return keptName(i, fileName) }
