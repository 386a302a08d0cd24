package store_test

import (
	"context"
	"errors"
	"slices"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func (k *walk) actionsOfPeople() []walkAction {
	return []walkAction{
		{"sign in", 10, false, k.signIn},
		{"sign out", 1, false, k.signOut},
		{"sign out elsewhere", 1, false, k.signOutElsewhere},
		{"add", 6, false, k.add},
		{"forget", 4, true, k.forget},
		{"reset", 5, false, k.reset},
		{"change password", 2, false, k.changePassword},
		{"change address", 4, false, k.changeAddress},
		{"confirm address", 5, false, k.confirmAddress},
		{"disown", 2, false, k.disown},
		{"erase myself", 1, false, k.eraseMyself},
	}
}

func (k *walk) signIn(ctx context.Context, c portal.Caller) bool {
	address, password := k.anyAddress(), []string{goodPassword, newPassword}[k.rand.IntN(2)]
	if h, ok := recent(k, k.at[c.BillerID].people); ok && k.rand.IntN(3) > 0 {
		address, password = h.email, h.password
	}
	return k.signInAs(ctx, c, address, password)
}

func (k *walk) signInAs(ctx context.Context, c portal.Caller, address, password string) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	owner := m.owner(k.norm(address))
	right := owner != nil && !owner.disabled && password != "" && owner.password == password
	in, err := k.SignIn(ctx, public(c), address, password)
	switch {
	case errors.Is(err, portal.ErrWrongSignIn) && right:
		k.tb.Errorf("%s cannot sign in with the password of %+v", address, owner)
		return false
	case !k.may(err):
		return false
	case in.Pending != nil:
		su := m.signUps[in.Pending.ID]
		if owner != nil || su == nil || su.email != k.norm(address) || su.password != password {
			k.tb.Errorf("%s goes on with %+v, whose owner is %+v", address, su, owner)
			return false
		}
		m.handles = append(m.handles, handle{in.Pending.Handle, su})
	case !right || in.UserID != owner.id:
		k.tb.Errorf("%s signs in with %q as %s; there is %+v", address, password, in.UserID, owner)
	default:
		k.enter(c, in.Session, owner)
	}
	return true
}

// session picks a visit, mostly one that goes on.
func (k *walk) session(c portal.Caller) (*visit, bool) {
	list := k.at[c.BillerID].sessions
	if k.rand.IntN(4) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(s *visit) bool { return s.over })
	}
	return recent(k, list)
}

func (k *walk) signOut(ctx context.Context, c portal.Caller) bool {
	s, ok := k.session(c)
	if !ok {
		return false
	}
	s.over = true
	return k.may(k.SignOut(ctx, public(c), s.secret))
}

func (k *walk) signOutElsewhere(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	s, ok := k.session(c)
	if !ok {
		return false
	}
	if _, err := k.EndOtherSessions(ctx, public(c), s.secret, s.who.password); !k.may(err) {
		return false
	}
	m.leave(s.who, s.secret)
	return true
}

func (k *walk) add(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	s, ok := k.session(c)
	if !ok {
		return false
	}
	offers, err := k.Offers(ctx, public(c), s.secret)
	if !k.may(err) || len(offers) == 0 {
		return false
	}
	o := offers[k.rand.IntN(len(offers))]
	if cu := m.customer(o.CustomerID); cu.Archived || s.who.grants[cu.ID] != "" || o.Match() && k.norm(cu.Email) != s.who.email {
		k.tb.Errorf("%+v is offered %+v, %+v", s.who, o, cu)
	}
	take := func(ctx context.Context) error {
		if o.Match() {
			return k.AddMatch(ctx, public(c), s.secret, o.CustomerID)
		}
		_, err := k.Add(ctx, public(c), s.secret, o.InvitationID)
		return err
	}
	if o.Match() && k.rand.IntN(6) == 0 {
		k.once("an offer that was dismissed", take)
		return k.holds("dismiss what is offered", k.DismissMatch(ctx, public(c), s.secret, o.CustomerID))
	}
	k.once("an offer", take)
	s.who.grants[o.CustomerID] = portal.RightPayer
	delete(s.who.kept, o.CustomerID)
	if r := m.rights[o.InvitationID]; r != "" {
		s.who.grants[o.CustomerID], s.who.kept[o.CustomerID] = r, "*"
	}
	return k.holds("add what is offered", take(ctx))
}

func (k *walk) forget(ctx context.Context, c portal.Caller) bool {
	ok := k.may(k.ForgotPassword(ctx, public(c), k.anyAddress()))
	if k.rand.IntN(2) == 0 {
		k.receive(ctx, c)
		k.reset(ctx, c)
	}
	return ok
}

func (k *walk) reset(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	r, ok := recent(k, m.resets)
	if !ok {
		return false
	}
	st, err := k.ResetPassword(ctx, public(c), r.secret, newPassword)
	if !k.may(err) {
		return false
	}
	k.once("a reset link", func(ctx context.Context) error {
		_, err := k.ResetPassword(ctx, public(c), r.secret, goodPassword)
		return err
	})
	if st.Handle == "" {
		owner := m.owner(r.about)
		if owner == nil || owner.disabled {
			k.tb.Errorf("a link to %s sets the password of %+v", r.about, owner)
			return false
		}
		owner.password = newPassword
		m.leave(owner, "")
		return true
	}
	su := m.signUps[st.ID]
	if su == nil || su.email != r.about {
		k.tb.Errorf("a link to %s confirms %+v", r.about, su)
		return false
	}
	su.password = newPassword
	k.born(ctx, c, su)
	m.handles = append(m.handles, handle{st.Handle, su})
	return true
}

func (k *walk) changePassword(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	s, ok := k.session(c)
	if !ok {
		return false
	}
	next := map[string]string{goodPassword: newPassword, newPassword: goodPassword}[s.who.password]
	in, err := k.ChangePassword(ctx, public(c), s.secret, s.who.password, next)
	if !k.may(err) {
		return false
	}
	s.who.password = next
	m.leave(s.who, "")
	k.enter(c, in.Session, s.who)
	return true
}

func (k *walk) changeAddress(ctx context.Context, c portal.Caller) bool {
	s, ok := k.session(c)
	return ok && k.may(k.ChangeAddress(ctx, public(c), s.secret, s.who.password, k.anyAddress()))
}

func (k *walk) confirmAddress(ctx context.Context, c portal.Caller) bool {
	s, ok := k.session(c)
	return ok && k.confirmAddressAs(ctx, c, s)
}

func (k *walk) confirmAddressAs(ctx context.Context, c portal.Caller, s *visit) bool {
	k.tb.Helper()
	m := k.at[c.BillerID]
	view, err := k.Session(ctx, public(c), s.secret)
	if !k.may(err) {
		return false
	}
	pending, err := k.PendingAddress(ctx, public(c), view)
	if !k.may(err) {
		return false
	}
	code, mailed := "000000", ""
	for _, a := range m.addresses {
		if a.about == pending.ID {
			mailed = a.secret
		}
	}
	if mailed != "" && k.rand.IntN(6) > 0 {
		code = mailed
	}
	in, err := k.ConfirmAddress(ctx, public(c), s.secret, code)
	if !k.may(err) {
		return false
	}
	if o := m.owner(k.norm(pending.Email)); code != mailed || o != nil {
		k.tb.Errorf("%+v takes %s with %s, that of %+v", s.who, pending.Email, code, o)
	}
	s.who.email = k.norm(pending.Email)
	m.leave(s.who, "")
	k.enter(c, in.Session, s.who)
	k.once("the code for an address", func(ctx context.Context) error {
		_, err := k.ConfirmAddress(ctx, public(c), s.secret, code)
		return err
	})
	return k.came("confirm address")
}

// disown says "this wasn't me" of any mail that has the link.
func (k *walk) disown(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	n, ok := recent(k, m.notMe)
	if !ok || !k.may(k.world.disown(ctx, public(c), n.secret)) {
		return false
	}
	k.once("a notice", func(ctx context.Context) error { return k.world.disown(ctx, public(c), n.secret) })
	switch n.kind {
	case portal.MailConfirmation:
		m.secure(m.signUps[n.about].who, n.to)
	case portal.MailProof:
		m.secure(m.byID[n.about].who, n.to)
	case portal.MailNotice:
		m.secure(m.human(n.about), n.to)
	}
	return true
}

func (k *walk) eraseMyself(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	s, ok := k.session(c)
	if !ok || k.rand.IntN(3) > 0 || !k.may(k.EraseMyself(ctx, public(c), s.secret, s.who.password)) {
		return false
	}
	k.forgetHistory(c)
	m.erase(s.who)
	return true
}
