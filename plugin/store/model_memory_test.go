package store_test

import (
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// memory is what a walk remembers of a biller: what it was told by mails, pages
// and answers, and what must follow from that by product.md. It reads no table.
type memory struct {
	books    []portal.Customer
	closed   bool // the portal is uninstalled
	people   []*human
	versions []version

	links    []link
	handles  []handle
	proofs   []*openSignUp
	sessions []*visit
	signUps  map[string]*signUp // by id
	byID     map[string]*openSignUp
	// rights are what invitations give, by their id; the rest give payer.
	rights map[string]portal.Right

	// invited are the secrets of the mails of each sending, reminders how often each
	// reminder was mailed.
	invited   map[string]string
	reminders map[string]int
	confirms  []confirmation
	resets    []reset
	addresses []reset // codes for new addresses, by the person's id
	notMe     []notMe
}

// human is somebody who signs in.
type human struct {
	id, email, password string
	disabled, erased    bool
	grants              map[string]portal.Right // by customer
	accepted            map[string]bool         // versions
	// left is set once all sessions of the human were ended.
	left bool
	// kept are the customers' addresses beside which staff keep the human's own.
	kept map[string]string
}

type version struct {
	number    int
	from      time.Time
	withdrawn bool
}

type link struct{ secret, invitation, customer, email string }

type handle struct {
	secret string
	su     *signUp
}

// signUp is a sign-up with an invitation, or what a proof became.
type signUp struct {
	id, email, password string
	link                link
	who                 *human
}

// openSignUp is one from the portal link.
type openSignUp struct {
	id, handle, email, code, link string
	who                           *human
}

type visit struct {
	secret     string
	who        *human
	born, seen time.Time
	over       bool
}

type confirmation struct{ signUp, code, link string }

type reset struct{ secret, about string }

// notMe is the link that says so, of a mail to an address about something with an
// id: for a notice, the person's.
type notMe struct {
	secret    string
	kind      portal.MailKind
	to, about string
}

func newMemory(now time.Time) *memory {
	return &memory{
		books: append(customers(),
			portal.Customer{ID: "c5", Name: "Ira", Email: "ira@acme.com", Version: 1}, portal.Customer{ID: "c6", Name: "Ira", Email: "ira@new.example", Version: 1}),
		signUps: map[string]*signUp{}, byID: map[string]*openSignUp{}, rights: map[string]portal.Right{}, invited: map[string]string{}, reminders: map[string]int{},
		versions: []version{{number: 1, from: now}},
	}
}

func (m *memory) customer(id string) *portal.Customer {
	i := slices.IndexFunc(m.books, func(c portal.Customer) bool { return c.ID == id })
	return &m.books[i]
}

// owner is who signs in with an address now; nil for nobody.
func (m *memory) owner(email string) *human {
	for _, h := range m.people {
		if h.email == email {
			return h
		}
	}
	return nil
}

func (m *memory) human(id string) *human {
	for _, h := range m.people {
		if h.id == id {
			return h
		}
	}
	return nil
}

// with are those who have access to a customer.
func (m *memory) with(customer string) (list []*human) {
	for _, h := range m.people {
		if h.grants[customer] != "" {
			list = append(list, h)
		}
	}
	return list
}

// leave ends every session of somebody but one.
func (m *memory) leave(h *human, but string) {
	h.left = true
	for _, s := range m.sessions {
		if s.who == h && s.secret != but {
			s.over = true
		}
	}
}

// secure is what "this wasn't me" does to a sign-in: only who reads the mailbox that
// was told gets on, so an address that was changed since is put back, if nobody
// else has it.
func (m *memory) secure(h *human, told string) {
	if h == nil || h.erased {
		return
	}
	if !h.disabled && m.owner(told) == nil {
		h.email = told
	}
	m.shut(h)
}

// shut ends what somebody could sign in or go on with.
func (m *memory) shut(h *human) {
	h.password = ""
	m.leave(h, "")
}

func (m *memory) erase(h *human) {
	h.erased = true
	m.leave(h, "")
	m.people = slices.DeleteFunc(m.people, func(p *human) bool { return p == h })
}

// inForce is the version of the agreement that counts now.
func (m *memory) inForce(now time.Time) string {
	best := 0
	for i, v := range m.versions {
		if !v.withdrawn && !v.from.After(now) && !v.from.Before(m.versions[best].from) {
			best = i
		}
	}
	return itoa(m.versions[best].number)
}

// sees is what somebody may see, by customer.
func (m *memory) sees(h *human) map[string]portal.Right {
	out := map[string]portal.Right{}
	for id, right := range h.grants {
		if !m.customer(id).Archived {
			out[id] = right
		}
	}
	return out
}
