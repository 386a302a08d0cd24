// Package supervisor runs the platform's add-ons: one process per add-on,
// verified before each start, watched, restarted after a crash and ended with
// everything it started.
package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Store says what is to run, and for whom.
type Store interface {
	// Active returns the version of each add-on that the platform runs.
	Active(ctx context.Context) ([]addon.Active, error)
	// InstallationsOf returns an add-on's installations, suspended ones included.
	InstallationsOf(ctx context.Context, addonID string) ([]addon.Installation, error)
	// Promote makes the wanted version with this digest the one that runs, on
	// probation. Conflict if it is neither wanted nor running.
	Promote(ctx context.Context, addonID, digest string, probation time.Duration) error
	// Refuse takes back a wanted version, or one on probation, and keeps why. It
	// tells whether it was one of them.
	Refuse(ctx context.Context, addonID, digest, reason string) (bool, error)
}

// Credentials makes what an add-on's process calls the host with.
type Credentials interface {
	IssueInstallation(i addon.Installation) string
	Revoke(token string)
}

// Env is what an add-on gets at its start beside the host's services.
type Env struct {
	// Database is zero for an add-on without the permission.
	Database sdk.Database
	// Key is 32 bytes, the same at every start.
	Key []byte
	// Folder is one that the add-on may fill and nobody else uses; empty for none.
	// An add-on with a SQLite database runs under landlock only if the file is in
	// it.
	Folder string
	// User is the user id, and group id alike, that the add-on runs as; 0 means the
	// host's. See Users.
	User int
}

// Config is what a Supervisor is made of; the first group is required.
type Config struct {
	Store       Store
	Credentials Credentials
	// Services are the host's services for one add-on.
	Services func(addonID string) wire.Services
	// Env prepares an add-on's database and key; it may take seconds.
	Env func(ctx context.Context, m *manifest.Manifest) (Env, error)
	// Call describes work for a biller outside requests.
	Call func(ctx context.Context, i addon.Installation) (sdk.Call, error)
	// Settings returns, by biller, what billers have set of a manifest's settings;
	// nil: nothing.
	Settings func(ctx context.Context, m *manifest.Manifest, list []addon.Installation) (map[string]sdk.Settings, error)
	// Fetch makes sure that a version's package is in Packages; nil: it is there.
	Fetch func(ctx context.Context, addonID string, v addon.Version) error
	// SelfTest asks a version on trial for a page; nil asks for none.
	SelfTest func(ctx context.Context, c *wire.Client, pkg *pack.Package) error
	// Switched hears that another version serves now; nil hears nothing.
	Switched func()
	// Meter hears what operators want counted; nil hears nothing.
	Meter Meter
	// Tracing returns the tracing of a new process; nil traces none.
	Tracing func(addonID, version string) *wire.Tracing
	// Probation is how long after the switch a failure leads back to the version
	// before; 0 means 2 minutes.
	Probation time.Duration
	// Packages is the folder of unpacked packages, each named by its digest.
	Packages string
	// DataDir is where the private folder for sockets goes.
	DataDir string
	// Name tells people which host refused a version; empty names none.
	Name string
	Log  *slog.Logger

	// Dev and LogLevel are told to the add-ons.
	Dev      bool
	LogLevel slog.Level
	// Limits bound each add-on's process.
	Limits Limits
	// Users tells that Env names users; then these may pass through the folder of
	// sockets.
	Users bool
	// Times are for tests; zero fields have defaults.
	Times Times
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Jitter returns a number from 0 to 1; nil means a random one.
	Jitter func() float64
}

func (c Config) withDefaults() Config {
	c.Times = c.Times.withDefaults()
	c.Limits = c.Limits.withDefaults()
	if c.Fetch == nil {
		c.Fetch = func(context.Context, string, addon.Version) error { return nil }
	}
	if c.Settings == nil {
		c.Settings = func(context.Context, *manifest.Manifest, []addon.Installation) (map[string]sdk.Settings, error) {
			return nil, nil
		}
	}
	if c.SelfTest == nil {
		c.SelfTest = func(context.Context, *wire.Client, *pack.Package) error { return nil }
	}
	if c.Switched == nil {
		c.Switched = func() {}
	}
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	if c.Tracing == nil {
		c.Tracing = func(string, string) *wire.Tracing { return nil }
	}
	if c.Probation == 0 {
		c.Probation = 2 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	return c
}

// Supervisor runs add-ons. Make one with New and call Run once.
type Supervisor struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex
	workers map[string]*worker
	// asked counts the calls of Ensure; what a worker has done since then is
	// compared with it.
	asked   uint64
	changed chan struct{} // closed and replaced whenever a worker's state changes

	// generation counts the changes that workers make in the store.
	generation atomic.Uint64

	fault func(point string) // nil outside tests
}

// New returns a supervisor that runs nothing yet.
func New(cfg Config) *Supervisor {
	return &Supervisor{
		cfg:     cfg.withDefaults(),
		wake:    make(chan struct{}, 1),
		workers: map[string]*worker{},
		changed: make(chan struct{}),
	}
}

// Run keeps the add-ons running that the store names, until ctx ends; then it
// drains and stops them all and returns nil. Any other return is an error of
// the machine: no folder for sockets.
func (s *Supervisor) Run(ctx context.Context) (err error) {
	socks, err := openSockets(s.cfg.DataDir, s.cfg.Users)
	if err != nil {
		return err
	}
	if socks.groups, err = openCgroups(filepath.Join(socks.dir, groupRecord)); err != nil {
		s.cfg.Log.Info("add-ons run without control groups", "reason", err.Error())
	}
	defer func() { err = errors.Join(err, socks.close()) }()
	defer s.stopAll()
	poll := time.NewTicker(s.cfg.Times.Poll)
	defer poll.Stop()
	away, told := false, nag{}
	for {
		err := s.reconcile(ctx, socks)
		if told.due("", err) && ctx.Err() == nil {
			s.cfg.Log.Warn("add-ons not reconciled", "error", err.Error())
		}
		if err == nil && away {
			s.cfg.Log.Info("add-ons are reconciled again")
			s.askAll()
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		case <-s.wake:
		}
	}
}

// askAll makes add-ons that rest or are broken start at once: the store was away,
// and the database that they need too may have been.
func (s *Supervisor) askAll() {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	s.Wake()
}

// reach names a step of a start, an upgrade or an end, where tests interrupt the
// host.
func (s *Supervisor) reach(point string) {
	if s.fault != nil {
		s.fault(point)
	}
}

// Wake makes Run look at the store at once.
func (s *Supervisor) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// reconcile starts, changes and stops workers as the store says. It waits for
// none: an add-on that takes its time to end keeps no other waiting.
func (s *Supervisor) reconcile(ctx context.Context, socks *sockets) error {
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	generation := s.generation.Load()
	actives, err := s.cfg.Store.Active(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, a := range actives {
		wanted[a.AddonID] = true
		if w := s.worker(a.AddonID, socks); w != nil {
			w.steer(a, asked, generation)
		}
	}
	for _, w := range s.all() {
		if !wanted[w.id] {
			w.cancel()
		}
	}
	s.forgetEnded()
	return nil
}

// worker returns the add-on's worker, a new one if there is none; nil while the
// last one is ending, whose end wakes Run.
func (s *Supervisor) worker(id string, socks *sockets) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workers[id]
	if w != nil && w.ended() {
		w = nil
	}
	if w == nil {
		w = newWorker(s, id, socks)
		s.workers[id] = w
		go w.run()
	}
	if w.ctx.Err() != nil {
		return nil
	}
	return w
}

// stopAll ends all workers at once and waits for them.
func (s *Supervisor) stopAll() {
	for _, w := range s.all() {
		w.cancel()
	}
	for _, w := range s.all() {
		<-w.done
	}
	s.forgetEnded()
}

func (s *Supervisor) forgetEnded() {
	s.mu.Lock()
	before := len(s.workers)
	maps.DeleteFunc(s.workers, func(_ string, w *worker) bool { return w.ended() })
	changed := len(s.workers) < before
	s.mu.Unlock()
	if changed {
		s.announce()
	}
}

// announce wakes everybody who waits for a change of state.
func (s *Supervisor) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changes returns a channel that is closed at the next change of any Status. Ask
// for it before Statuses, so that nothing is missed.
func (s *Supervisor) Changes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Ensure returns when the version of the add-on is healthy and knows all the
// billers that have it now. The store must name the version already. Errors:
// why the add-on failed; Unavailable if ctx ends first.
func (s *Supervisor) Ensure(ctx context.Context, a addon.Active) error {
	s.mu.Lock()
	s.asked++
	ticket := s.asked
	s.mu.Unlock()
	s.Wake()
	for {
		s.mu.Lock()
		w, changed := s.workers[a.AddonID], s.changed
		s.mu.Unlock()
		if w != nil {
			if done, err := w.reached(a.Digest, ticket); done {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return apperr.Wrap(apperr.Unavailable, "The add-on is still starting.", ctx.Err())
		case <-changed:
		}
	}
}

// Client returns the client of an add-on that serves. Unavailable, with
// RetryAfter, if it does not run now. What is asked of it may be refused when
// another version takes over at that moment: use Acquire for requests.
func (s *Supervisor) Client(addonID string) (*wire.Client, error) {
	c, release, err := s.Acquire(addonID)
	if err != nil {
		return nil, err
	}
	release()
	return c, nil
}

// Acquire is Client whose process stays, while another version takes over, until
// release is called or the time to drain is over.
func (s *Supervisor) Acquire(addonID string) (c *wire.Client, release func(), err error) {
	s.mu.Lock()
	w := s.workers[addonID]
	s.mu.Unlock()
	if w == nil {
		return nil, nil, unavailable(s.cfg.Times.Poll)
	}
	return w.acquire()
}

func unavailable(wait time.Duration) error {
	return &apperr.Error{
		Code:       apperr.Unavailable,
		Message:    "This add-on is not available right now.",
		RetryAfter: max(wait, time.Second).Round(time.Second),
	}
}

// Packages returns the packages of the add-ons that are meant to run and were
// found sound, by id.
func (s *Supervisor) Packages() []*pack.Package {
	var list []*pack.Package
	for _, w := range s.all() {
		if p := w.currentPackage(); p != nil {
			list = append(list, p)
		}
	}
	return list
}

func (s *Supervisor) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*worker, 0, len(s.workers))
	for _, w := range s.workers {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *worker) int { return strings.Compare(a.id, b.id) })
	return list
}
