package store_test

import (
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, row := range [][3]string{
			{"north", "invitation_days", "3"}, {"north", "button_text", "Join us"}, {"north", "unknown", "x"},
			{"south", "invitation_days", "9"}, {"south", "button_text", "Not yours"},
		} {
			_, err := w.db.W.ExecContext(ctx, `
				INSERT INTO settings (biller_id, name, value)
				VALUES ($1, $2, $3)`, row[0], row[1], row[2])
			must(t, err)
		}
		inv, err := w.Invite(ctx, w.caller, "c1")
		must(t, err)
		m := w.take(t)
		if want := w.clock.Now().Add(3 * 24 * time.Hour); !inv.ExpiresAt.Equal(want) || m.ButtonText != "Join us" || !m.ExpiresAt.Equal(want) {
			t.Errorf("invitation until %v, mail %+v", inv.ExpiresAt, m)
		}
	})
}
