package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func pathOf(mail portal.Mail) []string { return strings.Split(mail.Link, "/") }

// check looks at what must be true whatever happened, at the biller something
// happened at.
func (k *walk) check(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	k.checkInvitations(c)
	k.checkStatuses(ctx, c)
	k.checkSessions(ctx, c)
	if k.rand.IntN(20) == 0 {
		k.checkWords(c)
		k.checkPeople(ctx, c)
		k.checkHistory(c)
	}
}

// checkInvitations: one open invitation to each address of a customer, and one open
// request for each link.
func (k *walk) checkInvitations(c portal.Caller) {
	k.tb.Helper()
	for what, query := range map[string]string{
		"invitations to one address": `
			SELECT customer_id FROM invitations
			WHERE biller_id = $1 AND state NOT IN ('accepted', 'expired', 'revoked') AND expires_at > $2
			GROUP BY customer_id, email_norm HAVING COUNT(*) > 1`,
		"invitations to customers themselves": `
			SELECT customer_id FROM invitations
			WHERE biller_id = $1 AND CAST($2 AS BIGINT) > 0 AND request_id = '' AND state NOT IN ('accepted', 'expired', 'revoked')
			GROUP BY customer_id HAVING COUNT(*) > 1`,
		"requests with one link": `
			SELECT token_hash FROM access_requests
			WHERE biller_id = $1 AND CAST($2 AS BIGINT) > 0 AND state = 'open'
			GROUP BY token_hash HAVING COUNT(*) > 1`,
		"sign-ups in progress on one invitation": `
			SELECT invitation_id FROM signups
			WHERE biller_id = $1 AND CAST($2 AS BIGINT) > 0 AND step IN ('profile', 'confirm')
			GROUP BY invitation_id HAVING COUNT(*) > 1`,
		"invitations whose mail is of another generation": `
			SELECT t.subject_id FROM tokens t
			JOIN invitations i ON i.biller_id = t.biller_id AND i.id = t.subject_id
			WHERE t.biller_id = $1 AND CAST($2 AS BIGINT) > 0 AND t.generation > i.generation`,
	} {
		var twice []string
		must(k.tb, k.db.R.Select(&twice, query, c.BillerID, k.clock.Now().UnixMicro()))
		if len(twice) > 0 {
			k.tb.Errorf("%s: open %s: %v", c.BillerID, what, twice)
		}
	}
	l, ok := recent(k, k.at[c.BillerID].links)
	if !ok {
		return
	}
	var n struct {
		Link int `db:"link"`
		Now  int `db:"now"`
	}
	if err := k.db.R.Get(&n, `
		SELECT t.generation AS link, i.generation AS now
		FROM tokens t JOIN invitations i ON i.biller_id = t.biller_id AND i.id = t.subject_id
		WHERE t.biller_id = $1 AND t.hash = $2`, c.BillerID, k.Keys.Hash(c.BillerID, l.secret)); err != nil || n.Link == n.Now {
		return // erased, or the newest
	}
	if st, err := k.Begin(context.Background(), public(c), l.secret); err == nil {
		k.tb.Errorf("a link of generation %d starts a sign-up at generation %d: %+v", n.Link, n.Now, st)
	}
}

// checkStatuses: registered is confirmed, accepted and granted, nothing less and
// nothing more; and the statuses add up to the number of customers.
func (k *walk) checkStatuses(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	m, rows := k.at[c.BillerID], map[portal.Status]int{}
	must(k.tb, k.Registrations(ctx, c, portal.RegistrationQuery{}, func(r portal.Registration) error {
		rows[r.Status]++
		want, mine := m.status(r.CustomerID)
		if mine && r.Status != want || !mine && slices.Contains([]portal.Status{portal.StatusRegistered, portal.StatusAwaitingAgreement, portal.StatusDisabled}, r.Status) {
			k.tb.Errorf("%s: %s is %q, want %q", c.BillerID, r.CustomerID, r.Status, want)
		}
		return nil
	}))
	counts, err := k.Counts(ctx, c)
	must(k.tb, err)
	sum, want := 0, 0
	for _, n := range counts {
		sum += n.Customers
		if n.Customers != rows[n.Status] {
			k.tb.Errorf("%s: %d customers are %q, %d rows", c.BillerID, n.Customers, n.Status, rows[n.Status])
		}
	}
	for _, cu := range m.books {
		if !cu.Archived {
			want++
		}
	}
	if sum != want {
		k.tb.Errorf("%s: the statuses %v add up to %d, want %d customers", c.BillerID, counts, sum, want)
	}
}

// status is what a customer's must be by its people; mine is false without any.
func (m *memory) status(customer string) (want portal.Status, mine bool) {
	want = portal.StatusDisabled
	for _, h := range m.with(customer) {
		switch mine = true; {
		case h.disabled:
		case len(h.accepted) > 0:
			return portal.StatusRegistered, true
		default:
			want = portal.StatusAwaitingAgreement
		}
	}
	return want, mine
}

// checkSessions: a session that was ended, or whose person is disabled or erased, is
// over; another is good, and sees what was granted and chosen, with its rights.
func (k *walk) checkSessions(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	m, now := k.at[c.BillerID], k.clock.Now()
	look := m.sessions[max(0, len(m.sessions)-1):]
	if s, ok := recent(k, m.sessions[:max(0, len(m.sessions)-1)]); ok {
		look = append([]*visit{s}, look...)
	}
	for _, s := range look {
		good := !s.over && !s.who.disabled && !s.who.erased && !m.closed
		view, err := k.Session(ctx, public(c), s.secret)
		switch {
		case err != nil && good && now.Before(s.seen.Add(portal.SessionIdle-2*time.Minute)) && now.Before(s.born.Add(portal.SessionLife)):
			k.tb.Errorf("%+v is signed out: %v", s.who, err)
		case err != nil:
			k.may(err)
			continue
		case !now.Before(s.born.Add(portal.SessionLife)):
			k.tb.Errorf("a session of %+v is good %s after the password", s.who, now.Sub(s.born))
		case !good:
			k.tb.Errorf("a session of %+v is good: over %v, closed %v", s.who, s.over, m.closed)
		}
		s.seen = now
		sees := map[string]portal.Right{}
		for _, g := range view.Grants {
			sees[g.CustomerID] = g.Right
			if g.MayPay() != (s.who.grants[g.CustomerID] == portal.RightPayer) {
				k.tb.Errorf("%+v may pay for %s: %v", s.who, g.CustomerID, g.MayPay())
			}
		}
		if view.UserID != s.who.id || k.norm(view.Email) != s.who.email || !maps.Equal(sees, m.sees(s.who)) {
			k.tb.Errorf("%s %s sees %v, want %+v and %v", view.UserID, view.Email, sees, s.who, m.sees(s.who))
		}
		if view.AgreementPending == s.who.accepted[m.inForce(now)] {
			k.tb.Errorf("version %s gates %+v: %v", m.inForce(now), s.who, view.AgreementPending)
		}
		if _, err := k.Offers(ctx, public(c), s.secret); (err != nil) != view.AgreementPending {
			k.tb.Errorf("a page behind the gate: %v, pending %v", err, view.AgreementPending)
		}
		k.checkBesideGate(ctx, public(c), view, s.who)
	}
}

// checkBesideGate: what somebody accepted before can be proven, whether or not the
// version in force is accepted.
func (k *walk) checkBesideGate(ctx context.Context, c portal.Caller, view portal.SessionView, who *human) {
	k.tb.Helper()
	list, err := k.Acceptances(ctx, c, view)
	if err != nil || len(list) != len(who.accepted) {
		k.tb.Errorf("%+v accepted %d versions: %v", who, len(list), err)
	}
	for _, a := range list {
		if p, err := k.MyProof(ctx, c, view, a.Version); err != nil || !who.accepted[a.Version] || !p.Intact() {
			k.tb.Errorf("the proof of version %s of %+v: %v", a.Version, who, err)
		}
	}
}

// checkPeople: staff see whoever has access, and nobody else.
func (k *walk) checkPeople(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	m := k.at[c.BillerID]
	for _, cu := range m.books {
		view, err := k.Service.Customer(ctx, c, cu.ID)
		must(k.tb, err)
		var got, want []string
		for _, p := range view.People {
			got = append(got, fmt.Sprint(k.norm(p.Email), p.UserID, p.Right, p.State))
		}
		for _, h := range m.with(cu.ID) {
			state := portal.UserActive
			if h.disabled {
				state = portal.UserDisabled
			}
			want = append(want, fmt.Sprint(h.email, h.id, h.grants[cu.ID], state))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			k.tb.Errorf("people of %s at %s: %v, want %v", cu.ID, c.BillerID, got, want)
		}
	}
}

// checkHistory: it only grows, but for addresses of erased people.
func (k *walk) checkHistory(c portal.Caller) {
	k.tb.Helper()
	var rows []struct {
		ID     string `db:"id"`
		Detail string `db:"detail"`
	}
	must(k.tb, k.db.R.Select(&rows, `SELECT id, customer_id || kind || detail AS detail FROM history WHERE biller_id = $1`, c.BillerID))
	now := map[string]string{}
	for _, r := range rows {
		now[r.ID] = r.Detail
	}
	for id, detail := range k.histories[c.BillerID] {
		if now[id] != detail && (detail != "" || now[id] == "") {
			k.tb.Errorf("the history of %s said %q, now %q", c.BillerID, detail, now[id])
		}
	}
	k.histories[c.BillerID] = now
}

// forgetHistory lets details change once: somebody is erased.
func (k *walk) forgetHistory(c portal.Caller) {
	for id := range k.histories[c.BillerID] {
		k.histories[c.BillerID][id] = ""
	}
}

// checkWords: nothing but the words of package portal is kept as a state.
func (k *walk) checkWords(c portal.Caller) {
	k.tb.Helper()
	var odd []string
	must(k.tb, k.db.R.Select(&odd, `
		SELECT state FROM invitations WHERE biller_id = $1 AND state NOT IN ('queued', 'sent', 'opened', 'started', 'accepted', 'expired', 'revoked', 'failed')
		UNION SELECT step FROM signups WHERE biller_id = $1 AND step NOT IN ('profile', 'confirm', 'accept', 'done', 'void')
		UNION SELECT step FROM proofs WHERE biller_id = $1 AND step NOT IN ('asked', 'proven', 'done', 'void')
		UNION SELECT state FROM users WHERE biller_id = $1 AND state NOT IN ('active', 'disabled')
		UNION SELECT state FROM grants WHERE biller_id = $1 AND state NOT IN ('active', 'removed', 'dismissed')
		UNION SELECT access_right FROM grants WHERE biller_id = $1 AND access_right NOT IN ('payer', 'viewer')
		UNION SELECT state FROM access_requests WHERE biller_id = $1 AND state NOT IN ('open', 'approved', 'declined', 'expired')
		UNION SELECT 'a user who confirmed nothing' FROM users WHERE biller_id = $1 AND confirmed_at = 0`, c.BillerID))
	if len(odd) > 0 {
		k.tb.Errorf("%s keeps %v", c.BillerID, odd)
	}
}

// rowsOfBiller is everything that is kept of a biller.
func (k *walk) rowsOfBiller(c portal.Caller) string {
	k.tb.Helper()
	var all []string
	for _, table := range []string{
		"billers", "customers", "customer_terms", "invitations", "history", "tokens", "users", "signups", "signup_customers", "grants", "sessions",
		"agreements", "acceptances", "throttles", "activity", "resets", "devices", "address_changes", "access_requests", "erased_acceptances", "proofs",
	} {
		all = append(all, k.rowsOfTable(c, table)...)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (k *walk) rowsOfTable(c portal.Caller, table string) (all []string) {
	k.tb.Helper()
	rows, err := k.db.R.QueryContext(k.tb.Context(), `SELECT * FROM `+table+` WHERE biller_id = $1`, c.BillerID)
	must(k.tb, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(k.tb, err)
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		must(k.tb, rows.Scan(into...))
		all = append(all, table+fmt.Sprint(values))
	}
	must(k.tb, rows.Err())
	return all
}
