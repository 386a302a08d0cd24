package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestDatabaseAwayMidway kills the server while jobs run and starts it again: each
// job that runs is done once, and those that wait follow.
func TestDatabaseAwayMidway(t *testing.T) {
	t.Parallel()
	server := dbtest.MustMortal(t)
	db := dbtest.MustOpen(t, server.Config)
	if err := sqldb.Migrate(t.Context(), db, jobs.Migrations()); err != nil {
		t.Fatal(err)
	}
	var l journal
	started, goOn := make(chan struct{}, 8), make(chan struct{})
	w := mustWorker(t, jobs.Config{
		DB: db, Concurrency: 4, Poll: 100 * time.Millisecond,
		Handlers: l.handler(func(jobs.Job) error {
			started <- struct{}{}
			<-goOn
			return nil
		}),
	})
	var want []string
	for i := range 8 {
		mustEnqueue(t, db, mail(fmt.Sprintf("b%d", i), "k"))
		want = append(want, fmt.Sprintf("b%d/k", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	for range 4 {
		<-started
	}
	server.Kill()
	close(goOn) // they end while nothing can be recorded
	server.Start()
	for late := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		rows := mustRows(t, db)
		if !slices.ContainsFunc(rows, func(r stored) bool { return r.State != done }) {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("rows = %+v", rows)
		}
	}
	got := l.keys()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs that ran (-want +got):\n%s", diff)
	}
}

// TestLogIsPacedWhileTheDatabaseIsAway looks for jobs many times while the server is
// down: the log tells once of the looks, and once of the listening.
func TestLogIsPacedWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := dbtest.MustMortal(t)
	db := dbtest.MustOpen(t, server.Config)
	if err := sqldb.Migrate(t.Context(), db, jobs.Migrations()); err != nil {
		t.Fatal(err)
	}
	var log synced
	var looks atomic.Int64 // each reads the clock
	w := mustWorker(t, jobs.Config{
		DB: db, Poll: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Now:      func() time.Time { looks.Add(1); return time.Now() },
		Handlers: map[string]jobs.Handler{"mail": func(context.Context, jobs.Job) error { return nil }},
	})
	server.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for late := time.Now().Add(time.Minute); looks.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d looks", looks.Load())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "looking for due jobs failed"); n != 1 {
		t.Errorf("%d lines for %d looks:\n%s", n, looks.Load(), &log)
	}
}

// synced is a log in memory.
type synced struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write implements io.Writer.
func (s *synced) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

// String is what was written.
func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestStrangersWakeUpInVain floods the channel of the jobs with names.
func TestStrangersWakeUpInVain(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, jobs.Migrations()))
	var l journal
	ran := make(chan struct{}, 1)
	w := mustWorker(t, jobs.Config{DB: db, Poll: time.Hour, Handlers: l.handler(func(jobs.Job) error { ran <- struct{}{}; return nil })})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	first := mail("first", "k")
	mustEnqueue(t, db, first)
	<-ran // it listens, or looked
	before := statements(t, db)
	start := time.Now()
	for n := range 20 {
		if _, err := db.W.Exec(`SELECT pg_notify('jobs_public', CAST($1 AS TEXT) || n) FROM generate_series(1, 2000) AS n`, fmt.Sprint(n, "-")); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(start)
	mustEnqueue(t, db, mail("true", "k"))
	select {
	case <-ran:
	case <-time.After(time.Minute):
		t.Fatal("the job does not run under a flood")
	}
	// 40,000 names were called; what is allowed leaves room for the test itself.
	if got, most := statements(t, db)-before, 200+int(took/time.Millisecond); got > most {
		t.Errorf("%d transactions in %s, want %d at most", got, took, most)
	}
}

// statements counts the database's transactions so far.
func statements(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.R.Get(&n, `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`); err != nil {
		t.Fatal(err)
	}
	return n
}
