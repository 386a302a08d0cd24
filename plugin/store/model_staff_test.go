package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func (k *walk) actionsOfStaff() []walkAction {
	return []walkAction{
		{"invite", 12, false, k.invite},
		{"revoke", 1, false, k.revoke},
		{"mint a link", 1, false, k.mint},
		{"edit an address", 3, false, k.edit},
		{"archive or bring back", 1, false, k.archive},
		{"approve", 4, false, k.approve},
		{"decline a request", 1, false, k.refuseRequest},
		{"send an own invitation again", 2, false, k.renew},
		{"revoke an own invitation", 1, false, k.revokeOwn},
		{"change a right", 2, false, k.changeRight},
		{"disable or enable", 2, false, k.disable},
		{"sign a person out", 1, false, k.signPersonOut},
		{"mail a reset", 1, false, k.resetPerson},
		{"remove access", 3, false, k.removeAccess},
		{"keep an address", 3, false, k.keep},
		{"invite instead", 2, false, k.inviteInstead},
		{"erase", 1, false, k.erase},
		{"publish", 1, false, k.publish},
		{"withdraw", 1, false, k.withdraw},
		{"uninstall or install", 1, false, k.uninstall},
	}
}

func (k *walk) anyCustomer(c portal.Caller) *portal.Customer {
	list := k.at[c.BillerID].books
	return &list[k.rand.IntN(len(list))]
}

func (k *walk) invite(ctx context.Context, c portal.Caller) bool {
	_, err := k.Invite(ctx, c, k.anyCustomer(c).ID)
	return k.may(err)
}

func (k *walk) revoke(ctx context.Context, c portal.Caller) bool {
	return k.may(k.Revoke(ctx, c, k.anyCustomer(c).ID))
}

func (k *walk) mint(ctx context.Context, c portal.Caller) bool {
	cu := k.anyCustomer(c)
	view, err := k.Service.Customer(ctx, c, cu.ID)
	must(k.tb, err)
	url, err := k.Link(ctx, c, cu.ID)
	if !k.may(err) {
		return false
	}
	m := k.at[c.BillerID]
	m.links = append(m.links, link{lastPart.FindString(url), view.Invitation.ID, cu.ID, k.norm(view.Invitation.Email)})
	return true
}

// edit changes a customer's address, mostly to another one of theirs.
func (k *walk) edit(ctx context.Context, c portal.Caller) bool {
	cu := k.anyCustomer(c)
	cu.Email = []string{"jane@acme.com", "", "no address", k.anyAddress(), k.anyAddress(), k.anyAddress()}[k.rand.IntN(6)]
	cu.Version++
	return k.may(k.ApplyCustomers(ctx, c, []portal.Customer{*cu}))
}

func (k *walk) archive(ctx context.Context, c portal.Caller) bool {
	cu := k.anyCustomer(c)
	cu.Archived = !cu.Archived && k.rand.IntN(2) == 0
	cu.Version++
	return k.may(k.ApplyCustomers(ctx, c, []portal.Customer{*cu}))
}

// request picks an open one, after a look that there is one for each link.
func (k *walk) request(ctx context.Context, c portal.Caller) (r portal.AccessRequest, ok bool) {
	list, err := k.AccessRequests(ctx, c, "")
	if !k.may(err) {
		return r, false
	}
	return recent(k, list)
}

func (k *walk) approve(ctx context.Context, c portal.Caller) bool {
	r, ok := k.request(ctx, c)
	if !ok {
		return false
	}
	m, right := k.at[c.BillerID], portal.Rights()[k.rand.IntN(2)]
	if _, err := k.Approve(ctx, c, r.ID, right); !k.may(err) {
		return false
	}
	k.once("a decision", func(ctx context.Context) error { _, err := k.Approve(ctx, c, r.ID, right); return err })
	view, err := k.Service.Customer(ctx, c, r.CustomerID)
	must(k.tb, err)
	for _, inv := range view.Invited {
		if m.rights[inv.ID] == "" {
			m.rights[inv.ID] = right
		}
	}
	return true
}

func (k *walk) refuseRequest(ctx context.Context, c portal.Caller) bool {
	r, ok := k.request(ctx, c)
	if !ok {
		return false
	}
	_, err := k.DeclineAccess(ctx, c, r.ID)
	if !k.holds("decline a request", err) {
		return false
	}
	k.once("a refusal", func(ctx context.Context) error { _, err := k.DeclineAccess(ctx, c, r.ID); return err })
	return true
}

// own picks an invitation that answered a request.
func (k *walk) own(ctx context.Context, c portal.Caller) (inv portal.Invitation, ok bool) {
	view, err := k.Service.Customer(ctx, c, k.anyCustomer(c).ID)
	if !k.may(err) {
		return inv, false
	}
	return recent(k, view.Invited)
}

func (k *walk) renew(ctx context.Context, c portal.Caller) bool {
	inv, ok := k.own(ctx, c)
	return ok && k.may(k.RenewAccess(ctx, c, inv.CustomerID, inv.ID))
}

func (k *walk) revokeOwn(ctx context.Context, c portal.Caller) bool {
	inv, ok := k.own(ctx, c)
	return ok && k.may(k.RevokeAccess(ctx, c, inv.CustomerID, inv.ID))
}

// anyone picks somebody with access, and a customer of theirs.
func (k *walk) anyone(c portal.Caller) (customer string, h *human) {
	cu := k.anyCustomer(c)
	if h, ok := recent(k, k.at[c.BillerID].with(cu.ID)); ok {
		return cu.ID, h
	}
	return "", nil
}

func (k *walk) changeRight(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil {
		return false
	}
	right := portal.Rights()[k.rand.IntN(2)]
	err := k.SetPersonRight(ctx, c, customer, h.id, right)
	if h.grants[customer] == right {
		return errors.Is(err, portal.ErrPersonUnchanged)
	}
	h.grants[customer] = right
	return k.holds("change a right", err)
}

func (k *walk) disable(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil {
		return false
	}
	if h.disabled = !h.disabled; !h.disabled {
		return k.holds("enable", k.SetPersonState(ctx, c, customer, h.id, portal.UserActive))
	}
	k.at[c.BillerID].leave(h, "")
	return k.holds("disable", k.SetPersonState(ctx, c, customer, h.id, portal.UserDisabled))
}

func (k *walk) signPersonOut(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil {
		return false
	}
	k.at[c.BillerID].leave(h, "")
	_, err := k.SignOutPerson(ctx, c, customer, h.id)
	return k.holds("sign a person out", err)
}

func (k *walk) resetPerson(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	return h != nil && k.may(k.ResetPerson(ctx, c, customer, h.id))
}

func (k *walk) removeAccess(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil {
		return false
	}
	delete(h.grants, customer)
	delete(h.kept, customer)
	k.once("the removal of access", func(ctx context.Context) error {
		if h.grants[customer] != "" {
			return apperr.Errorf(apperr.Conflict, "Access was given anew.")
		}
		return k.RemovePerson(ctx, c, customer, h.id)
	})
	return k.holds("remove access", k.RemovePerson(ctx, c, customer, h.id))
}

func (k *walk) keep(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil || !k.may(k.KeepPerson(ctx, c, customer, h.id)) {
		return false
	}
	if h.kept[customer] != "*" {
		h.kept[customer] = "=" + k.normOrNone(k.at[c.BillerID].customer(customer).Email)
	}
	return true
}

func (k *walk) normOrNone(address string) string {
	n, err := k.NormalizeEmail(address)
	if err != nil {
		return ""
	}
	return n
}

// inviteInstead ends those who sign in with another address that nobody keeps.
func (k *walk) inviteInstead(ctx context.Context, c portal.Caller) bool {
	cu, m := k.anyCustomer(c), k.at[c.BillerID]
	if _, err := k.InviteInstead(ctx, c, cu.ID); !k.may(err) {
		return false
	}
	for _, h := range m.with(cu.ID) {
		profile := k.normOrNone(cu.Email)
		if h.email == profile || h.kept[cu.ID] == "*" || h.kept[cu.ID] == "="+profile {
			continue
		}
		delete(h.grants, cu.ID)
		delete(h.kept, cu.ID)
		m.shut(h)
	}
	return true
}

func (k *walk) erase(ctx context.Context, c portal.Caller) bool {
	customer, h := k.anyone(c)
	if h == nil || k.rand.IntN(2) > 0 {
		return false
	}
	k.forgetHistory(c)
	k.at[c.BillerID].erase(h)
	return k.holds("erase", k.ErasePerson(ctx, c, customer, h.id))
}

func (k *walk) publish(ctx context.Context, c portal.Caller) bool {
	m, days := k.at[c.BillerID], k.rand.IntN(2)
	n := m.versions[len(m.versions)-1].number
	a, err := k.Publish(ctx, c, k.draft(n, days, fmt.Sprintf("Version %d.", n+1)))
	if !k.may(err) {
		return false
	}
	m.versions = append(m.versions, version{number: n + 1, from: a.EffectiveOn})
	return true
}

func (k *walk) withdraw(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	v := &m.versions[len(m.versions)-1]
	if !k.may(k.Withdraw(ctx, c, itoa(v.number))) {
		return false
	}
	if v.withdrawn || !v.from.After(k.clock.Now()) {
		k.tb.Errorf("%+v was withdrawn at %v", *v, k.clock.Now())
	}
	v.withdrawn = true
	return true
}

func (k *walk) uninstall(ctx context.Context, c portal.Caller) bool {
	m := k.at[c.BillerID]
	if m.closed {
		m.closed = false
		_, err := k.Enable(ctx, c)
		return k.may(err)
	}
	m.closed = k.rand.IntN(3) == 0
	return m.closed && k.may(k.Disable(ctx, c))
}

// receive reads the mails that are due, of both billers, however late.
func (k *walk) receive(context.Context, portal.Caller) bool {
	k.deliver(k.tb)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, mail := range k.mail {
		k.read(mail)
	}
	got := len(k.mail)
	k.mail = nil
	return got > 0
}

// bounce has the mail server refuse what is due.
func (k *walk) bounce(context.Context, portal.Caller) bool {
	k.refuse = "No such mailbox."
	k.deliver(k.tb)
	k.refuse = ""
	return true
}

// sending is which generation of which invitation a mail is about.
func sending(mail portal.Mail) string {
	return fmt.Sprint(mail.Ref.ID, "/", mail.Ref.Generation)
}

func (k *walk) read(mail portal.Mail) {
	m := k.at[k.caller.BillerID]
	if slices.Contains(pathOf(mail), k.other.BillerID) {
		m = k.at[k.other.BillerID]
	}
	id, to := mail.Ref.ID, k.norm(mail.To)
	switch mail.Ref.Kind {
	case portal.MailInvitation:
		m.invited[sending(mail)] = token(mail)
		if !mail.HasAccount {
			m.links = append(m.links, link{token(mail), id, mail.CustomerID, to})
		}
	case portal.MailReminder:
		if h := m.owner(to); h != nil && h.grants[mail.CustomerID] != "" {
			k.tb.Errorf("%s is reminded of an invitation and has access", to)
		}
		if token(mail) != m.invited[sending(mail)] {
			k.tb.Errorf("the link of reminder %s is another one than the invitation's", mail.Ref.Key())
		}
		m.reminders[mail.Ref.Key()]++
		if n := m.reminders[mail.Ref.Key()]; n > 1 || mail.Ref.Seq > portal.MaxReminders {
			k.tb.Errorf("%s was mailed %d times", mail.Ref.Key(), n)
		}
	case portal.MailConfirmation:
		m.confirms = append(m.confirms, confirmation{id, mail.Code, token(mail)})
	case portal.MailProof:
		if p := m.byID[id]; mail.Code != "" {
			p.code, p.link = mail.Code, token(mail)
		}
	case portal.MailReset:
		m.resets = append(m.resets, reset{token(mail), to})
	case portal.MailAddress:
		m.addresses = append(m.addresses, reset{mail.Code, id})
	case portal.MailNotice:
		if mail.Activity.Action.Disownable() {
			m.notMe = append(m.notMe, notMe{token(mail), mail.Ref.Kind, to, mail.Activity.UserID})
		}
	}
	if mail.NotMe != "" {
		m.notMe = append(m.notMe, notMe{lastPart.FindString(mail.NotMe), mail.Ref.Kind, to, id})
	}
}
