package host

import "time"

// SetFault has f called at each step of a purge, whose claims are short. Call it
// before Run.
func (h *Host) SetFault(f func(point string)) { h.fault, h.lease = f, 2*time.Second }
