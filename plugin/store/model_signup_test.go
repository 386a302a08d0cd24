package store_test

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (k *walk) actionsOfSigningUp() []walkAction {
	return []walkAction{
		{"open", 3, false, k.openLink},
		{"register", 10, false, k.register},
		{"choose", 10, false, k.chooseProfile},
		{"confirm by code", 10, false, k.confirm},
		{"confirm by link", 4, false, k.confirmLink},
		{"resend", 2, false, k.resend},
		{"accept", 12, false, k.accept},
		{"decline", 1, false, k.decline},
		{"new link", 2, false, k.newLink},
		{"ask for access", 5, false, k.ask},
		{"sign up by the portal link", 5, false, k.startProof},
		{"prove the mailbox", 6, false, k.prove},
		{"finish", 6, false, k.finish},
	}
}

func (k *walk) openLink(ctx context.Context, c portal.Caller) bool {
	l, ok := recent(k, k.at[c.BillerID].links)
	if !ok {
		return false
	}
	_, err := k.Open(ctx, public(c), l.secret, "", "")
	return k.may(err)
}

func (k *walk) register(ctx context.Context, c portal.Caller) bool {
	l, ok := recent(k, k.at[c.BillerID].links)
	if !ok {
		return false
	}
	typed := l.email
	if k.rand.IntN(6) == 0 {
		typed = "nobody@acme.com"
	}
	return k.registerAs(ctx, c, l, typed)
}

func (k *walk) registerAs(ctx context.Context, c portal.Caller, l link, typed string) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	st, err := k.Register(ctx, public(c), l.secret, typed, goodPassword)
	if !k.may(err) {
		return false
	}
	if k.norm(typed) != l.email || m.owner(l.email) != nil {
		k.tb.Errorf("%s signs up with an invitation to %s, whose sign-in is %+v", typed, l.email, m.owner(l.email))
	}
	su := &signUp{id: st.ID, email: l.email, password: goodPassword, link: l}
	m.signUps[su.id] = su
	m.handles = append(m.handles, handle{st.Handle, su})
	return k.came("register")
}

func (k *walk) chooseProfile(ctx context.Context, c portal.Caller) bool {
	h, ok := recent(k, k.at[c.BillerID].handles)
	return ok && k.chooseAs(ctx, c, h)
}

func (k *walk) chooseAs(ctx context.Context, c portal.Caller, h handle) bool {
	k.tb.Helper()
	profiles, err := k.Profiles(ctx, public(c), h.secret)
	if !k.may(err) || len(profiles) == 0 {
		return false
	}
	if len(profiles) != 1 || profiles[0].CustomerID != h.su.link.customer {
		k.tb.Errorf("profiles %v, want that of the invitation, %s", profiles, h.su.link.customer)
	}
	_, err = k.Choose(ctx, public(c), h.secret, []string{profiles[0].CustomerID})

	return k.may(err) && k.came("choose")
}

func (k *walk) resend(ctx context.Context, c portal.Caller) bool {
	h, ok := recent(k, k.at[c.BillerID].handles)
	return ok && k.may(k.ResendConfirmation(ctx, public(c), h.secret))
}

func (k *walk) confirm(ctx context.Context, c portal.Caller) bool {
	h, ok := recent(k, k.at[c.BillerID].handles)
	return ok && k.confirmAs(ctx, c, h)
}

func (k *walk) confirmAs(ctx context.Context, c portal.Caller, h handle) bool {
	k.tb.Helper()
	m, code := k.at[c.BillerID], "000000"
	for _, s := range m.confirms {
		if s.signUp == h.su.id && k.rand.IntN(8) > 0 {
			code = s.code
		}
	}
	_, err := k.Confirm(ctx, public(c), h.secret, code)
	if !k.may(err) {
		return false
	}
	if !slices.ContainsFunc(m.confirms, func(s confirmation) bool { return s.signUp == h.su.id && s.code == code }) {
		k.tb.Errorf("a code confirms that no mail held")
	}
	k.born(ctx, c, h.su)
	k.once("a code", func(ctx context.Context) error { _, err := k.Confirm(ctx, public(c), h.secret, code); return err })
	return k.came("confirm by code")
}

func (k *walk) confirmLink(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	s, ok := recent(k, m.confirms)
	return ok && k.confirmLinkAs(ctx, c, s, []string{"", m.signUps[s.signUp].password, "somebody else's words"}[k.rand.IntN(3)])
}

func (k *walk) confirmLinkAs(ctx context.Context, c portal.Caller, s confirmation, password string) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	su, secret := m.signUps[s.signUp], ""
	if h, ok := recent(k, m.handles); ok && h.su == su {
		secret = h.secret
	}
	st, err := k.ConfirmLink(ctx, public(c), s.link, secret, password)
	if !k.may(err) {
		return false
	}
	if st.Handle != "" {
		m.handles = append(m.handles, handle{st.Handle, su})
		if password != su.password {
			k.tb.Errorf("a forwarded link confirms without the password")
		}
	}
	k.born(ctx, c, su)
	k.once("a confirmation link", func(ctx context.Context) error {
		_, err := k.ConfirmLink(ctx, public(c), s.link, secret, password)
		return err
	})
	return k.came("confirm by link")
}

// born remembers the human that a confirmed sign-up became: one for an address,
// with access to what was chosen.
func (k *walk) born(ctx context.Context, c portal.Caller, su *signUp) {
	k.tb.Helper()
	right := k.at[c.BillerID].rights[su.link.invitation]
	kept := map[string]string{}
	if right == "" {
		right = portal.RightPayer
	} else {
		kept[su.link.customer] = "*"
	}
	k.bornOf(ctx, c, su, map[string]portal.Right{su.link.customer: right}, kept)
}

func (k *walk) bornOf(ctx context.Context, c portal.Caller, su *signUp, grants map[string]portal.Right, kept map[string]string) {
	k.tb.Helper()
	m := k.at[c.BillerID]
	if o := m.owner(su.email); o != nil {
		k.tb.Errorf("%s signs in already: %+v", su.email, o)
	}
	h := &human{email: su.email, password: su.password, grants: grants, accepted: map[string]bool{}, kept: kept}
	view, err := k.Service.Customer(ctx, c, slices.Sorted(maps.Keys(grants))[0])
	must(k.tb, err)
	for _, p := range view.People {
		if k.norm(p.Email) == su.email {
			h.id = p.UserID
		}
	}
	if h.id == "" {
		k.tb.Errorf("staff do not see %s", su.email)
	}
	m.people = append(m.people, h)
	su.who = h
}

func (k *walk) accept(ctx context.Context, c portal.Caller) bool {
	if h, ok := recent(k, k.at[c.BillerID].handles); ok && k.rand.IntN(2) == 0 {
		return k.acceptAs(ctx, c, portal.Holder{Handle: h.secret}, h.su.who)
	}
	s, ok := k.session(c)
	return ok && k.acceptAs(ctx, c, portal.Holder{Session: s.secret}, s.who)
}

func (k *walk) acceptAs(ctx context.Context, c portal.Caller, holder portal.Holder, who *human) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	now := m.inForce(k.clock.Now())
	in, err := k.Accept(ctx, public(c), holder, now)
	if !k.may(err) {
		return false
	}
	if who == nil || who.erased || who.id != in.UserID {
		k.tb.Fatalf("%s accepts for %+v", in.UserID, who)
	}
	if holder.Handle != "" && who.left {
		k.tb.Errorf("a browser goes on with the sign-up of %+v, who was signed out everywhere", who)
	}
	who.accepted[now] = true
	k.enter(c, in.Session, who)
	for _, s := range m.sessions {
		if s.secret == holder.Session {
			s.over, m.sessions[len(m.sessions)-1].born = true, s.born
		}
	}
	k.once("a sign-up or a session", func(ctx context.Context) error {
		_, err := k.Accept(ctx, public(c), holder, k.at[c.BillerID].inForce(k.clock.Now()))
		return err
	})
	return k.came("accept")
}

// enter remembers a session that has begun.
func (k *walk) enter(c portal.Caller, secret string, who *human) {
	m, now := k.at[c.BillerID], k.clock.Now()
	m.sessions = append(m.sessions, &visit{secret: secret, who: who, born: now, seen: now})
}

func (k *walk) decline(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	if s, ok := k.session(c); ok && k.rand.IntN(2) == 0 {
		s.over = s.over || !k.at[c.BillerID].closed
		return k.may(k.Decline(ctx, public(c), portal.Holder{Session: s.secret}))
	}
	h, ok := recent(k, m.handles)
	return ok && k.may(k.Decline(ctx, public(c), portal.Holder{Handle: h.secret}))
}

func (k *walk) newLink(ctx context.Context, c portal.Caller) bool {
	l, ok := recent(k, k.at[c.BillerID].links)
	return ok && k.may(k.RequestNewLink(ctx, public(c), l.secret))
}

func (k *walk) ask(ctx context.Context, c portal.Caller) bool {
	l, ok := recent(k, k.at[c.BillerID].links)
	return ok && k.may(k.AskAccess(ctx, public(c), l.secret, "Sam", k.anyAddress(), "Please."))
}

// anyAddress is one of few, so that they meet.
func (k *walk) anyAddress() string {
	return []string{"jane@acme.com", "zoe@bücher.example", "jane@new.example", "sam@acme.com", "lee@acme.com", "kim@acme.com", "ira@acme.com", "ira@new.example", "pat@acme.com"}[k.rand.IntN(9)]
}

func (k *walk) startProof(ctx context.Context, c portal.Caller) bool {
	m, address := k.at[c.BillerID], k.anyAddress()
	st, err := k.StartProof(ctx, public(c), address)
	if !k.may(err) {
		return false
	}
	p := &openSignUp{id: st.ID, handle: st.Handle, email: k.norm(address)}
	m.proofs, m.byID[p.id] = append(m.proofs, p), p
	return true
}

func (k *walk) prove(ctx context.Context, c portal.Caller) bool {
	p, ok := recent(k, k.at[c.BillerID].proofs)
	return ok && k.proveAs(ctx, c, p)
}

func (k *walk) proveAs(ctx context.Context, c portal.Caller, p *openSignUp) bool {
	k.tb.Helper()
	if p.link != "" && k.rand.IntN(3) == 0 {
		st, err := k.ProveLink(ctx, public(c), p.link, []string{p.handle, ""}[k.rand.IntN(2)])
		if !k.may(err) {
			return false
		}
		if st.Handle != "" {
			p.handle = st.Handle
		}
		k.once("the link of a proof", func(ctx context.Context) error { _, err := k.ProveLink(ctx, public(c), p.link, ""); return err })
		return k.came("prove the mailbox")
	}
	code := p.code
	if code == "" || k.rand.IntN(8) == 0 {
		code = "000000"
	}
	if !k.may(k.Prove(ctx, public(c), p.handle, code)) {
		return false
	}
	if code != p.code {
		k.tb.Errorf("a code proves that no mail held")
	}
	k.once("the code of a proof", func(ctx context.Context) error { return k.Prove(ctx, public(c), p.handle, code) })
	return k.came("prove the mailbox")
}

func (k *walk) finish(ctx context.Context, c portal.Caller) bool {
	p, ok := recent(k, k.at[c.BillerID].proofs)
	return ok && k.finishAs(ctx, c, p)
}

func (k *walk) finishAs(ctx context.Context, c portal.Caller, p *openSignUp) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	profiles, err := k.OpenProfiles(ctx, public(c), p.handle)
	if !k.may(err) {
		return false
	}
	grants, ids := map[string]portal.Right{}, []string{}
	for _, f := range profiles {
		if cu := m.customer(f.CustomerID); cu.Archived || k.norm(cu.Email) != p.email {
			k.tb.Errorf("%s may sign up for %+v", p.email, cu)
		}
		if len(ids) == 0 || k.rand.IntN(2) == 0 {
			ids, grants[f.CustomerID] = append(ids, f.CustomerID), portal.RightPayer
		}
	}
	st, err := k.FinishProof(ctx, public(c), p.handle, newPassword, ids)
	if !k.may(err) {
		return false
	}
	su := &signUp{id: st.ID, email: p.email, password: newPassword, link: link{customer: ids[0]}}
	k.bornOf(ctx, c, su, grants, map[string]string{})
	p.who = su.who
	m.signUps[su.id], m.handles = su, append(m.handles, handle{st.Handle, su})
	k.once("a proof", func(ctx context.Context) error {
		_, err := k.FinishProof(ctx, public(c), p.handle, newPassword, ids)
		return err
	})
	return k.came("finish")
}
