package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

const (
	// reportPause is the shortest time between two reports.
	reportPause = 200 * time.Millisecond
	// forgetHostAfter is how long the last words of a host that has gone are kept.
	forgetHostAfter = 10 * time.Minute
)

// report tells the other processes on this database how the add-ons of this one
// are, at each change and every few seconds, until ended is closed; then it takes
// its words back.
func (h *Host) report(ctx context.Context, ended <-chan struct{}) error {
	ctx = context.WithoutCancel(ctx) // what happens while add-ons end is told too
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make host id: %w", err)
	}
	name := hostName()
	beat := time.NewTicker(addon.HeartbeatEvery)
	defer beat.Stop()
	silent := false
	for {
		changes := h.fleet.Changes()
		err := h.reportOnce(ctx, id.String(), name, h.fleet.Statuses())
		if err != nil && !silent {
			h.config.Log.WarnContext(ctx, "states of add-ons not reported", "error", err.Error())
		}
		silent = err != nil
		pause := time.NewTimer(reportPause)
		select {
		case <-ended:
		case <-pause.C:
		}
		pause.Stop()
		select {
		case <-ended:
			return h.takeBack(ctx, id.String(), name)
		case <-changes:
		case <-beat.C:
		}
	}
}

// takeBack removes what a host said that ends in good order. Without a database,
// readers see its last words grow old.
func (h *Host) takeBack(ctx context.Context, id, name string) error {
	if err := h.reportOnce(ctx, id, name, nil); err != nil {
		h.config.Log.WarnContext(ctx, "states of add-ons not taken back", "error", err.Error())
	}
	return nil
}

func (h *Host) reportOnce(ctx context.Context, id, name string, list []supervisor.Status) error {
	ctx, cancel := context.WithTimeout(ctx, addon.HeartbeatEvery)
	defer cancel()
	said := make([]addon.Process, 0, len(list))
	for _, s := range list {
		said = append(said, processOf(s))
	}
	if err := h.store.ReportProcesses(ctx, id, name, said); err != nil {
		return err
	}
	return h.store.SweepProcesses(ctx, h.config.Now().Add(-forgetHostAfter))
}

func processOf(s supervisor.Status) addon.Process {
	p := addon.Process{
		AddonID: s.AddonID, Version: s.Serving, State: string(s.State), Since: s.Since, RetryAt: s.RetryAt,
		Error: errorText(s.Err), PID: s.PID, Protection: s.Protection,
	}
	if p.Digest == "" {
		p.Version = addon.Version{Version: s.Version, Digest: s.Digest}
	}
	return p
}

// hostName tells people which process of which machine this is.
func hostName() string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "host"
	}
	return fmt.Sprintf("%s:%d", machine, os.Getpid())
}
