package portal

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Attempts limits tries of one kind: at most Limit in Window.
type Attempts struct {
	Limit  int
	Window time.Duration
}

// Delays let the tries of one account wait longer and longer: after Free wrong
// ones First, then twice as long after each, up to Most. They are forgotten after
// a right one, or Quiet after the last.
type Delays struct {
	Free               int
	First, Most, Quiet time.Duration
}

// Tries is what is kept of the tries of one account.
type Tries struct {
	// Count is how many came since they were forgotten, the one under way included.
	Count int
	// OpenAt is when the next may be made, ForgottenAt when all are forgotten.
	OpenAt, ForgottenAt time.Time
	// Refused is how many came too early since the last that was made.
	Refused int
}

// Next is what is kept once another try comes. It counts as wrong until it is
// taken back, so that tries at the same time are counted like those one after
// another. retryAt is zero if it may be made.
func (d Delays) Next(t Tries, now time.Time) (next Tries, retryAt time.Time) {
	if !now.Before(t.ForgottenAt) {
		t = Tries{}
	}
	if now.Before(t.OpenAt) {
		t.Refused++
		return t, t.OpenAt
	}
	t = Tries{Count: t.Count + 1, ForgottenAt: now.Add(d.Quiet)}
	t.OpenAt = now.Add(d.wait(t.Count))
	return t, time.Time{}
}

// wait is how long to wait after that many wrong tries.
func (d Delays) wait(wrong int) time.Duration {
	if wrong < d.Free {
		return 0
	}
	wait := d.First
	for range wrong - d.Free {
		if wait >= d.Most {
			break
		}
		wait *= 2
	}
	return min(wait, d.Most)
}

// SignInDelays are those of one address, one sign-up or one signed-in person
// whose password is asked for.
func SignInDelays() Delays {
	return Delays{Free: 5, First: 30 * time.Second, Most: time.Hour, Quiet: 24 * time.Hour}
}

// Guard is a kind of try that is throttled.
type Guard string

// The kinds of tries.
const (
	// GuardSignIn, GuardResume and GuardReauth compare a password: of an address, of a
	// sign-up, and of who is signed in.
	GuardSignIn Guard = "signin"
	GuardResume Guard = "signup"
	GuardReauth Guard = "password"
	// GuardForgot and GuardNewLink send a mail, GuardAccess asks staff.
	GuardForgot  Guard = "forgot"
	GuardNewLink Guard = "newlink"
	GuardAccess  Guard = "access"
	// GuardProof begins a sign-up without an invitation, which sends a mail.
	GuardProof Guard = "proof"
	// GuardRegister starts a sign-up, GuardCode compares a code.
	GuardRegister Guard = "register"
	GuardCode     Guard = "code"
)

// Limits are what the tries of a Guard are held against.
type Limits struct {
	// Pool is whose budgets of addresses and networks they share.
	Pool string
	// Address is the budget of one IP address, Network that of its /24 or, with
	// IPv6, its /64.
	Address, Network Attempts
	// Delays are those of the account; zero for none.
	Delays Delays
	// Everyone is the budget of all addresses together at one biller; zero for none.
	// It is for what leaves rows behind that only a sweep removes.
	Everyone Attempts
}

// Limits returns what the tries of this kind are held against. Accounts have
// limits of their own for mails and codes: ResetRequests, CodeGuesses, Resend.
func (g Guard) Limits() Limits {
	switch g {
	case GuardSignIn, GuardResume, GuardReauth:
		return Limits{"guess", Attempts{30, 10 * time.Minute}, Attempts{100, 10 * time.Minute}, SignInDelays(), Attempts{}}
	case GuardRegister, GuardCode:
		return Limits{string(g), Attempts{60, 10 * time.Minute}, Attempts{200, 10 * time.Minute}, Delays{}, Attempts{}}
	}
	return Limits{"ask", Attempts{20, time.Hour}, Attempts{60, time.Hour}, Delays{}, Attempts{3000, time.Hour}}
}

// Budget is a count of tries, by its name.
type Budget struct {
	Name string
	Attempts
}

// Try is one try and what it is held against.
type Try struct {
	// Budgets are sorted by name: tries at the same time lock them in one order.
	Budgets []Budget
	// Account names the count with Delays; empty for none.
	Account string
	Delays  Delays
}

// Taken is what became of a try.
type Taken struct {
	// RetryAt is when to try again; zero means go on.
	RetryAt time.Time
	// Wrong is how many tries of the account are wrong if this one is.
	Wrong int
}

// ThrottleStore counts tries; the counts hold across processes.
type ThrottleStore interface {
	// TakeAttempt counts one try and returns when the window ends if there were
	// too many; else zero.
	TakeAttempt(ctx context.Context, biller, key string, rule Attempts, now time.Time) (retryAt time.Time, err error)
	// ClearAttempts forgets the tries.
	ClearAttempts(ctx context.Context, biller, key string) error
	// TakeTry counts a try, before anything is compared. What a budget refuses
	// leaves no trace at the account; what the account refuses is not a wrong try.
	TakeTry(ctx context.Context, biller string, t Try, now time.Time) (Taken, error)
	// ReturnTry gives a right try back to its budgets and forgets the account's.
	ReturnTry(ctx context.Context, biller string, t Try, now time.Time) error
}

// try describes a try of the caller; account is whose password or code it is, as
// a hash or an id, empty for nobody's.
func (s *Service) try(c Caller, g Guard, account string) Try {
	limits := g.Limits()
	t := Try{Budgets: limits.budgets(c.IP)}
	if account != "" && limits.Delays != (Delays{}) {
		t.Account, t.Delays = string(g)+":"+account, limits.Delays
	}
	return t
}

// budgets are those of an address, its network and everyone; none in a job, which no
// address stands behind.
func (l Limits) budgets(ip netip.Addr) []Budget {
	network, ok := networkOf(ip)
	if !ok {
		return nil
	}
	ip = ip.Unmap().WithZone("")
	var list []Budget
	if l.Everyone.Limit > 0 {
		list = append(list, Budget{l.Pool + " from everywhere", l.Everyone})
	}
	list = append(list, Budget{l.Pool + " from " + ip.String(), l.Address}, Budget{l.Pool + " from " + network.String(), l.Network})
	slices.SortFunc(list, func(a, b Budget) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// throttle counts a try before anything is compared, hashed or sent.
// TooManyRequests with the wait, for a known account as for an unknown one.
func (s *Service) throttle(ctx context.Context, c Caller, t Try) (Taken, error) {
	now := s.Now()
	taken, err := s.Store.TakeTry(ctx, c.BillerID, t, now)
	if err != nil || taken.RetryAt.IsZero() {
		return taken, err
	}
	return taken, tooMany(taken.RetryAt.Sub(now))
}

// Throttle counts a try of a kind that no account has delays for: one of an IP
// address and its network. TooManyRequests with the wait.
func (s *Service) Throttle(ctx context.Context, c Caller, g Guard) error {
	_, err := s.throttle(ctx, c, s.try(c, g, ""))
	return err
}

// right forgets a try that was right.
func (s *Service) right(ctx context.Context, c Caller, t Try) error {
	return s.Store.ReturnTry(ctx, c.BillerID, t, s.Now())
}

func tooMany(wait time.Duration) error {
	minutes := int((wait + time.Minute - 1) / time.Minute)
	if minutes <= 1 {
		return apperr.Throttled(wait, "Too many tries. Wait a minute, then try again.")
	}
	return apperr.Throttled(wait, "Too many tries. Wait %d minutes, then try again.", minutes)
}
