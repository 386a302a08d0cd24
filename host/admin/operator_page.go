package admin

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// operatePage is an add-on, for the operator.
type operatePage struct {
	Operation
	// Home is the marketplace, Href the add-on's page in it, Operate this page.
	Home, Href, Operate string
	ID, Name, Icon      string
	Zone                string
	Badge               badge
	Choices             []choice
	Hosts               []hostRow
	// Stale tells that a form was out of date and changed nothing.
	Stale bool
}

// badge is a state in a word.
type badge struct{ Tone, Icon, Word string }

// hostRow is what one host says of the add-on.
type hostRow struct {
	addon.Process
	Badge badge
	// Silent tells that the host has gone without a word.
	Silent bool
	Zone   string
}

// Guard names what bounds the process.
func (r hostRow) Guard() string { return strings.Join(r.Protection, ", ") }

func hostRows(o Operation, now time.Time, zone string) []hostRow {
	var rows []hostRow
	for _, p := range o.Processes {
		r := hostRow{Process: p, Badge: badgeOf(p.State), Silent: p.Stale(now), Zone: zone}
		if r.Silent {
			r.Badge = badge{"", "close", "Silent"}
		}
		rows = append(rows, r)
	}
	return rows
}

// choice is a version on offer.
type choice struct {
	Version, Problem string
	// Note is what stands beside it ("Runs now"); Href leads to the question, and
	// is empty if it cannot be chosen.
	Note, Href string
	// Older tells that it comes before the version that runs.
	Older bool
}

// changePage asks before another version runs.
type changePage struct {
	Home, Href, Operate string
	Name                string
	From, To            string
	// Seen is the digest of From.
	Seen, Action string
	// Back tells a rollback from an upgrade, Older an upgrade from a change to an
	// older version.
	Back, Older bool
	Billers     int
	// WithdrawnAt is when To was withdrawn; zero if it was not.
	WithdrawnAt   time.Time
	FromWithdrawn bool
	// Zone is the biller's, in which days are told.
	Zone string
	// More are the permissions that To asks for and From does not, Less those that
	// it no longer asks for.
	More, Less []permission
}

// Verb is what is done.
func (p changePage) Verb() string {
	switch {
	case p.Back:
		return "Roll back"
	case p.Older:
		return "Change"
	}
	return "Upgrade"
}

// Heading is the question.
func (p changePage) Heading() string {
	if p.Back {
		return fmt.Sprintf("Roll back %s to %s?", p.Name, p.To)
	}
	return fmt.Sprintf("Run %s %s?", p.Name, p.To)
}

// Serves is the version that answers people.
func (p operatePage) Serves() string {
	if p.Serving.Version == "" {
		return "none"
	}
	return p.Serving.Version
}

// MayRollBack tells whether there is an older version to go back to.
func (p operatePage) MayRollBack() bool { return p.mayRollBack() }

// FailedOn tells that the version that was refused runs on.
func (p operatePage) FailedOn() bool { return p.Failed.Digest == p.Digest }

// Runs tells whether the platform runs the add-on at all.
func (p operatePage) Runs() bool { return p.runs() }

// Tries is the version that is being tried or waits for it; empty if none.
func (p operatePage) Tries() string {
	if p.Trial.Version != "" {
		return p.Trial.Version
	}
	return p.Next.Version
}

// MayRetry tells whether the add-on rests.
func (p operatePage) MayRetry() bool {
	return p.runs() && (p.State == "broken" || p.State == "backing off")
}

// Probation is until when a failure leads back; zero if it does not.
func (p operatePage) Probation() time.Time {
	if p.OnProbation(time.Now()) {
		return p.ProbationUntil
	}
	return time.Time{}
}

func newOperatePage(h *Handler, id string, o Operation, zone string) operatePage {
	m := o.manifest()
	p := operatePage{
		Operation: o, Home: h.home(), Href: h.home() + "/" + id, Operate: h.operatePath(id), ID: id, Name: m.Name, Icon: "addon",
		Zone: zone, Badge: stateBadge(o), Hosts: hostRows(o, h.Now(), zone),
	}
	if web.HasIcon(m.Icon) {
		p.Icon = m.Icon
	}
	for _, v := range o.Versions {
		c := choice{Version: v.Version.Version, Problem: v.Problem, Older: older(v.Version.Version, o.Active.Version)}
		switch v.Digest {
		case o.Digest:
			c.Note = "Runs now"
		case o.Next.Digest:
			c.Note = "Being tried"
		case o.Previous.Digest:
			c.Note = "Ran before"
		case o.Failed.Digest:
			c.Note = "Refused"
		}
		if o.runs() && v.Problem == "" && v.Digest != o.Next.Digest && v.Digest != o.Digest && (v.Digest != o.Previous.Digest || !o.mayRollBack()) { // else there is a button to go back
			c.Href = p.Operate + "/upgrade?version=" + c.Version
		}
		p.Choices = append(p.Choices, c)
	}
	return p
}

// manifest is that of the version that runs, else of the newest on offer.
func (o Operation) manifest() *manifest.Manifest {
	if o.Current != nil {
		return o.Current
	}
	for _, v := range o.Versions {
		return v.Manifest
	}
	return &manifest.Manifest{Name: o.AddonID}
}

func stateBadge(o Operation) badge {
	if !o.runs() {
		return badge{"", "clock", "Nobody has installed it"}
	}
	return badgeOf(o.State)
}

// badgeOf says a state of package supervisor.
func badgeOf(state string) badge {
	switch state {
	case "healthy":
		return badge{"good", "check", "Healthy"}
	case "degraded":
		return badge{"warn", "warning", "Degraded"}
	case "starting":
		return badge{"info", "clock", "Starting"}
	case "draining":
		return badge{"info", "hourglass", "Draining"}
	case "backing off":
		return badge{"warn", "repeat", "Backing off"}
	case "broken":
		return badge{"bad", "warning", "Broken"}
	}
	return badge{"", "close", "Stopped"}
}

func newChangePage(h *Handler, id string, o Operation, to addon.Version, m *manifest.Manifest, zone string) changePage {
	p := changePage{
		Home: h.home(), Href: h.operatePath(id), Operate: h.operatePath(id), Name: o.manifest().Name,
		From: o.Active.Version, To: to.Version, Seen: o.Digest, Billers: o.Billers, Older: older(to.Version, o.Active.Version),
		FromWithdrawn: !o.WithdrawnAt.IsZero(), Zone: zone,
	}
	if m != nil && o.Current != nil {
		p.More, p.Less = beyond(m, o.Current), beyond(o.Current, m)
	}
	return p
}

// beyond returns the permissions that a names and b does not.
func beyond(a, b *manifest.Manifest) []permission {
	return slices.DeleteFunc(permissions(a), func(p permission) bool { return b.HasPermission(p.Name) })
}

// operatorPages are the pages of operators, parsed.
type operatorPages struct {
	operate *web.Page[operatePage]
	change  *web.Page[changePage]
}

func newOperatorPages() (*operatorPages, error) {
	r, err := web.NewRenderer(web.RendererConfig{Files: templates, Funcs: template.FuncMap{"day": day}})
	if err != nil {
		return nil, err
	}
	now := time.Unix(0, 0)
	full := operatePage{
		Operation: Operation{
			Active: addon.Active{Version: "1", Digest: "d", Previous: addon.Version{Version: "0", Digest: "c"}, Failed: addon.Refusal{Version: addon.Version{Version: "2", Digest: "e"}, Reason: "x", At: now}},
			State:  "broken", RetryAt: now, Error: "x", Report: "x", NeedsApproval: true, Approval: addon.Approval{AddonID: "x", ApprovedAt: now},
			WithdrawnAt: now, History: []addon.Operation{{At: now, From: "1", To: "2", BillerID: "x", Detail: "x"}},
		},
		Icon: "addon", Badge: badge{"bad", "warning", "x"}, Choices: []choice{{Note: "x", Problem: "x"}, {Href: "x"}, {Href: "x", Older: true}}, Stale: true,
		Hosts: []hostRow{
			{Process: addon.Process{Error: "x", RetryAt: now, Protection: []string{"x"}, PID: 1}, Badge: badge{"bad", "warning", "x"}},
			{Silent: true, Badge: badge{"", "close", "x"}},
		},
	}
	trying := operatePage{Operation: Operation{Active: addon.Active{Digest: "d", Next: addon.Version{Version: "2", Digest: "e"}}}, Icon: "addon", Badge: badge{"", "clock", "x"}}
	p := &operatorPages{}
	if p.operate, err = web.NewPage(r, "templates/operate.html", full, trying, operatePage{Icon: "addon", Badge: badge{"", "clock", "x"}, Operation: Operation{NeedsApproval: true}}); err != nil {
		return nil, err
	}
	more := []permission{{Icon: "lock"}}
	p.change, err = web.NewPage(r, "templates/operate_change.html", changePage{More: more, Less: more, Billers: 2}, changePage{Back: true, Billers: 1, WithdrawnAt: now, FromWithdrawn: true})
	return p, err
}

// Did says in words what an operation did.
func (p operatePage) Did(o addon.Operation) string {
	switch o.Action {
	case addon.ActionUpgrade:
		if older(o.To, o.From) {
			return "Change from " + o.From + " to " + o.To
		}
		return "Upgrade from " + o.From + " to " + o.To
	case addon.ActionRollback:
		return "Rollback from " + o.From + " to " + o.To
	case addon.ActionSwitched:
		return o.To + " took over from " + o.From
	case addon.ActionRefused:
		return o.To + " was refused; " + o.From + " serves on"
	case addon.ActionReturned:
		return o.From + " failed; back to " + o.To
	case addon.ActionStayed:
		return o.From + " failed; not back to " + o.To + ", which was withdrawn"
	case addon.ActionRetry:
		return "Started again"
	case addon.ActionApprove:
		return "Approved for billers"
	case addon.ActionDisapprove:
		return "Approval taken back"
	case addon.ActionPurge:
		return "Deletion of a biller’s data ordered"
	case addon.ActionPurged:
		return "A biller’s data deleted"
	}
	return o.Action
}
