package books

import (
	"net/netip"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// PasswordsTried is how many passwords of an address a sign-in compares with: a
// person may work for several billers. Every sign-in costs that many hashes,
// whatever the address stands for.
const PasswordsTried = 4

// FreshLife is how long after a sign-in a person need not prove again who they
// are before something that cannot be undone.
const FreshLife = sdk.FreshLife

// ErrWrongSignIn (Unauthenticated) says nothing about which part is wrong.
var ErrWrongSignIn = apperr.Errorf(apperr.Unauthenticated, "Email or password is wrong.")

// Candidate is a staff user whom an address may sign in.
type Candidate struct {
	Staff
	BillerName string
	// Hash is the password's.
	Hash string
}

// StaffSession is a browser in which a staff user is signed in.
type StaffSession struct {
	// ID names it for EndStaffSession; it opens nothing.
	ID                string
	IP, Agent         string
	CreatedAt, SeenAt time.Time
	Current           bool
}

// Delays let the tries of one account wait longer and longer.
const (
	freeTries  = 5
	firstDelay = 30 * time.Second
	mostDelay  = time.Hour
	quiet      = 24 * time.Hour
)

// FreeTries is how many wrong passwords in a row need no wait.
const FreeTries = freeTries

// Tries is what is kept of the tries of one account.
type Tries struct {
	// Count is how many came since they were forgotten, Refused how many too early.
	Count, Refused int
	// OpenAt is when the next may be made, ForgottenAt when all are forgotten.
	OpenAt, ForgottenAt time.Time
}

// Next is what is kept once another try comes. It counts as wrong until it is
// taken back. retryAt is zero if it may be made.
func (t Tries) Next(now time.Time) (next Tries, retryAt time.Time) {
	if !now.Before(t.ForgottenAt) {
		t = Tries{}
	}
	if now.Before(t.OpenAt) {
		t.Refused++
		return t, t.OpenAt
	}
	t = Tries{Count: t.Count + 1, ForgottenAt: now.Add(quiet)}
	if t.Count >= freeTries {
		wait := firstDelay
		for range t.Count - freeTries {
			wait = min(2*wait, mostDelay)
		}
		t.OpenAt = now.Add(wait)
	}
	return t, time.Time{}
}

// Budget allows Limit tries in Window.
type Budget struct {
	Name   string
	Limit  int
	Window time.Duration
}

// Budgets are those of an address and its network for a kind of try ("guess" for
// passwords, "ask" for mails), sorted by name. None for an invalid address.
func Budgets(kind string, ip netip.Addr) []Budget {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return nil
	}
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return nil // a valid address has one
	}
	one, all, window := 30, 100, 10*time.Minute
	if kind != "guess" {
		one, all, window = 20, 60, time.Hour
	}
	list := []Budget{{kind + " from " + ip.String(), one, window}, {kind + " from " + network.String(), all, window}}
	slices.SortFunc(list, func(a, b Budget) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

// LinksAsked is how many links may be asked for from everywhere: a flood from many
// networks fills no table and no queue.
func LinksAsked() Budget { return Budget{"links", 3000, time.Hour} }

// LinkAsks is how many links may be mailed to one address.
func LinkAsks(name string) Budget { return Budget{name, 3, time.Hour} }

// BlockedNotices is how often an owner is told that tries have to wait.
func BlockedNotices(name string) Budget { return Budget{name, 1, 24 * time.Hour} }

// RefusalsKept is how many wrong tries are kept one by one; those beyond are only
// counted.
func RefusalsKept() Budget { return Budget{"refused", 1000, time.Hour} }

// LinkRefusals is how many tries with one dead link stand in the audit.
func LinkRefusals(name string) Budget { return Budget{name, 20, time.Hour} }

// DenialsKept is how many refused requests of one staff user, and of all of a
// biller, stand in the audit; those beyond are only in the log. They are counted in
// this order, the second only while the first lasts: one person's flood leaves room
// for the others.
func DenialsKept(staff, biller string) []Budget {
	return []Budget{{"denied to " + staff, 20, time.Hour}, {"denied at " + biller, 200, time.Hour}}
}

// Kinds of asks.
const (
	AskLink    = "link"
	AskRefused = "refused"
	AskBlocked = "blocked"
	// AskPassword is the notice that a password was changed, AskFirstPassword that
	// somebody who had none has one.
	AskPassword      = "password"
	AskFirstPassword = "first password"
	// AskDevice is the notice that somebody signed in with a new browser.
	AskDevice = "new browser"
)

// What a session began with. Whoever holds a fresh ProofLink may choose a new
// password without the old one: the link came by mail or from the command line.
const (
	ProofPassword = "password"
	ProofLink     = "link"
)

// Tells tells whether the ask is a notice to a person about their account, which
// has to come through however late.
func (a Ask) Tells() bool {
	return a.Kind == AskPassword || a.Kind == AskFirstPassword || a.Kind == AskDevice
}

// Ask is what an address asked for, or tried, until a job has dealt with it.
type Ask struct {
	ID, Kind, EmailNorm, IP string
	// Next is where a link leads; empty for the overview.
	Next string
	At   time.Time
	// BillerID and StaffID are whom a notice is for, Agent is the browser it tells
	// of; empty for what concerns an address.
	BillerID, StaffID, Agent string
}
