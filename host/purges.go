package host

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

const (
	// purgePoll is how often a server looks for purges that others ordered.
	purgePoll = 2 * time.Second
	// purgesAtOnce is how many purges a server works on at a time, so that a slow
	// add-on keeps no other waiting.
	purgesAtOnce = 4
	// longestPurgeRest bounds the pause after a purge that failed, which doubles with
	// each failure.
	longestPurgeRest = time.Minute
)

// purges is what this process knows of the purges that were ordered.
type purges struct {
	look  chan struct{} // makes followPurges look at once
	slots chan struct{}

	mu    sync.Mutex
	tries map[[2]string]*purgeTry // by biller and add-on
}

// purgeTry is what became of the tries of one purge.
type purgeTry struct {
	busy bool
	why  string // it waits
	rest time.Duration
	next time.Time // not before
}

func newPurges() *purges {
	return &purges{look: make(chan struct{}, 1), slots: make(chan struct{}, purgesAtOnce), tries: map[[2]string]*purgeTry{}}
}

func (p *purges) nudge() {
	select {
	case p.look <- struct{}{}:
	default:
	}
}

// keep forgets the purges that are no longer ordered.
func (p *purges) keep(list []addon.Installation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.tries, func(key [2]string, t *purgeTry) bool {
		return !t.busy && !slices.ContainsFunc(list, func(i addon.Installation) bool { return i.BillerID == key[0] && i.AddonID == key[1] })
	})
}

// begin tells whether a purge is due, whose end has to follow then.
func (p *purges) begin(i addon.Installation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{i.BillerID, i.AddonID}
	t := p.tries[key]
	if t == nil {
		t = &purgeTry{}
		p.tries[key] = t
	}
	if t.busy || time.Now().Before(t.next) {
		return false
	}
	select {
	case p.slots <- struct{}{}:
		t.busy = true
		return true
	default:
		return false // the next look finds it
	}
}

// end says how a try ended, and tells whether why it waits is new. What waits for
// the add-on to run is tried at each look; what failed rests.
func (p *purges) end(i addon.Installation, began bool, err error) (news bool) {
	<-p.slots
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{i.BillerID, i.AddonID}
	t := p.tries[key]
	if err == nil {
		delete(p.tries, key)
		return false
	}
	news, t.busy, t.why = t.why != err.Error(), false, err.Error()
	if began {
		t.rest = min(max(2*t.rest, purgePoll), longestPurgeRest)
		t.next = time.Now().Add(t.rest)
	}
	return news
}

// followPurges does the purges that were ordered, until ctx ends.
func (h *Host) followPurges(ctx context.Context) error {
	again := time.NewTicker(purgePoll)
	defer again.Stop()
	var working sync.WaitGroup
	defer working.Wait()
	told := nag{}
	for {
		list, err := h.store.Purging(ctx)
		if told.due(err) && ctx.Err() == nil {
			h.config.Log.WarnContext(ctx, "purges cannot be read", "error", err.Error())
		}
		if err == nil {
			h.purges.keep(list)
		}
		for _, i := range list {
			if h.purges.begin(i) {
				working.Go(func() { h.tryPurge(ctx, i) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		case <-h.purges.look:
		}
	}
}

// tryPurge tries one purge once.
func (h *Host) tryPurge(ctx context.Context, i addon.Installation) {
	began, err := h.purge(ctx, i)
	if h.purges.end(i, began, err) && ctx.Err() == nil {
		h.config.Log.WarnContext(ctx, "purge waits", "addon", i.AddonID, "biller", i.BillerID, "error", err.Error())
	}
}
