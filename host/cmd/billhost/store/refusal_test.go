package store_test

import (
	"fmt"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestAFloodOfRefusalsIsOnlyCounted: so many wrong tries an hour are kept one by
// one, however many addresses they name; an owner is told once a day.
func TestAFloodOfRefusalsIsOnlyCounted(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx, limit := t.Context(), books.RefusalsKept()
		kept := func(kind string) (n int) {
			t.Helper()
			must(t, w.db.R.Get(&n, `SELECT COUNT(*) FROM staff_asks WHERE kind = $1`, kind))
			return n
		}
		for range 3 {
			must(t, w.RefuseGuess(ctx, "dana@northwind.example", books.FreeTries))
		}
		if told := kept(books.AskBlocked); told != books.BlockedNotices("").Limit {
			t.Errorf("told %d times", told)
		}
		_, err := w.db.W.Exec(`UPDATE staff_tries SET tries = $1 WHERE name = $2`, limit.Limit-2, limit.Name)
		must(t, err)
		before := kept(books.AskRefused)
		for i := range 16 {
			must(t, w.RefuseGuess(ctx, fmt.Sprintf("n%d@nowhere.example", i), 1))
		}
		if got := kept(books.AskRefused) - before; got != 2 {
			t.Errorf("%d are kept beyond the limit, want 2", got)
		}
		w.now = w.now.Add(limit.Window)
		must(t, w.RefuseGuess(ctx, "n@nowhere.example", 1))
		if got := kept(books.AskRefused) - before; got != 3 {
			t.Errorf("after the hour %d, want 3", got)
		}
	})
}
