package store_test

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// actionsInARow are what people do without a pause; the rest of the walk does the
// same steps in any order.
func (k *walk) actionsInARow() []walkAction {
	return []walkAction{
		{"sign up with an invitation", 8, true, k.signUpInARow},
		{"sign up without one", 4, true, k.proveInARow},
		{"take a new address", 5, true, k.moveInARow},
		{"come in and accept", 6, false, k.comeIn},
	}
}

func (k *walk) signUpInARow(ctx context.Context, c portal.Caller) bool {
	m, cu := k.at[c.BillerID], k.anyCustomer(c)
	if _, err := k.Invite(ctx, c, cu.ID); !k.may(err) {
		return false
	}
	k.receive(ctx, c)
	l := link{}
	for _, known := range m.links {
		if known.customer == cu.ID && m.owner(known.email) == nil {
			l = known
		}
	}
	if l.secret == "" || !k.registerAs(ctx, c, l, l.email) {
		return false
	}
	h := m.handles[len(m.handles)-1]
	if !k.chooseAs(ctx, c, h) {
		return false
	}
	k.receive(ctx, c)
	if n := len(m.confirms); n > 0 && m.confirms[n-1].signUp == h.su.id && k.rand.IntN(3) == 0 {
		return k.confirmLinkAs(ctx, c, m.confirms[n-1], h.su.password)
	}
	return k.confirmAs(ctx, c, h) && k.rand.IntN(4) > 0 && k.acceptAs(ctx, c, portal.Holder{Handle: h.secret}, h.su.who)
}

func (k *walk) proveInARow(ctx context.Context, c portal.Caller) bool {
	if !k.startProof(ctx, c) {
		return false
	}
	k.receive(ctx, c)
	m := k.at[c.BillerID]
	p := m.proofs[len(m.proofs)-1]
	return p.code != "" && k.proveAs(ctx, c, p) && k.finishAs(ctx, c, p)
}

func (k *walk) comeIn(ctx context.Context, c portal.Caller) bool {
	h, ok := recent(k, k.at[c.BillerID].people)
	if !ok || !k.signInAs(ctx, c, h.email, h.password) {
		return false
	}
	sessions := k.at[c.BillerID].sessions
	s := sessions[len(sessions)-1]
	return k.acceptAs(ctx, c, portal.Holder{Session: s.secret}, s.who)
}

func (k *walk) moveInARow(ctx context.Context, c portal.Caller) bool {
	if !k.comeIn(ctx, c) {
		return false
	}
	sessions := k.at[c.BillerID].sessions
	s := sessions[len(sessions)-1]
	if !k.may(k.ChangeAddress(ctx, public(c), s.secret, s.who.password, k.anyAddress())) {
		return false
	}
	k.receive(ctx, c)
	return k.confirmAddressAs(ctx, c, s)
}
