package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// once are the actions of a scene that one of many callers can do.
var once = []string{
	"accept", "add", "approve access", "change password", "confirm", "confirm address", "confirm by link", "decline access",
	"disable", "disown 0", "disown 1", "disown 2", "disown 3", "erase a person", "erase myself", "invite instead", "keep",
	"remove", "reset", "revoke", "right", "sign up openly",
}

// TestRaceOnceOnly: of 16 callers one does it, and the others are refused.
func TestRaceOnceOnly(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sqldb.Config{
		sqldb.SQLite: dbtest.SQLite(t, store.Migrations()...), sqldb.Postgres: dbtest.Postgres(t, store.Migrations()...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := mustManyConnections(t, cfg)
			for _, name := range once {
				s := w.mustApt(t, name)
				wantOne(t, name, s.actions()[name])
			}
			s := w.mustScene(t)
			must(t, s.actions()["approve access"](t.Context()))
			invited := s.newest(t, "invitations")
			wantOne(t, "revoke access", func(ctx context.Context) error { return s.RevokeAccess(ctx, s.staff, s.d.ID, invited) })
			s = w.mustScene(t)
			must(t, s.actions()["approve access"](t.Context()))
			invited = s.newest(t, "invitations")
			w.clock.Add(portal.SendGap)
			wantOne(t, "send access again", func(ctx context.Context) error { return s.RenewAccess(ctx, s.staff, s.d.ID, invited) })
			s = w.mustScene(t)
			list, err := s.SignedInBrowsers(t.Context(), s.c, s.session)
			must(t, err)
			for _, b := range list {
				if b.Current {
					continue
				}
				sessions := w.countWhere(t, `sessions WHERE biller_id = 'north'`)
				race(func(int) error { return s.EndSession(t.Context(), s.c, s.session, goodPassword, b.ID) })
				if n := w.countWhere(t, `sessions WHERE biller_id = 'north'`); n != sessions-1 {
					t.Errorf("ending a session 16 times ends %d", sessions-n)
				}
			}
			w.wantTrueStatuses(t)
			w.wantOther(t)
		})
	}
}

// wantOne fails unless one of 16 does it, and the others get a refusal.
func wantOne(t *testing.T, name string, do func(context.Context) error) {
	t.Helper()
	counts := race(func(int) error { return do(t.Context()) })
	if counts[""] != 1 {
		t.Errorf("%s: answers = %v, want one winner", name, counts)
	}
	for answer := range counts {
		if strings.HasPrefix(answer, "internal") || strings.HasPrefix(answer, "unavailable") {
			t.Errorf("%s: %s", name, answer)
		}
	}
}

// TestRaceProveLink: the link of a proof proves once.
func TestRaceProveLink(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		for _, address := range []string{jane, "zoe@bücher.example"} {
			_, m := w.askedProof(t, address)
			wantOne(t, "prove by link", func(ctx context.Context) error {
				_, err := w.ProveLink(ctx, public(w.caller), token(m), "")
				return err
			})
		}
		var proven int
		must(t, w.db.R.Get(&proven, `SELECT COUNT(*) FROM proofs WHERE biller_id = 'north' AND step = $1`, string(portal.ProofProven)))
		if proven != 2 {
			t.Errorf("%d proven", proven)
		}
		w.wantOther(t)
	})
}
