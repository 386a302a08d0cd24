package store_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

var (
	walkSeed  = flag.Uint64("walk.seed", 0, "repeat the random walk of this seed; 0 for another each time")
	walkSteps = flag.Int("walk.steps", 0, "steps of a random walk; 0 for 2,000, and 1,000 on SQLite, which the race detector slows most")
)

// TestWalk is the model-based test of the states of product.md §4, §5 and §7.
func TestWalk(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		k, steps := newWalk(t, w, cmpSeed()), *walkSteps
		if steps == 0 && w.db.Dialect() == sqldb.SQLite {
			steps = 1000
		}
		steps = cmp.Or(steps, 2000)
		k.walk(t.Context(), steps)
		switch {
		case steps >= 2000:
			k.reached(10)
		case steps >= 1000:
			k.reached(12)
		}
	})
}

// TestProofWalk walks far.
func TestProofWalk(t *testing.T) {
	if !*proof {
		t.Skip("a large load: make proof runs it")
	}
	for range 3 {
		run(t, func(t *testing.T, w *world) {
			k := newWalk(t, w, cmpSeed())
			k.walk(t.Context(), 10_000)
			k.reached(3)
			fmt.Printf("PROOF walk of seed %d, 10,000 steps: %v\n", k.seed, k.did)
		})
	}
}

// FuzzWalk looks for a short walk that goes wrong.
func FuzzWalk(f *testing.F) {
	f.Add(uint64(1), uint16(60))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		w := mustWorld(t, dbtest.MustOpen(t, dbtest.SQLite(t, store.Migrations()...)))
		newWalk(t, w, seed).walk(t.Context(), int(steps%300))
	})
}

func cmpSeed() uint64 {
	if *walkSeed != 0 {
		return *walkSeed
	}
	return rand.Uint64()
}

// walk is a random walk through everything that people, staff, mail servers and time
// can do, in any order, at two billers. It knows what mails, pages and answers
// told, remembers by itself what must follow, and compares after each step.
type walk struct {
	*world
	tb   testing.TB
	seed uint64
	rand *rand.Rand
	log  []string
	// did counts the actions that came to something, tried all.
	did, tried map[string]int

	at map[string]*memory // by biller
	// histories are the details of the entries, by biller and id, as they were when
	// they were compared last; "" for one that may have changed.
	histories map[string]map[string]string
	spent     []spentOnce
}

// spentOnce is something that worked one time, and must not again.
type spentOnce struct {
	what  string
	again func(ctx context.Context) error
}

func newWalk(tb testing.TB, w *world, seed uint64) *walk {
	tb.Helper()
	k := &walk{
		world: w, tb: tb, seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), did: map[string]int{}, tried: map[string]int{},
		at: map[string]*memory{}, histories: map[string]map[string]string{},
	}
	for _, c := range []portal.Caller{w.caller, w.other} {
		k.at[c.BillerID] = newMemory(w.clock.Now())
		must(tb, w.ApplyCustomers(tb.Context(), c, k.at[c.BillerID].books))
	}
	return k
}

// walk goes that many steps, and stops at the first that is wrong.
func (k *walk) walk(ctx context.Context, steps int) {
	k.tb.Helper()
	defer func() {
		if k.tb.Failed() {
			k.tb.Logf("again with: -walk.seed %d -walk.steps %d, after %s", k.seed, steps, strings.Join(k.log[max(0, len(k.log)-40):], ", "))
		}
	}()
	for range steps {
		k.step(ctx)
		if k.tb.Failed() {
			return
		}
	}
}

// step does one action for one biller; many come to nothing, as in life.
func (k *walk) step(ctx context.Context) {
	k.tb.Helper()
	c, other := k.caller, k.other
	if k.rand.IntN(4) == 0 {
		c, other = other, c
	}
	c.IP = netip.AddrFrom4([4]byte{203, 0, byte(k.rand.IntN(200)), byte(k.rand.IntN(200))})
	a := k.choose(k.actions())
	watched := !a.both && k.rand.IntN(40) == 0
	before := ""
	if watched {
		before = k.rowsOfBiller(other)
	}
	ok := a.do(ctx, c)
	k.tried[a.name]++
	if ok {
		k.did[a.name]++
	}
	k.log = append(k.log, fmt.Sprintf("%s %s %v", c.BillerID, a.name, ok))
	if watched && k.rowsOfBiller(other) != before {
		k.tb.Errorf("%q at %s changes rows of %s", a.name, c.BillerID, other.BillerID)
	}
	k.check(ctx, c)
}

// walkAction is something that may happen; both means that it happens at both
// billers. do tells whether it came to something.
type walkAction struct {
	name   string
	weight int
	both   bool
	do     func(ctx context.Context, c portal.Caller) bool
}

func (k *walk) choose(list []walkAction) walkAction {
	total := 0
	for _, a := range list {
		total += a.weight
	}
	n := k.rand.IntN(total)
	for _, a := range list {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("unreachable")
}

func (k *walk) actions() []walkAction {
	return slices.Concat(k.actionsInARow(), k.actionsOfSigningUp(), k.actionsOfPeople(), k.actionsOfStaff(), []walkAction{
		{"mails are sent", 14, true, k.receive},
		{"mails are refused", 1, true, k.bounce},
		{"time passes", 5, false, k.pass},
		{"something is tried again", 8, true, k.tryAgain},
		{"a foreign link is tried", 2, false, k.foreign},
	})
}

// reached fails if the walk was too dull to prove anything: each action of at least
// that weight has to have come to something.
func (k *walk) reached(weight int) {
	k.tb.Helper()
	for _, a := range k.actions() {
		if a.weight >= weight && k.did[a.name] == 0 {
			k.tb.Errorf("seed %d: %q came to something 0 times of %d", k.seed, a.name, k.tried[a.name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.did)) {
		k.tb.Logf("%5d of %5d: %s", k.did[name], k.tried[name], name)
	}
}

// may fails the test for an error that is nobody's fault but ours, and tells
// whether there was none.
func (k *walk) may(err error) bool {
	k.tb.Helper()
	if apperr.CodeOf(err) == apperr.Internal {
		k.tb.Errorf("internal error: %v", err)
	}
	return err == nil
}

// came counts an action that came to something.
func (k *walk) came(name string) bool {
	k.did[name]++
	return true
}

// holds fails the test for any error but those of limits: by what the walk
// remembers, it has to work.
func (k *walk) holds(what string, err error) bool {
	k.tb.Helper()
	if err != nil && !apperr.Is(err, apperr.TooManyRequests) {
		k.tb.Errorf("%s: %v", what, err)
	}
	return err == nil
}

// once keeps what worked, to be tried again.
func (k *walk) once(what string, again func(ctx context.Context) error) {
	k.spent = append(k.spent, spentOnce{what, again})
}

func (k *walk) tryAgain(ctx context.Context, _ portal.Caller) bool {
	s, ok := recent(k, k.spent)
	if !ok {
		return false
	}
	if err := s.again(ctx); err == nil {
		k.tb.Errorf("%s worked twice", s.what)
	} else {
		k.may(err)
	}
	return true
}

// foreign tries at the other biller what belongs to one.
func (k *walk) foreign(ctx context.Context, c portal.Caller) bool {
	other := public(k.other)
	if c.BillerID == k.other.BillerID {
		other = public(k.caller)
	}
	m := k.at[c.BillerID]
	l, ok := recent(k, m.links)
	if !ok {
		return false
	}
	if _, err := k.Open(ctx, other, l.secret, "", ""); !apperr.Is(err, apperr.NotFound) {
		k.tb.Errorf("a link of %s at %s: %v", c.BillerID, other.BillerID, err)
	}
	if s, ok := recent(k, m.sessions); ok {
		if _, err := k.Session(ctx, other, s.secret); !apperr.Is(err, apperr.Unauthenticated) {
			k.tb.Errorf("a session of %s at %s: %v", c.BillerID, other.BillerID, err)
		}
	}
	return true
}

// recent picks one of a list, newer ones more often.
func recent[T any](k *walk, list []T) (picked T, ok bool) {
	if len(list) == 0 {
		return picked, false
	}
	if k.rand.IntN(3) > 0 {
		list = list[max(0, len(list)-3):]
	}
	return list[k.rand.IntN(len(list))], true
}

func (k *walk) pass(ctx context.Context, c portal.Caller) bool {
	k.clock.Add([]time.Duration{
		time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute, time.Hour, 25 * time.Hour, 3 * 24 * time.Hour, 15 * 24 * time.Hour,
	}[min(k.rand.IntN(8), k.rand.IntN(8))])
	for {
		more, err := k.RefreshDue(ctx, c)
		if !k.may(err) || !more {
			return err == nil
		}
	}
}

// norm is how an address is compared.
func (k *walk) norm(address string) string {
	k.tb.Helper()
	n, err := k.NormalizeEmail(address)
	must(k.tb, err)
	return n
}
