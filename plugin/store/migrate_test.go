package store_test

import (
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestSyncIndexesAnew: words that an earlier release did not know are found after
// the next sync of unchanged customers.
func TestSyncIndexesAnew(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		_, err := w.db.W.Exec(`DELETE FROM customer_terms WHERE term IN ('nw', '2')`)
		must(t, err)
		must(t, w.ApplyCustomers(t.Context(), w.caller, customers()))
		w.wantCount(t, portal.RegistrationQuery{Search: "nw-2"}, 0, 0)
		_, err = w.db.W.Exec(`UPDATE customers SET version = version - 1`) // migration 2
		must(t, err)
		must(t, w.ApplyCustomers(t.Context(), w.caller, customers()))
		w.wantCount(t, portal.RegistrationQuery{Search: "nw-2"}, 1, 0)
		w.wantOther(t)
	})
}
