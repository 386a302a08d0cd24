package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestNothingLeaks: after load, failures and its end the portal holds no more
// goroutines, files and connections to the database than before it began. It runs
// alone: all tests of the package share what is counted.
func TestNothingLeaks(t *testing.T) {
	for name, config := range map[string]func(testing.TB, ...sqldb.Migrations) sqldb.Config{sqldb.SQLite: dbtest.SQLite, sqldb.Postgres: dbtest.Postgres} {
		round := func() {
			t.Run(name, func(t *testing.T) { loaded(t, newRig(t, config(t), nil)) })
			t.Run(name+" failing", func(t *testing.T) { failing(t, config(t)) })
		}
		round() // what is opened once, stays
		files, goroutines := descriptors(t), runtime.NumGoroutine()
		round()
		settle(t, "open files", files, func() int { return descriptors(t) })
		settle(t, "goroutines", goroutines, runtime.NumGoroutine)
	}
}

// settle waits until as few as before are left.
func settle(t *testing.T, what string, before int, count func() int) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for count() > before {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d %s, before %d\n%s", count(), what, before, buf[:runtime.Stack(buf, true)])
		case <-tick.C:
			runtime.GC()
		}
	}
}

// descriptors counts the files and connections that the process holds open.
func descriptors(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Skip("this system does not list open files: ", err)
	}
	return len(entries)
}

// loaded is a portal with many readers at once, a platform that is down, mails
// that fail, and browsers that go away. While it serves, what they needed is given
// back, too.
func loaded(t *testing.T, r *rig) {
	b := r.registered("c1", elena)
	flood := func(want int, ctx func() (context.Context, context.CancelFunc)) {
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				c, cancel := ctx()
				defer cancel()
				req := httptest.NewRequestWithContext(c, http.MethodGet, []string{"/", "/invoices/inv1", "/security", "/sign-in"}[i%4], nil)
				req.AddCookie(&http.Cookie{Name: "session", Value: b.cookies["session"]})
				res, err := r.TryDo(wire.Public, b.call, req)
				if err != nil {
					return // the browser went away
				}
				defer res.Body.Close()
				if want > 0 && res.StatusCode != want && i%4 < 3 {
					t.Errorf("%s: %s", req.URL, res.Status)
				}
			})
		}
		wg.Wait()
	}
	patient := func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }
	hasty := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), time.Millisecond)
	}
	flood(http.StatusOK, patient)
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	for range 3 {
		flood(http.StatusOK, patient)
		flood(0, hasty)
	}
	settle(t, "open files under load", files+poolSlack, func() int { return descriptors(t) })
	settle(t, "goroutines under load", goroutines+poolSlack, runtime.NumGoroutine)
}

// failing is a portal whose mails cannot be sent, stopped while they are tried.
func failing(t *testing.T, config sqldb.Config) {
	tried := make(chan struct{}, 100)
	r := newRig(t, config, func(h *sdktest.Host) {
		h.SendFn = func(context.Context, string, sdk.Message) (sdk.MailResult, error) {
			tried <- struct{}{}
			return sdk.MailResult{}, apperr.Errorf(apperr.Unavailable, "No connection.")
		}
	})
	if _, err := r.staffInviter().Send(t.Context(), "c3"); err != nil {
		t.Fatal(err)
	}
	<-tried
}

// poolSlack is the connections, each with a goroutine or two, that a pool may have
// opened for hasty ones: its bound.
const poolSlack = 24
