package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	// tellEvery is how often an installation under way records how far it is.
	tellEvery = 300 * time.Millisecond
	// beatEvery is how often it does so while nothing moves.
	beatEvery = addon.InstallAlive / 6
	// startWait is how long it waits for the add-on to run.
	startWait = 90 * time.Second
)

// installs is the installations that this process works on.
type installs struct {
	context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newInstalls() *installs {
	ctx, cancel := context.WithCancel(context.Background())
	return &installs{Context: ctx, cancel: cancel}
}

// close ends them; what is left says that it was interrupted.
func (i *installs) close() {
	i.cancel()
	i.wg.Wait()
}

// BeginInstall is Install of exactly one version that returns at once and goes on
// by itself; Installing tells how far it is, on every host of this database. While
// one goes on, a second call does nothing.
//
// PermissionDenied without the ability addons:install.
func (h *Host) BeginInstall(ctx context.Context, staff addon.Staff, addonID, version string, permissions []string) error {
	if !staff.Can(addon.AbilityInstall) {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to install add-ons.")
	}
	i := addon.Installing{BillerID: staff.BillerID, AddonID: addonID, Version: version, Run: uuid.Must(uuid.NewV7()).String(), Step: addon.InstallDownloads}
	if _, ok := h.shelf.manifest(addonID); ok {
		i.Step = addon.InstallStarts
	}
	err := h.store.BeginInstalling(ctx, i)
	if apperr.Is(err, apperr.Conflict) {
		return nil
	}
	if err != nil {
		return err
	}
	h.installs.wg.Go(func() { h.runInstall(context.WithoutCancel(ctx), staff, i, permissions) })
	return nil
}

// Installing returns the installation of an add-on for a biller that is under way
// or ended with a problem. NotFound if there is none.
func (h *Host) Installing(ctx context.Context, biller, addonID string) (addon.Installing, error) {
	return h.store.Installing(ctx, biller, addonID)
}

// runInstall installs, waits for the add-on and records how it goes, until the host is
// closed. asked says which request asked for it, for the log and the audit.
func (h *Host) runInstall(asked context.Context, staff addon.Staff, i addon.Installing, permissions []string) {
	r := &installReport{host: h, now: i}
	ctx, stop := context.WithCancel(asked)
	defer context.AfterFunc(h.installs, stop)()
	var beats sync.WaitGroup
	beats.Go(func() { r.beat(ctx) })
	err := h.install(marketplace.WithProgress(ctx, func(p marketplace.Progress) {
		r.tell(ctx, addon.InstallStep(p.Step), p.Done, p.Total)
	}), staff, i.AddonID, i.Version, permissions)
	if err == nil {
		r.tell(ctx, addon.InstallStarts, 0, 0)
		err = h.awaitStart(ctx, i.AddonID)
	}
	closing := h.installs.Err() != nil
	stop()
	beats.Wait()
	if err != nil && closing {
		err = apperr.Wrap(apperr.Unavailable, "The platform was stopped meanwhile.", err)
	}
	r.end(asked, err)
}

// awaitStart returns when the add-on runs in this process, or why it does not.
func (h *Host) awaitStart(ctx context.Context, addonID string) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	err := runner{h}.Await(ctx, addonID)
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, "It is installed, but it does not start. Whoever runs the platform finds the reason in its log.", err)
	}
	return nil
}

// installReport records how an installation goes.
type installReport struct {
	host *Host

	mu   sync.Mutex
	now  addon.Installing
	told time.Time
}

// tell records progress, a new step at once and bytes from time to time.
func (r *installReport) tell(ctx context.Context, step addon.InstallStep, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	same := r.now.Step == step
	r.now.Step, r.now.Done, r.now.Total = step, done, total
	if !same || time.Since(r.told) >= tellEvery {
		r.record(ctx)
	}
}

// beat says that somebody works on it, until ctx ends.
func (r *installReport) beat(ctx context.Context) {
	again := time.NewTicker(beatEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			r.mu.Lock()
			r.record(ctx)
			r.mu.Unlock()
		}
	}
}

// record writes what is known; the caller holds mu. What cannot be written is
// logged: the installation itself goes on.
func (r *installReport) record(ctx context.Context) {
	r.told = time.Now()
	err := r.host.store.TellInstalling(ctx, r.now)
	if err != nil && ctx.Err() == nil && !apperr.Is(err, apperr.NotFound) {
		r.host.config.Log.WarnContext(ctx, "progress of an installation cannot be recorded", "addon", r.now.AddonID, "error", err.Error())
	}
}

// end records the outcome, also when the host is being closed.
func (r *installReport) end(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.host.config.Log
	if err == nil {
		if err := r.host.store.EndInstalling(ctx, r.now); err != nil {
			log.WarnContext(ctx, "end of an installation cannot be recorded", "addon", r.now.AddonID, "error", err.Error())
		}
		return
	}
	if !errors.Is(err, context.Canceled) {
		log.WarnContext(ctx, "add-on cannot be installed", "addon", r.now.AddonID, "version", r.now.Version, "biller", r.now.BillerID, "error", err.Error())
	}
	r.now.Problem = apperr.MessageOf(err)
	r.record(ctx)
}
