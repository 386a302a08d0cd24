package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// walk is a random walk through everything that people and staff can do, in any
// order, at two billers. It remembers what the mails and answers held, and checks
// after each step what must be true whatever happened.
type walk struct {
	*world
	tb   testing.TB
	rand *rand.Rand
	log  []string

	books map[string][]portal.Customer // by biller
	// links, codes, resets and notices are all that were ever mailed.
	links, confirms, resets, notices []secretOf
	handles, sessions                []secretOf
	// granted is every grant that somebody chose, by "biller/email/customer".
	granted map[string]bool
	// used are secrets that worked once and must not again.
	used map[string]bool
}

// secretOf is a secret with the biller it belongs to and what it is about.
type secretOf struct{ biller, secret, about string }

// walkSteps is how many steps one walk has.
const walkSteps = 1500

// TestWalk is the model-based test of the states of product.md §4.
func TestWalk(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		seed := rand.Uint64()
		defer func() {
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		}()
		k := &walk{
			world: w, tb: t, rand: rand.New(rand.NewPCG(seed, 1)), books: map[string][]portal.Customer{},
			granted: map[string]bool{}, used: map[string]bool{},
		}
		for _, c := range []portal.Caller{w.caller, w.other} {
			k.books[c.BillerID] = customers()
		}
		did := map[string]int{}
		for range walkSteps {
			c, name := k.step(t.Context())
			did[name]++
			k.log = append(k.log, name)
			k.check(t.Context(), c)
			if t.Failed() {
				t.Fatalf("after %s", strings.Join(k.log[max(0, len(k.log)-40):], ", "))
			}
		}
		for _, a := range k.actions() {
			if did[a.name] == 0 {
				t.Errorf("the walk never did %q", a.name)
			}
		}
		k.reached()
	})
}

// reached fails if the walk was too dull to prove anything.
func (k *walk) reached() {
	k.tb.Helper()
	for query, what := range map[string]string{
		`SELECT COUNT(*) FROM acceptances`:                      "agreements accepted",
		`SELECT COUNT(*) FROM invitations WHERE generation > 1`: "invitations sent again",
		`SELECT COUNT(*) FROM resets WHERE used_at > 0`:         "passwords reset",
		`SELECT COUNT(*) FROM grants`:                           "grants",
	} {
		var n int
		must(k.tb, k.db.R.Get(&n, query))
		if n == 0 {
			k.tb.Errorf("the walk reached no %s", what)
		}
	}
}

type walkAction struct {
	name   string
	weight int
	do     func(ctx context.Context, c portal.Caller)
}

func (k *walk) actions() []walkAction {
	return []walkAction{
		{"invite", 10, k.invite},
		{"deliver", 14, k.receive},
		{"open", 4, k.open},
		{"register", 10, k.register},
		{"choose", 10, k.choose},
		{"confirm", 12, k.confirm},
		{"accept", 12, k.accept},
		{"decline", 1, k.decline},
		{"sign in", 6, k.signIn},
		{"sign out", 1, k.signOut},
		{"add", 4, k.add},
		{"forget", 4, k.forget},
		{"reset", 5, k.reset},
		{"disown", 1, k.disown},
		{"new link", 1, k.newLink},
		{"edit", 2, k.edit},
		{"archive", 1, k.archive},
		{"pass", 6, k.pass},
		{"reuse", 6, k.reuse},
	}
}

// step does one action for one biller; most of them come to nothing, as in life.
func (k *walk) step(ctx context.Context) (portal.Caller, string) {
	c := k.caller
	if k.rand.IntN(4) == 0 {
		c = k.other
	}
	total := 0
	for _, a := range k.actions() {
		total += a.weight
	}
	n := k.rand.IntN(total)
	for _, a := range k.actions() {
		if n -= a.weight; n < 0 {
			a.do(ctx, c)
			return c, a.name
		}
	}
	panic("unreachable")
}

// may fails the test for an error that is nobody's fault but ours.
func (k *walk) may(err error) bool {
	k.tb.Helper()
	if apperr.CodeOf(err) == apperr.Internal {
		k.tb.Errorf("internal error: %v", err)
	}
	return err == nil
}

func (k *walk) customer(c portal.Caller) *portal.Customer {
	list := k.books[c.BillerID]
	return &list[k.rand.IntN(len(list))]
}

// pick returns one of the secrets of the biller, newer ones more often.
func (k *walk) pick(c portal.Caller, from []secretOf) (secretOf, bool) {
	var mine []secretOf
	for _, s := range from {
		if s.biller == c.BillerID {
			mine = append(mine, s)
		}
	}
	if len(mine) == 0 {
		return secretOf{}, false
	}
	if k.rand.IntN(3) > 0 {
		mine = mine[max(0, len(mine)-3):]
	}
	return mine[k.rand.IntN(len(mine))], true
}

func (k *walk) invite(ctx context.Context, c portal.Caller) {
	_, err := k.Invite(ctx, c, k.customer(c).ID)
	k.may(err)
}

// receive reads the mails that are due.
func (k *walk) receive(context.Context, portal.Caller) {
	k.deliver(k.tb)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.mail {
		s := secretOf{billerOf(m.Link), token(m), m.Ref.ID}
		switch m.Ref.Kind {
		case portal.MailInvitation:
			if !m.HasAccount {
				k.links = append(k.links, s)
			}
		case portal.MailConfirmation:
			k.confirms = append(k.confirms, secretOf{s.biller, m.Code, m.Ref.ID})
		case portal.MailReset:
			k.resets = append(k.resets, s)
		case portal.MailNotice:
			k.notices = append(k.notices, s)
		}
	}
	k.mail = nil
}

func billerOf(link string) string {
	_, rest, _ := strings.Cut(link, "/portal/")
	biller, _, _ := strings.Cut(rest, "/")
	return biller
}

func (k *walk) open(ctx context.Context, c portal.Caller) {
	if link, ok := k.pick(c, k.links); ok {
		_, err := k.Open(ctx, public(c), link.secret, "", "")
		k.may(err)
	}
}

func (k *walk) register(ctx context.Context, c portal.Caller) {
	link, ok := k.pick(c, k.links)
	if !ok {
		return
	}
	address := "nobody@acme.com"
	if k.rand.IntN(5) > 0 {
		must(k.tb, k.db.R.Get(&address, `SELECT email FROM invitations WHERE biller_id = $1 AND id = $2`, c.BillerID, link.about))
	}
	st, err := k.Register(ctx, public(c), link.secret, address, goodPassword)
	if k.may(err) {
		k.handles = append(k.handles, secretOf{c.BillerID, st.Handle, address})
	}
}

func (k *walk) choose(ctx context.Context, c portal.Caller) {
	h, ok := k.pick(c, k.handles)
	if !ok {
		return
	}
	profiles, err := k.Profiles(ctx, public(c), h.secret)
	if !k.may(err) || len(profiles) == 0 {
		return
	}
	_, err = k.Choose(ctx, public(c), h.secret, []string{profiles[0].CustomerID})
	if k.may(err) {
		k.granted[c.BillerID+"/"+norm(k.tb, k.world, h.about)+"/"+profiles[0].CustomerID] = true
	}
}

func (k *walk) confirm(ctx context.Context, c portal.Caller) {
	h, ok := k.pick(c, k.handles)
	if !ok {
		return
	}
	st, err := k.SignUp(ctx, public(c), h.secret)
	if !k.may(err) {
		return
	}
	code := "000000"
	for _, s := range k.confirms {
		if s.biller == c.BillerID && s.about == st.ID && k.rand.IntN(8) > 0 {
			code = s.secret
		}
	}
	_, err = k.Confirm(ctx, public(c), h.secret, code)
	if k.may(err) {
		k.used["code "+h.secret+" "+code] = true
	}
}

func (k *walk) accept(ctx context.Context, c portal.Caller) {
	holder := portal.Holder{}
	if h, ok := k.pick(c, k.handles); ok && k.rand.IntN(2) == 0 {
		holder.Handle = h.secret
	} else if s, ok := k.pick(c, k.sessions); ok {
		holder.Session = s.secret
	} else {
		return
	}
	in, err := k.Accept(ctx, public(c), holder, portal.DefaultAgreementVersion)
	if k.may(err) {
		k.sessions = append(k.sessions, secretOf{c.BillerID, in.Session, in.UserID})
		if holder.Handle != "" {
			k.used["handle "+holder.Handle] = true
		} else {
			k.used["session "+holder.Session] = true
		}
	}
}

func (k *walk) decline(ctx context.Context, c portal.Caller) {
	if h, ok := k.pick(c, k.handles); ok {
		k.may(k.Decline(ctx, public(c), portal.Holder{Handle: h.secret}))
	}
}

func (k *walk) signIn(ctx context.Context, c portal.Caller) {
	address := []string{"jane@acme.com", "zoe@bücher.example", "nobody@acme.com"}[k.rand.IntN(3)]
	in, err := k.SignIn(ctx, public(c), address, []string{goodPassword, newPassword}[k.rand.IntN(2)])
	switch {
	case !k.may(err):
	case in.Pending != nil:
		k.handles = append(k.handles, secretOf{c.BillerID, in.Pending.Handle, address})
	default:
		k.sessions = append(k.sessions, secretOf{c.BillerID, in.Session, in.UserID})
	}
}

func (k *walk) signOut(ctx context.Context, c portal.Caller) {
	if s, ok := k.pick(c, k.sessions); ok {
		k.may(k.SignOut(ctx, public(c), s.secret))
		k.used["session "+s.secret] = true
	}
}

func (k *walk) add(ctx context.Context, c portal.Caller) {
	s, ok := k.pick(c, k.sessions)
	if !ok {
		return
	}
	offers, err := k.Offers(ctx, public(c), s.secret)
	if !k.may(err) || len(offers) == 0 {
		return
	}
	view, err := k.Session(ctx, public(c), s.secret)
	if !k.may(err) {
		return
	}
	o := offers[k.rand.IntN(len(offers))]
	if o.Match() && k.rand.IntN(8) == 0 {
		k.may(k.DismissMatch(ctx, public(c), s.secret, o.CustomerID))
		return
	}
	customer := o.CustomerID
	if o.Match() {
		err = k.AddMatch(ctx, public(c), s.secret, customer)
	} else {
		customer, err = k.Add(ctx, public(c), s.secret, o.InvitationID)
	}
	if k.may(err) {
		k.granted[c.BillerID+"/"+norm(k.tb, k.world, view.Email)+"/"+customer] = true
	}
}

func norm(tb testing.TB, w *world, address string) string {
	tb.Helper()
	n, err := w.NormalizeEmail(address)
	must(tb, err)
	return n
}

func (k *walk) forget(ctx context.Context, c portal.Caller) {
	var addresses []string
	must(k.tb, k.db.R.Select(&addresses, `SELECT email FROM users WHERE biller_id = $1`, c.BillerID))
	if len(addresses) == 0 {
		addresses = []string{"jane@acme.com"}
	}
	k.may(k.ForgotPassword(ctx, public(c), addresses[k.rand.IntN(len(addresses))]))
	if k.rand.IntN(2) == 0 {
		k.receive(ctx, c)
		k.reset(ctx, c)
	}
}

func (k *walk) reset(ctx context.Context, c portal.Caller) {
	r, ok := k.pick(c, k.resets[max(0, len(k.resets)-2):])
	if !ok {
		return
	}
	st, err := k.ResetPassword(ctx, public(c), r.secret, newPassword)
	if !k.may(err) {
		return
	}
	k.used["reset "+r.secret] = true
	if st.Handle == "" {
		return
	}
	// The link has confirmed a sign-up: for the customer of its invitation.
	var rows []struct {
		Email    string `db:"email_norm"`
		Customer string `db:"customer_id"`
	}
	must(k.tb, k.db.R.Select(&rows, `
		SELECT u.email_norm, g.customer_id
		FROM grants g JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		JOIN signups s ON s.biller_id = g.biller_id AND s.user_id = u.id
		WHERE g.biller_id = $1 AND s.id = $2`, c.BillerID, st.ID))
	for _, row := range rows {
		k.granted[c.BillerID+"/"+row.Email+"/"+row.Customer] = true
		k.handles = append(k.handles, secretOf{c.BillerID, st.Handle, row.Email})
	}
}

func (k *walk) disown(ctx context.Context, c portal.Caller) {
	if n, ok := k.pick(c, k.notices); ok && k.may(k.Disown(ctx, public(c), n.secret)) {
		k.used["notice "+n.secret] = true
	}
}

func (k *walk) newLink(ctx context.Context, c portal.Caller) {
	if link, ok := k.pick(c, k.links); ok {
		k.may(k.RequestNewLink(ctx, public(c), link.secret))
	}
}

// edit changes a customer's address, mostly to another one of theirs.
func (k *walk) edit(ctx context.Context, c portal.Caller) {
	cu := k.customer(c)
	cu.Email = []string{"jane@acme.com", "zoe@bücher.example", "", "jane@new.example", "no address", "jane@acme.com", "zoe@bücher.example"}[k.rand.IntN(7)]
	cu.Version++
	k.may(k.ApplyCustomers(ctx, c, []portal.Customer{*cu}))
}

func (k *walk) archive(ctx context.Context, c portal.Caller) {
	cu := k.customer(c)
	cu.Archived = !cu.Archived && k.rand.IntN(3) == 0
	cu.Version++
	k.may(k.ApplyCustomers(ctx, c, []portal.Customer{*cu}))
}

func (k *walk) pass(ctx context.Context, c portal.Caller) {
	k.clock.Add([]time.Duration{time.Second, time.Minute, 10 * time.Minute, time.Hour, time.Minute, 25 * time.Hour, 15 * 24 * time.Hour}[k.rand.IntN(7)*k.rand.IntN(2)])
	_, err := k.RefreshDue(ctx, c)
	k.may(err)
}

// reuse tries a secret that has worked already.
func (k *walk) reuse(ctx context.Context, c portal.Caller) {
	for _, r := range k.resets {
		if r.biller == c.BillerID && k.used["reset "+r.secret] {
			if _, err := k.ResetPassword(ctx, public(c), r.secret, goodPassword); err == nil {
				k.tb.Errorf("a reset link worked twice")
			}
			break
		}
	}
	for _, n := range k.notices {
		if n.biller == c.BillerID && k.used["notice "+n.secret] && k.Disown(ctx, public(c), n.secret) == nil {
			k.tb.Errorf("a notice worked twice")
		}
	}
	if h, ok := k.pick(c, k.handles); ok && k.used["handle "+h.secret] {
		if _, err := k.Accept(ctx, public(c), portal.Holder{Handle: h.secret}, portal.DefaultAgreementVersion); err == nil {
			k.tb.Errorf("a sign-up was accepted twice")
		}
	}
	if s, ok := k.pick(c, k.sessions); ok && k.used["session "+s.secret] {
		if _, err := k.Session(ctx, public(c), s.secret); err == nil {
			k.tb.Errorf("an ended session is good again")
		}
	}
	// What belongs to one biller is garbage at the other.
	foreign := k.other
	if c.BillerID == k.other.BillerID {
		foreign = k.caller
	}
	if link, ok := k.pick(c, k.links); ok {
		if _, err := k.Open(ctx, public(foreign), link.secret, "", ""); !apperr.Is(err, apperr.NotFound) {
			k.tb.Errorf("a link of %s at %s: %v", c.BillerID, foreign.BillerID, err)
		}
	}
}

// check looks at what must be true after every step, at the biller it was for,
// and now and then at the other.
func (k *walk) check(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	if len(k.log)%25 == 0 {
		c = k.other
	}
	k.checkGenerations(c)
	k.checkRegistered(ctx, c)
	k.checkAccess(ctx, c)
	k.checkCounts(ctx, c)
}

// checkGenerations: one open invitation a customer, and no older link opens it.
func (k *walk) checkGenerations(c portal.Caller) {
	k.tb.Helper()
	var twice int
	must(k.tb, k.db.R.Get(&twice, `
		SELECT COUNT(*) FROM (
			SELECT customer_id, email_norm FROM invitations
			WHERE biller_id = $1 AND state NOT IN ('accepted', 'expired', 'revoked')
			GROUP BY customer_id, email_norm HAVING COUNT(*) > 1
		) twice`, c.BillerID))
	if twice > 0 {
		k.tb.Errorf("%d customers of %s have two open invitations", twice, c.BillerID)
	}
	for _, link := range k.links[max(0, len(k.links)-4):] {
		if link.biller != c.BillerID {
			continue
		}
		var n struct {
			Link int `db:"link"`
			Now  int `db:"now"`
		}
		must(k.tb, k.db.R.Get(&n, `
			SELECT t.generation AS link, i.generation AS now
			FROM tokens t JOIN invitations i ON i.biller_id = t.biller_id AND i.id = t.subject_id
			WHERE t.biller_id = $1 AND t.hash = $2`, c.BillerID, k.Keys.Hash(c.BillerID, link.secret)))
		if n.Link == n.Now {
			continue
		}
		if _, err := k.Register(context.Background(), public(c), link.secret, "nobody@acme.com", goodPassword); err == nil || apperr.Is(err, apperr.Invalid) {
			k.tb.Errorf("a link of generation %d starts a sign-up at generation %d: %v", n.Link, n.Now, err)
		}
	}
}

// checkRegistered: registered is confirmed and accepted and granted, nothing less
// and nothing more.
func (k *walk) checkRegistered(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	var want []string
	must(k.tb, sqlx.SelectContext(ctx, k.db.R, &want, `
		SELECT DISTINCT g.customer_id
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		JOIN acceptances a ON a.biller_id = u.biller_id AND a.user_id = u.id
		JOIN customers c ON c.biller_id = g.biller_id AND c.id = g.customer_id
		WHERE g.biller_id = $1 AND g.state = 'active' AND u.state = 'active' AND u.confirmed_at > 0 AND NOT c.archived
		ORDER BY g.customer_id`, c.BillerID))
	var got []string
	for _, r := range k.rowsOf(ctx, c) {
		if r.Status == portal.StatusRegistered {
			got = append(got, r.CustomerID)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		k.tb.Errorf("%s: registered are %v, want %v", c.BillerID, got, want)
	}
}

func (k *walk) rowsOf(ctx context.Context, c portal.Caller) (rows []portal.Registration) {
	k.tb.Helper()
	must(k.tb, k.Registrations(ctx, c, portal.RegistrationQuery{}, func(r portal.Registration) error {
		rows = append(rows, r)
		return nil
	}))
	return rows
}

// checkAccess: nobody sees a customer that they did not choose.
func (k *walk) checkAccess(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	for _, s := range k.sessions[max(0, len(k.sessions)-4):] {
		if s.biller != c.BillerID {
			continue
		}
		view, err := k.Session(ctx, public(c), s.secret)
		if err != nil {
			continue
		}
		for _, g := range view.Grants {
			if key := c.BillerID + "/" + norm(k.tb, k.world, view.Email) + "/" + g.CustomerID; !k.granted[key] {
				k.tb.Errorf("%s sees a customer without having chosen it: %s", view.Email, key)
			}
		}
	}
}

// checkCounts: every customer that is not archived has one status.
func (k *walk) checkCounts(ctx context.Context, c portal.Caller) {
	k.tb.Helper()
	counts, err := k.Counts(ctx, c)
	must(k.tb, err)
	sum := 0
	for _, n := range counts {
		sum += n.Customers
	}
	want := 0
	for _, cu := range k.books[c.BillerID] {
		if !cu.Archived {
			want++
		}
	}
	if sum != want {
		k.tb.Errorf("%s: the statuses %v add up to %d, want %d customers", c.BillerID, fmt.Sprint(counts), sum, want)
	}
}
