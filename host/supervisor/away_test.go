package supervisor_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// database is one that the store and the add-ons need.
type database struct {
	*books
	away atomic.Bool
	// looks counts how often Run asked for the active versions in vain.
	looks atomic.Int64
}

func (d *database) err() error {
	if !d.away.Load() {
		return nil
	}
	return &apperr.Error{Code: apperr.Unavailable, Message: "The database cannot be reached", RetryAfter: 5 * time.Second}
}

// Active implements supervisor.Store.
func (d *database) Active(ctx context.Context) ([]addon.Active, error) {
	if err := d.err(); err != nil {
		d.looks.Add(1)
		return nil, err
	}
	return d.books.Active(ctx)
}

// mustWorldOn returns a world that rests long, on a database.
func mustWorldOn(t *testing.T) (*world, *database) {
	t.Helper()
	binary, err := program()
	must(t, err)
	d := &database{}
	w := mustWorldOf(t, mustDir(t), binary, "", func(c *supervisor.Config) {
		d.books = c.Store.(*books)
		env := c.Env
		c.Store = d
		c.Env = func(ctx context.Context, m *manifest.Manifest) (supervisor.Env, error) {
			if err := d.err(); err != nil {
				return supervisor.Env{}, err
			}
			return env(ctx, m)
		}
		c.Times.FirstRest, c.Times.LongestRest = time.Hour, time.Hour
	}, "b1")
	return w, d
}

// TestStartsAgainWhenTheDatabaseIsBack kills an add-on while the database is away:
// it rests, but not for longer than that.
func TestStartsAgainWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	w, d := mustWorldOn(t)
	w.mustEnsure(t)
	d.away.Store(true)
	if _, err := w.do(t, "crash"); err == nil {
		t.Error("it answers as it crashes")
	}
	until(t, "it rests", func() bool { return w.status().State == supervisor.BackingOff && d.looks.Load() > 0 })
	d.away.Store(false)
	until(t, "it runs", func() bool { return w.status().State == supervisor.Healthy })
}

// TestDatabaseAwayRefusesNoVersion tries a version while only its own database is
// away.
func TestDatabaseAwayRefusesNoVersion(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	binary, err := program()
	must(t, err)
	var away atomic.Bool
	w := mustWorldOf(t, dir, binary, "", func(c *supervisor.Config) {
		d, env := &database{books: c.Store.(*books)}, c.Env
		c.Env = func(ctx context.Context, m *manifest.Manifest) (supervisor.Env, error) {
			if d.away.Store(away.Load()); d.err() != nil {
				return supervisor.Env{}, d.err()
			}
			return env(ctx, m)
		}
	}, "b1")
	w.mustEnsure(t)
	away.Store(true)
	next := mustPackage(t, filepath.Join(dir, "packages"), "next").Current()
	w.want(next)
	until(t, "the trial fails", func() bool { return w.status().TrialErr != nil })
	if row := w.row(); row.Failed.Digest != "" || row.Next != next {
		t.Errorf("row = %+v", row)
	}
	away.Store(false)
	w.mustServe(t, next)
}

// lines counts log lines by message.
type lines struct {
	slog.Handler

	mu   sync.Mutex
	seen map[string]int
}

// Enabled implements slog.Handler.
func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[r.Message]++
	return nil
}

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *lines) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[message]
}

// TestLogIsPacedWhileTheDatabaseIsAway looks many times: the log tells once that it
// is away, and once that it is back.
func TestLogIsPacedWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	binary, err := program()
	must(t, err)
	d, log := &database{}, &lines{seen: map[string]int{}}
	w := mustWorldOf(t, mustDir(t), binary, "", func(c *supervisor.Config) {
		d.books = c.Store.(*books)
		c.Store, c.Log, c.Times.Poll = d, slog.New(log), 5*time.Millisecond
	}, "b1")
	w.mustEnsure(t)
	d.away.Store(true)
	until(t, "it was looked for often", func() bool { return d.looks.Load() > 20 })
	d.away.Store(false)
	until(t, "it is back", func() bool { return log.count("add-ons are reconciled again") == 1 })
	if n := log.count("add-ons not reconciled"); n != 1 {
		t.Errorf("the log says %d times that it is away", n)
	}
}
