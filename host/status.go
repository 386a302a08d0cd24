package host

import (
	"context"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

// Status tells which version of an add-on the platform runs and how it is doing.
type Status struct {
	// Active is what all hosts on this database are to run.
	addon.Active
	// State is what this process says if it is in Run; else what the running host
	// says that has most to complain about, and supervisor.Stopped if none runs.
	// It has been so since Since; Error is why the add-on does not serve, for the
	// operator; RetryAt when it starts again, zero if not by itself.
	State   supervisor.State
	Since   time.Time
	Error   string
	RetryAt time.Time
	// Processes is what each running host on this database says about the add-on,
	// this one included after a moment; also hosts that have gone without a word,
	// until they are forgotten: see addon.Process.Stale.
	Processes []addon.Process
	// WithdrawnAt is when the version was withdrawn from the marketplace; zero if it
	// was not, as far as that is known.
	WithdrawnAt time.Time

	// What follows is of this process alone, and empty if it is not in Run.

	// Serving is the version that answers, Trial the one that is tried beside it.
	Serving, Trial addon.Version
	// Report is the end of what the process wrote before it last failed.
	Report string
	// Failures counts the failures since Run began; PID is the process, 0 if none.
	Failures, PID int
	// Protection names what bounds that process; empty for none, or no process.
	Protection []string
}

// Addons returns the add-ons that the platform runs, by id. It is for the
// operator.
func (h *Host) Addons(ctx context.Context) ([]Status, error) {
	list, err := h.store.Active(ctx)
	if err != nil {
		return nil, err
	}
	processes, err := h.store.Processes(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]supervisor.Status{}
	for _, s := range h.fleet.Statuses() {
		here[s.AddonID] = s
	}
	statuses := make([]Status, 0, len(list))
	known := h.known(ctx)
	for _, a := range list {
		s := Status{Active: a, State: supervisor.Stopped, WithdrawnAt: withdrawn(known, a.AddonID, a.Version)}
		s.hear(processes, h.config.Now())
		if now, ok := here[a.AddonID]; ok {
			s.own(now)
		}
		statuses = append(statuses, s)
	}
	return statuses, nil
}

// gravity orders the states by how much an operator has to know of them.
func gravity(s supervisor.State) int {
	return slices.Index([]supervisor.State{
		supervisor.Stopped, supervisor.Healthy, supervisor.Draining, supervisor.Starting, supervisor.Degraded,
		supervisor.BackingOff, supervisor.Broken,
	}, s)
}

// hear takes what the running hosts say.
func (s *Status) hear(processes []addon.Process, now time.Time) {
	for _, p := range processes {
		if p.AddonID != s.AddonID {
			continue
		}
		s.Processes = append(s.Processes, p)
		if state := supervisor.State(p.State); !p.Stale(now) && gravity(state) > gravity(s.State) {
			s.State, s.Since, s.Error, s.RetryAt = state, p.Since, p.Error, p.RetryAt
		}
	}
}

// own takes what this process knows itself.
func (s *Status) own(now supervisor.Status) {
	s.State, s.Since, s.RetryAt, s.Error = now.State, now.Since, now.RetryAt, errorText(now.Err)
	s.Serving, s.Trial = now.Serving, now.Trial
	s.Report, s.Failures, s.PID, s.Protection = now.Report, now.Failures, now.PID, now.Protection
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
