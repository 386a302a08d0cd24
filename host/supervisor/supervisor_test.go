package supervisor_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestHealthy(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "checks its environment", "b1", "b2")
	w.mustEnsure(t)
	if got, err := w.do(t, "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
	s := w.status()
	if s.State != supervisor.Healthy || s.PID == 0 || s.Version != "1.0.0" || s.Failures != 0 {
		t.Errorf("status = %+v", s)
	}
	if p := w.Packages(); len(p) != 1 || p[0].Digest != w.active.Digest {
		t.Errorf("packages = %+v", p)
	}
	got := w.notes()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"enable b1 Biller b1", "enable b2 Biller b2"}, got); diff != "" {
		t.Errorf("billers (-want +got):\n%s", diff)
	}
	_, err := w.Client("another")
	if !apperr.Is(err, apperr.Unavailable) || apperr.RetryAfterOf(err) == 0 {
		t.Errorf("Client of another = %v", err)
	}
}

func TestLongDataFolder(t *testing.T) {
	t.Parallel()
	w := mustWorldIn(t, filepath.Join(t.TempDir(), strings.Repeat("long-name", 12)), "")
	w.mustEnsure(t)
}

func TestEnvironmentIsEmpty(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://secret")
	t.Setenv("TZ", "America/New_York")
	w := mustWorld(t, "")
	w.mustEnsure(t)
	got, err := w.do(t, "environment")
	must(t, err)
	var names []string
	for line := range strings.Lines(got) {
		if name, _, ok := strings.Cut(line, "="); ok && name == strings.ToUpper(name) && !strings.ContainsAny(name, "/+ ") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		allowed := slices.Contains([]string{"TZ", "LANG", "TMPDIR", "SSL_CERT_FILE", "ADDON_LIFELINE_FD", "BILLING_ADDON"}, name)
		if !allowed && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("the add-on sees %s", name)
		}
	}
	if strings.Contains(got, "secret") || !strings.Contains(got, "TZ=America/New_York") {
		t.Errorf("environment is\n%s", got)
	}
}

func TestBillersComeAndGo(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "", "b1")
	w.mustEnsure(t)
	w.books.change(func(b *books) {
		b.installations[0].State = addon.Suspended
		b.installations = append(b.installations, addon.Installation{BillerID: "b2", State: addon.Enabled})
	})
	w.mustEnsure(t)
	w.books.change(func(b *books) { b.installations[1].UpdatedAt = time.Unix(1, 0) })
	w.mustEnsure(t)
	want := []string{"enable b1 Biller b1", "disable b1", "enable b2 Biller b2", "enable b2 Biller b2"}
	if diff := cmp.Diff(want, w.notes()); diff != "" {
		t.Errorf("billers (-want +got):\n%s", diff)
	}
	w.credentials.mu.Lock()
	defer w.credentials.mu.Unlock()
	if len(w.credentials.alive) != 1 {
		t.Errorf("credentials = %v, want one", w.credentials.alive)
	}
}

func TestRestartsAfterACrash(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"crash", "panic", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "", "b1")
			w.mustEnsure(t)
			before := w.status().PID
			if how == "kill" {
				w.mustSignal(t, syscall.SIGKILL)
			} else if _, err := w.do(t, how); !wire.Gone(err) && !apperr.Is(err, apperr.Unavailable) {
				t.Errorf("the call in flight = %v", err)
			}
			until(t, "a new process", func() bool {
				s := w.status()
				return s.State == supervisor.Healthy && s.PID != before
			})
			if got, err := w.do(t, "hello"); err != nil || got != "done" {
				t.Errorf("Link = %q, %v", got, err)
			}
			s := w.status()
			if s.Failures != 1 || how == "crash" && !strings.Contains(s.Report, "my last words") ||
				how == "panic" && !strings.Contains(s.Report, "on the loose") {
				t.Errorf("status = %+v", s)
			}
			if alive(before) {
				t.Errorf("process %d still lives", before)
			}
		})
	}
}

func TestStoppedProcessIsKilled(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	before := w.mustSignal(t, syscall.SIGSTOP)
	until(t, "a new process", func() bool {
		s := w.status()
		return s.State == supervisor.Healthy && s.PID != before
	})
	if alive(before) {
		t.Errorf("process %d still lives", before)
	}
}

func TestStoppedProcessDoesNotKeepTheHost(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	w.mustSignal(t, syscall.SIGSTOP)
	w.mustEnd(t)
}

func TestGrandchildIsKilled(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	text, err := w.do(t, "grandchild")
	must(t, err)
	grandchild, err := strconv.Atoi(text)
	must(t, err)
	before := w.mustSignal(t, syscall.SIGKILL)
	until(t, "a new process", func() bool {
		s := w.status()
		return s.State == supervisor.Healthy && s.PID != before
	})
	until(t, "the end of the grandchild", func() bool { return !alive(grandchild) })
}

func TestLogLinesDoNotHurt(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	_, err := w.do(t, "bad log line")
	must(t, err)
	until(t, "the lines are logged", func() bool {
		log := w.log.String()
		return strings.Contains(log, `msg="a good one" addon=test-addon version=1.0.0 _addon=another n=1`) &&
			strings.Contains(log, `@message\":42`) && strings.Contains(log, "a print") && strings.Contains(log, "xxxx")
	})
	if n := len(w.log.String()); n > 100_000 {
		t.Errorf("the log has %d bytes", n)
	}
	_, err = w.do(t, "flood")
	must(t, err)
	if got, err := w.do(t, "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
	if n := strings.Count(w.log.String(), "add-on wrote to stderr"); n > 10_000 {
		t.Errorf("the flood made %d lines", n)
	}
}
