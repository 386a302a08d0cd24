package supervisor_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// mustWant lays another package down and makes it the wanted version, at a time
// of its own.
func (w *world) mustWant(tb testing.TB, mode string) addon.Version {
	tb.Helper()
	v := mustPackage(tb, filepath.Join(w.dir, "packages"), mode).Current()
	w.want(v)
	return v
}

func (w *world) want(v addon.Version) {
	w.books.change(func(b *books) {
		b.active[0].Next = v
		b.active[0].UpdatedAt = b.active[0].UpdatedAt.Add(time.Second)
	})
	w.Wake()
}

func (w *world) row() addon.Active {
	list, _ := w.books.Active(context.Background()) // a store in memory does not fail
	return list[0]
}

func (w *world) mustServe(tb testing.TB, v addon.Version) {
	tb.Helper()
	until(tb, "the version serves", func() bool {
		s := w.status()
		return s.Serving == v && s.State == supervisor.Healthy && w.row().Current() == v
	})
}

func TestTrialThatFailsLeavesTheOldServing(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[string]string{
		"start fails": "the schema is too new", "lies": "The program says it is test-addon 9.9.9", "dies at once": "cannot find my config",
		"offers nothing": "The program offers nothing", "prints first": "could not be started",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "", "b1")
			w.mustEnsure(t)
			before := w.status().PID
			for range 2 { // wanting it again tries it again
				bad := w.mustPackageOnce(t, mode)
				w.want(bad)
				until(t, "the version is refused", func() bool { a := w.row(); return a.Failed.Version == bad && a.Next.Digest == "" })
				if got := w.row().Failed.Reason; !strings.Contains(got, reason) {
					t.Errorf("reason = %q, want %q", got, reason)
				}
				w.books.change(func(b *books) { b.active[0].Failed = addon.Refusal{} })
			}
			if s := w.status(); s.PID != before || s.State != supervisor.Healthy || s.Failures != 0 || s.TrialErr == nil {
				t.Errorf("status = %+v", s)
			}
		})
	}
}

// mustPackageOnce returns a package, made by the first call.
func (w *world) mustPackageOnce(tb testing.TB, mode string) addon.Version {
	tb.Helper()
	if w.made == nil {
		w.made = map[string]addon.Version{}
	}
	if _, ok := w.made[mode]; !ok {
		w.made[mode] = mustPackage(tb, filepath.Join(w.dir, "packages"), mode).Current()
	}
	return w.made[mode]
}

// TestRequestsOutliveTheSwitch asks the old version for something slow, switches,
// and gets the answer from the old one.
func TestRequestsOutliveTheSwitch(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "", "b1")
	w.mustEnsure(t)
	before := w.status().PID
	c, release, err := w.Acquire("test-addon")
	must(t, err)
	second := w.mustWant(t, "checks its environment")
	w.mustServe(t, second)
	if !alive(before) {
		t.Fatal("the first process has ended though somebody holds it")
	}
	// The call begins only now, after the switch.
	if got, err := c.Invite(sdk.Call{}, "").Link(t.Context(), "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
	release()
	until(t, "the first process ends", func() bool { return !alive(before) })
	if s := w.status(); s.Serving != second || s.Failures != 0 {
		t.Errorf("status = %+v", s)
	}
}

// TestBillersDuringATrial installs the add-on for another biller while a version
// is tried.
func TestBillersDuringATrial(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "", "b1")
	w.mustEnsure(t)
	second := w.mustWant(t, "checks its environment")
	w.books.change(func(b *books) {
		b.installations = append(b.installations, addon.Installation{BillerID: "b2", AddonID: "test-addon", State: addon.Enabled})
	})
	w.mustServe(t, second)
	w.active = w.row()
	w.mustEnsure(t)
	if got := w.notes(); !slices.Contains(got, "enable b1 Biller b1") || !slices.Contains(got, "enable b2 Biller b2") {
		t.Errorf("billers = %v", got)
	}
}

func TestAnotherVersionIsWantedDuringATrial(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	slow := w.mustWant(t, "lies slowly")
	until(t, "the first trial runs", func() bool { return w.status().Trial == slow })
	// The trial ends when its word comes or, as here, when it is not wanted.
	good := w.mustWant(t, "checks its environment")
	w.mustServe(t, good)
	if a := w.row(); a.Failed.Digest != "" || a.Previous != w.active.Current() {
		t.Errorf("row = %+v", a)
	}
}

func TestCrashOnProbationLeadsBack(t *testing.T) {
	t.Parallel()
	for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "", "b1")
			w.mustEnsure(t)
			second := w.mustWant(t, "checks its environment")
			w.mustServe(t, second)
			w.mustSignal(t, how)
			w.mustServe(t, w.active.Current())
			a := w.row()
			if a.Failed.Version.Digest != second.Digest || a.Failed.Reason == "" || a.Previous.Digest != "" {
				t.Errorf("row = %+v", a)
			}
		})
	}
}

func TestFiveCrashesBreakIt(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	crash := func() {
		for range 5 {
			pid := w.mustSignal(t, syscall.SIGKILL)
			until(t, "its end is seen", func() bool { return w.status().PID != pid })
		}
		until(t, "it is broken", func() bool { return w.status().State == supervisor.Broken })
	}
	crash()
	if s := w.status(); !s.RetryAt.IsZero() || s.Err == nil || s.Failures != 5 {
		t.Errorf("status = %+v", s)
	}
	if _, err := w.Client("test-addon"); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Client = %v", err)
	}
	w.want(addon.Version{}) // somebody acts
	w.mustServe(t, w.active.Current())

	crash()
	good := w.mustWant(t, "checks its environment")
	w.mustServe(t, good)
}

func TestWantedVersionTakesOverFromOneThatCannotStart(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "start fails")
	until(t, "the first version fails", func() bool { return w.status().State == supervisor.BackingOff })
	bad := w.mustWant(t, "lies")
	until(t, "a bad version is refused", func() bool { return w.row().Failed.Version == bad })
	good := w.mustWant(t, "checks its environment")
	w.mustServe(t, good)
}

func TestLateHealthIsDegraded(t *testing.T) {
	t.Parallel()
	w := newWorld(mustDir(t))
	w.active = mustPackage(t, filepath.Join(w.dir, "packages"), "")
	w.books.active = []addon.Active{w.active}
	cfg := w.config()
	cfg.Times.Answer = 5 * time.Second // it is killed after three times that
	w.mustRun(t, cfg)
	w.mustEnsure(t)
	pid := w.mustSignal(t, syscall.SIGSTOP)
	until(t, "it is degraded", func() bool { return w.status().State == supervisor.Degraded })
	if _, err := w.Client("test-addon"); err != nil {
		t.Errorf("a degraded add-on is not asked: %v", err)
	}
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	until(t, "it is healthy", func() bool { return w.status().State == supervisor.Healthy })
	if s := w.status(); s.PID != pid || s.Failures != 0 {
		t.Errorf("status = %+v", s)
	}
}

func TestDraining(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	_, release, err := w.Acquire("test-addon")
	must(t, err)
	w.books.change(func(b *books) { b.active = nil })
	w.Wake()
	until(t, "it drains", func() bool { return w.status().State == supervisor.Draining })
	if _, err := w.Client("test-addon"); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Client = %v", err)
	}
	release()
	until(t, "it is gone", func() bool { return len(w.Statuses()) == 0 })
}

// TestDevTriesTheWantedVersionFirst takes a developer's new build at the start.
func TestDevTriesTheWantedVersionFirst(t *testing.T) {
	t.Parallel()
	for mode, taken := range map[string]bool{"notes its process": true, "notes its process, start fails": false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(mustDir(t))
			packages := filepath.Join(w.dir, "packages")
			w.active = mustPackage(t, packages, "notes its process 1")
			next := mustPackage(t, packages, mode).Current()
			w.books.active = []addon.Active{w.active}
			w.books.active[0].Next = next
			cfg := w.config()
			cfg.Dev = true
			w.mustRun(t, cfg)
			if !taken {
				w.mustServe(t, w.active.Current())
				if a := w.row(); a.Failed.Version != next || a.Next.Digest != "" {
					t.Errorf("row = %+v", a)
				}
				return
			}
			w.mustServe(t, next)
			if notes := w.notes(); len(notes) > 0 {
				t.Errorf("the old build was started: %v", notes)
			}
		})
	}
}
