package story_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// ages makes the proof of everybody who is signed in too old for what is grave; the
// platform runs on SQLite.
func (p *platform) ages(tb testing.TB) {
	tb.Helper()
	db, err := sqldb.Open(tb.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(p.dataDir, "billhost.db")})
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if _, err := db.W.Exec(`UPDATE staff_sessions SET created_at = $1`, time.Now().UTC().Add(-sdk.FreshLife).Truncate(time.Microsecond)); err != nil {
		tb.Fatal(err)
	}
}

// proves presses a button for which an old proof does not do, shows by a mailed link who
// the person is, and comes back to the page of the button.
func (p *platform) proves(staff *person, office *postOffice, button string) {
	staff.tb.Helper()
	page := staff.location()
	p.ages(staff.tb)
	staff.press(button)
	staff.heading("Is it still you?")
	staff.look("people-again")
	staff.press("Email me a one-time link")
	staff.heading("Check your email")
	staff.visit(office.await(staff.tb, "dana@northwindpool.example", "sign-in link").link(staff.tb))
	staff.press("Sign in")
	if got := staff.location(); got != page {
		staff.tb.Fatalf("back at %s, not %s", got, page)
	}
}
