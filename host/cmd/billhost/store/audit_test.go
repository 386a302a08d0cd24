package store_test

import (
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
)

func TestAuditKeepsOneRecordForEachKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		write := func(biller, addonID, key string) {
			t.Helper()
			record := addon.AuditRecord{AddonID: addonID, Key: key, Action: "session.started", Detail: map[string]string{"a": "b"}}
			if err := w.RecordAudit(t.Context(), biller, record); err != nil {
				t.Error(err)
			}
		}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { write(w.a.ID, "portal", "k1") })
		}
		wg.Wait()
		write(w.a.ID, "portal", "k2")
		write(w.a.ID, "notices", "k1")
		write(w.a.ID, "portal", "")
		write(w.a.ID, "portal", "")
		write(w.b.ID, "portal", "k1")
		var mine, theirs int
		for biller, n := range map[string]*int{w.a.ID: &mine, w.b.ID: &theirs} {
			if err := w.db.R.Get(n, `SELECT COUNT(*) FROM audit WHERE biller_id = $1`, biller); err != nil {
				t.Fatal(err)
			}
		}
		if mine != 5 || theirs != 1 {
			t.Errorf("kept %d records and %d of the other biller, want 5 and 1", mine, theirs)
		}
	})
}
