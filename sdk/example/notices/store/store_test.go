package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
	"github.com/billing-addons/customer-portal/sdk/example/notices/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const today = "2026-06-15"

// run gives f a store that holds a notice of another biller with the id "a".
func run(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Parallel()
	dbtest.Run(t, []sqldb.Migrations{store.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db)
		mustAdd(t, s, "south", theirs())
		f(t, s)
		if diff := cmp.Diff([]notice.Notice{theirs()}, mustList(t, s, "south")); diff != "" {
			t.Errorf("the other biller's notices: %s", diff)
		}
	})
}

func theirs() notice.Notice {
	return notice.Notice{ID: "a", Text: "Theirs", FirstDay: today, LastDay: today, WrittenBy: "Sam"}
}

func mustAdd(tb testing.TB, s *store.Store, biller string, n notice.Notice) {
	tb.Helper()
	if err := s.Add(tb.Context(), biller, n); err != nil {
		tb.Fatal(err)
	}
}

func mustList(tb testing.TB, s *store.Store, biller string) []notice.Notice {
	tb.Helper()
	list, err := s.List(tb.Context(), biller, today)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestList(t *testing.T) {
	run(t, func(t *testing.T, s *store.Store) {
		over := notice.Notice{ID: "o", Text: "Over", FirstDay: "2026-06-01", LastDay: "2026-06-14"}
		later := notice.Notice{ID: "a", Text: "Später; 'x' -- ☃", FirstDay: "2026-07-01", LastDay: "2026-07-02", WrittenBy: "Dana"}
		now := notice.Notice{ID: "c", Text: "Now", FirstDay: "2026-06-01", LastDay: today, WrittenBy: "Dana"}
		second := notice.Notice{ID: "d", Text: "Now too", FirstDay: "2026-06-01", LastDay: today}
		for _, n := range []notice.Notice{over, later, second, now} {
			mustAdd(t, s, "north", n)
		}
		if diff := cmp.Diff([]notice.Notice{now, second, later}, mustList(t, s, "north")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestListIsBounded(t *testing.T) {
	run(t, func(t *testing.T, s *store.Store) {
		for i := range 101 {
			mustAdd(t, s, "north", notice.Notice{ID: fmt.Sprint(i), FirstDay: today, LastDay: today})
		}
		if got := len(mustList(t, s, "north")); got != 100 {
			t.Errorf("%d notices", got)
		}
	})
}

func TestAddTwice(t *testing.T) {
	run(t, func(t *testing.T, s *store.Store) {
		var (
			wg   sync.WaitGroup
			wins atomic.Int32
		)
		for range 16 {
			wg.Go(func() {
				err := s.Add(t.Context(), "north", theirs())
				if err == nil {
					wins.Add(1)
				} else if !apperr.Is(err, apperr.Conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d winners", wins.Load())
		}
	})
}

func TestRemoveTwice(t *testing.T) {
	run(t, func(t *testing.T, s *store.Store) {
		if err := s.Remove(t.Context(), "north", "a"); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("the other biller's: %v", err)
		}
		mustAdd(t, s, "north", theirs())
		var (
			wg   sync.WaitGroup
			wins atomic.Int32
		)
		for range 16 {
			wg.Go(func() {
				err := s.Remove(t.Context(), "north", "a")
				if err == nil {
					wins.Add(1)
				} else if !apperr.Is(err, apperr.NotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d winners", wins.Load())
		}
	})
}

func TestPurge(t *testing.T) {
	run(t, func(t *testing.T, s *store.Store) {
		mustAdd(t, s, "north", theirs())
		for range 2 {
			if err := s.Purge(t.Context(), "north"); err != nil {
				t.Fatal(err)
			}
		}
		if got := mustList(t, s, "north"); len(got) > 0 {
			t.Errorf("left: %v", got)
		}
	})
}
