package sqldb_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// wakes records the calls of a listener.
type wakes struct {
	mu   sync.Mutex
	list [][]string
}

func (w *wakes) add(payloads []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, payloads)
}

func (w *wakes) take() [][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// mustListen listens with a pace and returns once it does.
func mustListen(t *testing.T, cfg sqldb.Config, gap time.Duration) *wakes {
	t.Helper()
	ctx, cancel := contextWithCancel(t)
	w, ended := &wakes{}, make(chan error, 1)
	go func() { ended <- sqldb.ListenPaced(ctx, cfg, "test", gap, w.add) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	until(t, "it listens", func() bool { return len(w.take()) > 0 })
	return w
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestFloodOfNotifications lets a role without any rights notify as fast as it
// can: the listener is woken a few times, and told that it may have missed some.
func TestFloodOfNotifications(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Postgres(t)
	db := mustProvision(t, cfg, "addon_stranger", uniqueRole(t, dbtest.MustOpen(t, cfg)), "pw")
	const gap = 200 * time.Millisecond
	w := mustListen(t, cfg, gap)
	start := time.Now()
	for n := range 20 {
		mustExec(t, db, `SELECT pg_notify('test', CAST($1 AS TEXT) || n) FROM generate_series(1, 1000) AS n`, strconv.Itoa(n)+"-")
	}
	mustExec(t, db, `SELECT pg_notify('test', $1)`, strings.Repeat("x", 7000))
	var told [][]string
	until(t, "the flood is told", func() bool {
		told = append(told, w.take()...)
		return len(told) > 0 && told[len(told)-1] == nil
	})
	if most := int(time.Since(start)/gap) + 2; len(told) > most {
		t.Errorf("woken %d times, want %d at most", len(told), most)
	}
	until(t, "what comes after it is told in full", func() bool {
		mustExec(t, db, `SELECT pg_notify('test', 'b'), pg_notify('test', 'a'), pg_notify('test', 'a')`)
		list := w.take()
		return len(list) > 0 && cmp.Equal(list[len(list)-1], []string{"a", "b"})
	})
}

// TestListenAgain cuts the connection that listens.
func TestListenAgain(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Postgres(t)
	w := mustListen(t, cfg, time.Millisecond)
	db := dbtest.MustOpen(t, cfg)
	cutConnections(t, db)
	until(t, "it looks anew", func() bool { list := w.take(); return len(list) > 0 && list[0] == nil })
	mustExec(t, db, `SELECT pg_notify('test', 'a')`)
	until(t, "it hears", func() bool { list := w.take(); return len(list) > 0 && cmp.Equal(list[0], []string{"a"}) })
}
