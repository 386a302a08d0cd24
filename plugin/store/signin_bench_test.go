package store_test

import (
	"fmt"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// spent is the CPU time of this process, garbage collection and SQLite included.
func spent(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	must(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// realHashes is a portal with the cost of hashes that production has, and the
// garbage collected as seldom as sdk/serve has it: each hash makes 19 MiB of it.
func realHashes(b *testing.B) *world {
	b.Helper()
	before := debug.SetGCPercent(400)
	b.Cleanup(func() { debug.SetGCPercent(before) })
	w := mustWorld(b, dbtest.MustOpen(b, dbtest.SQLite(b, store.Migrations()...)))
	w.Passwords = password.New(password.Config{})
	return w
}

// shares adds up, in turns, the CPU of a request and of as many bare hashes.
type shares struct{ request, hash time.Duration }

func (s *shares) turn(b *testing.B, w *world, hashes int, request func()) {
	b.Helper()
	start := spent(b)
	request()
	between := spent(b)
	for range hashes {
		if _, err := w.Passwords.Verify(b.Context(), "", goodPassword); err != nil {
			b.Fatal(err)
		}
	}
	s.request += between - start
	s.hash += spent(b) - between
}

// report prints both sides and how much of a request is not argon2id: at most
// 0.15 is the budget.
func (s *shares) report(b *testing.B) {
	b.ReportMetric(float64(s.request.Microseconds())/float64(b.N), "request-µs")
	b.ReportMetric(float64(s.hash.Microseconds())/float64(b.N), "argon2id-µs")
	b.ReportMetric(float64(s.request-s.hash)/float64(s.request), "other/request")
}

// BenchmarkSignIn is a sign-in that goes well, and one that does not.
func BenchmarkSignIn(b *testing.B) {
	w := realHashes(b)
	w.signedUp(b, "c1")
	for name, typed := range map[string]string{"right": goodPassword, "wrong": wrongPassword} {
		b.Run(name, func(b *testing.B) {
			var s shares
			n := 0
			for b.Loop() {
				n++
				s.turn(b, w, portal.SignUpsTried, func() {
					_, err := w.SignIn(b.Context(), elsewhere(w.caller, n%1024), "jane@acme.com", typed)
					if (err == nil) != (typed == goodPassword) {
						b.Fatal(err)
					}
				})
				w.clock.Add(time.Hour)
			}
			s.report(b)
		})
	}
}

// BenchmarkSignUp is step 2, email and password.
func BenchmarkSignUp(b *testing.B) {
	w := realHashes(b)
	link := w.invited(b, "c1")
	var s shares
	n := 0
	for b.Loop() {
		n++
		s.turn(b, w, 1, func() {
			_, err := w.Register(b.Context(), elsewhere(w.caller, n%1024), link, "jane@acme.com", fmt.Sprintf("%s %d", goodPassword, n))
			must(b, err)
		})
	}
	s.report(b)
}

// BenchmarkStrangers prints how long a wrong sign-in takes for a known and for an
// unknown address, taken in turns, and the ratio of the two.
func BenchmarkStrangers(b *testing.B) {
	w := realHashes(b)
	w.signedUp(b, "c1")
	took := map[string]time.Duration{}
	n := 0
	for b.Loop() {
		for _, address := range []string{"jane@acme.com", "nobody@acme.com"} {
			n++
			start := time.Now()
			_, _ = w.SignIn(b.Context(), elsewhere(w.caller, n%1024), address, wrongPassword) // always refused
			took[address] += time.Since(start)
		}
		w.clock.Add(time.Hour) // no delay
	}
	known, unknown := took["jane@acme.com"], took["nobody@acme.com"]
	b.ReportMetric(float64(known.Microseconds())/float64(b.N), "known-µs")
	b.ReportMetric(float64(unknown.Microseconds())/float64(b.N), "unknown-µs")
	b.ReportMetric(float64(known)/float64(unknown), "known/unknown")
}
