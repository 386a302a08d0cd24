package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

type addonListCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// installation is one line of the list.
type installation struct {
	Addon       string   `json:"addon"`
	Version     string   `json:"version"`
	State       string   `json:"state"`
	Permissions []string `json:"permissions"`
	// Withdrawn is when the version that runs was withdrawn from the marketplace.
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
	runningState
}

// runningState is how the add-on's processes are, on all running hosts.
type runningState struct {
	Process    string     `json:"process,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
	NextTry    *time.Time `json:"next_try,omitempty"`
	Error      string     `json:"error,omitempty"`
	Protection []string   `json:"protection,omitempty"`
}

func newRunningState(s host.Status) runningState {
	return runningState{
		Process: string(s.State), Since: stamp(s.Since), NextTry: stamp(s.RetryAt), Error: s.Error, Protection: protection(s),
	}
}

// protection is what bounds each of the processes that live; nil if none does.
func protection(s host.Status) []string {
	var common []string
	for _, p := range s.Processes {
		switch {
		case p.Stale(now()) || p.PID == 0:
		case common == nil:
			common = append([]string{}, p.Protection...)
		default:
			common = slices.DeleteFunc(common, func(name string) bool { return !slices.Contains(p.Protection, name) })
		}
	}
	if common != nil && len(common) == 0 {
		return []string{"none"}
	}
	return common
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func (r runningState) String() string {
	if r.Process == "" {
		return ""
	}
	text := "\t" + stateText(r.Process, r.NextTry)
	if len(r.Protection) > 0 {
		text += "\tprotection: " + strings.Join(r.Protection, ", ")
	}
	return text
}

// stateText says when an add-on that rests is started again.
func stateText(state string, next *time.Time) string {
	if state == string(supervisor.BackingOff) && next != nil {
		return fmt.Sprintf("%s (next try at %s)", state, next.Format(time.RFC3339))
	}
	return state
}

func (cmd *addonListCommand) run(ctx context.Context, p *Program, c Config) error {
	return withHost(ctx, p, c, cmd.Biller, func(h *host.Host, by addon.Staff) error {
		list, err := h.Installed(ctx, by.BillerID)
		if err != nil {
			return err
		}
		statuses, err := h.Addons(ctx)
		if err != nil {
			return err
		}
		out := []installation{}
		for _, i := range list {
			line := installation{Addon: i.AddonID, Version: i.Version, State: string(i.State), Permissions: i.Permissions}
			if n := slices.IndexFunc(statuses, func(s host.Status) bool { return s.AddonID == i.AddonID }); n >= 0 {
				line.runningState, line.Withdrawn = newRunningState(statuses[n]), stamp(statuses[n].WithdrawnAt)
			}
			out = append(out, line)
		}
		if cmd.JSON {
			return json.NewEncoder(p.Stdout).Encode(out)
		}
		for _, i := range out {
			if _, err := fmt.Fprintf(p.Stdout, "%s\t%s\t%s%s%s\n", i.Addon, i.Version, i.State, i.runningState, withdrawnText(i.Withdrawn)); err != nil {
				return err
			}
		}
		return nil
	})
}

// withdrawnText says that the version that runs was withdrawn.
func withdrawnText(at *time.Time) string {
	if at == nil {
		return ""
	}
	return "\twithdrawn from the marketplace on " + at.Format(time.DateOnly)
}

type addonStatusCommand struct {
	Addon string `arg:"" optional:"" help:"Id of the add-on; all if not given."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// versionStatus is one add-on of the status.
type versionStatus struct {
	Addon          string     `json:"addon"`
	Version        string     `json:"version"`
	Wanted         string     `json:"wanted,omitempty"`
	Previous       string     `json:"previous,omitempty"`
	ProbationUntil *time.Time `json:"probation_until,omitempty"`
	Refused        string     `json:"refused,omitempty"`
	Reason         string     `json:"reason,omitempty"`
	// Withdrawn is when the version was withdrawn from the marketplace.
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
	runningState
	Hosts []hostStatus `json:"hosts,omitempty"`
}

// hostStatus is what one host says, or said before it went without a word.
type hostStatus struct {
	Host      string    `json:"host"`
	Version   string    `json:"version"`
	PID       int       `json:"pid,omitempty"`
	Heartbeat time.Time `json:"heartbeat"`
	Gone      bool      `json:"gone,omitempty"`
	runningState
}

func newVersionStatus(s host.Status) versionStatus {
	v := versionStatus{
		Addon: s.AddonID, Version: s.Version, Wanted: s.Next.Version, Previous: s.Previous.Version,
		Refused: s.Failed.Version.Version, Reason: s.Failed.Reason, Withdrawn: stamp(s.WithdrawnAt), runningState: newRunningState(s),
	}
	if s.OnProbation(now()) {
		v.ProbationUntil = &s.ProbationUntil
	}
	for _, p := range s.Processes {
		said := runningState{
			Process: p.State, Since: stamp(p.Since), NextTry: stamp(p.RetryAt), Error: p.Error, Protection: p.Protection,
		}
		if p.PID != 0 && len(p.Protection) == 0 {
			said.Protection = []string{"none"}
		}
		v.Hosts = append(v.Hosts, hostStatus{
			Host: p.Host, Version: p.Version.Version, PID: p.PID, Heartbeat: p.Heartbeat.Truncate(time.Second), Gone: p.Stale(now()), runningState: said,
		})
	}
	return v
}

func (v versionStatus) String() string {
	text := v.Addon + "\t" + v.Version + v.runningState.String() + withdrawnText(v.Withdrawn)
	if v.Wanted != "" {
		text += "\ttries " + v.Wanted
	}
	if v.Previous != "" {
		text += "\tbefore " + v.Previous
	}
	if v.ProbationUntil != nil {
		text += "\ton probation until " + v.ProbationUntil.Format(time.RFC3339)
	}
	if v.Refused != "" {
		what := "refused "
		if v.Refused == v.Version {
			what = "failed " // and nothing to go back to
		}
		text += "\t" + what + v.Refused + ": " + oneLine(v.Reason)
	}
	for _, h := range v.Hosts {
		text += "\n  " + h.String()
	}
	return text
}

func (h hostStatus) String() string {
	if h.Gone {
		return fmt.Sprintf("%s\tgone without a word; it was %s at %s", h.Host, h.Process, h.Heartbeat.Format(time.RFC3339))
	}
	text := h.Host + "\t" + h.Version + h.runningState.String()
	if h.Since != nil {
		text += "\tsince " + h.Since.Format(time.RFC3339)
	}
	if h.PID != 0 {
		text += fmt.Sprintf("\tpid %d", h.PID)
	}
	if h.Error != "" {
		text += "\t" + oneLine(h.Error)
	}
	return text
}

func (cmd *addonStatusCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		list, err := h.Addons(ctx)
		if err == nil && cmd.Addon != "" {
			var one host.Status
			one, err = statusOf(ctx, h, cmd.Addon)
			list = []host.Status{one}
		}
		if err != nil {
			return err
		}
		out := []versionStatus{}
		for _, s := range list {
			out = append(out, newVersionStatus(s))
		}
		if cmd.JSON {
			return json.NewEncoder(p.Stdout).Encode(out)
		}
		for _, v := range out {
			if _, err := fmt.Fprintln(p.Stdout, v); err != nil {
				return err
			}
		}
		return nil
	})
}
