package host

import "context"

// listen looks at the desired state as soon as any host or command line has
// changed it, until ctx ends. What it misses is found by those who look every two
// seconds.
func (h *Host) listen(ctx context.Context) error {
	told := nag{}
	return h.store.Follow(ctx, func() {
		told.due(nil)
		h.fleet.Wake()
		h.shelf.wake()
	}, func(err error) {
		if told.due(err) {
			h.config.Log.WarnContext(ctx, "changes by other hosts are found by looking only", "error", err.Error())
		}
	})
}
