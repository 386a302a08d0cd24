package supervisor_test

import (
	"context"
	"path/filepath"
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
	until(t, "it rests", func() bool { return w.status().State == supervisor.BackingOff })
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
