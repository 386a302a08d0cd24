package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// scene is a person in the middle of everything: signed in twice for customer a,
// invited to b, with a pending change of the address, a link to a new password and
// notices; a
// sign-up under way on d, and a request for access to it; somebody who has proven
// the address of e.
type scene struct {
	*world
	number           int
	c, staff         portal.Caller // of a network of its own
	a, b, d, e       portal.Customer
	user             string
	session, second  string
	offer            string
	linkB, linkD     string
	handle, confirm  string
	code, newAddress string
	reset, newLink   string
	request          string
	proof, proofCode string
	open             string
	notices          []string
}

var scenes atomic.Int32

// mustScene makes a scene of customers that no other has.
func (w *world) mustScene(t *testing.T) *scene {
	t.Helper()
	ctx, n := t.Context(), int(scenes.Add(1))
	customer := func(id, email string) portal.Customer {
		return portal.Customer{ID: fmt.Sprintf("%s%d", id, n), Name: id, Email: fmt.Sprintf("%s%d@scene.example", email, n), Version: 1}
	}
	s := &scene{world: w, number: n, c: public(w.caller), staff: w.caller, a: customer("a", "p"), b: customer("b", "p"), d: customer("d", "q"), e: customer("e", "n")}
	s.c.IP = netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1})
	s.staff.IP = s.c.IP
	must(t, w.ApplyCustomers(ctx, s.staff, []portal.Customer{s.a, s.b, s.d, s.e}))
	linkA := s.invite(t, s.a.ID)
	state, err := w.Register(ctx, s.c, linkA, s.a.Email, goodPassword)
	must(t, err)
	_, err = w.Choose(ctx, s.c, state.Handle, []string{s.a.ID})
	must(t, err)
	_, err = w.Confirm(ctx, s.c, state.Handle, w.Keys.Code("north", s.newest(t, "signups"), 1))
	must(t, err)
	in, err := w.Accept(ctx, s.c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
	must(t, err)
	s.user, s.session = in.UserID, in.Session
	in, err = w.SignIn(ctx, from(s.c, "phone"), s.a.Email, goodPassword)
	must(t, err)
	s.second = in.Session
	s.linkB = s.invite(t, s.b.ID)
	s.offer = s.newest(t, "invitations")
	s.linkD = s.invite(t, s.d.ID)
	state, err = w.Register(ctx, s.c, s.linkD, s.d.Email, goodPassword)
	must(t, err)
	s.handle = state.Handle
	_, err = w.Choose(ctx, s.c, s.handle, []string{s.d.ID})
	must(t, err)
	s.confirm = s.newest(t, "signups")
	must(t, w.AskAccess(ctx, s.c, s.linkD, "Sam", s.a.Email, ""))
	s.request = s.newest(t, "access_requests")
	must(t, w.ForgotPassword(ctx, s.c, s.a.Email))
	s.reset = s.newest(t, "resets")
	s.newLink = w.Keys.Token(portal.PurposeReset, "north", s.reset, 0, 0)
	must(t, w.ForgotPassword(ctx, s.c, s.d.Email))
	s.newAddress = fmt.Sprintf("moved%d@scene.example", n)
	must(t, w.ChangeAddress(ctx, s.c, s.session, goodPassword, s.newAddress))
	s.code = w.Keys.Code("north", s.newest(t, "address_changes"), 0)
	proof, err := w.StartProof(ctx, s.c, s.a.Email)
	must(t, err)
	s.proof, s.proofCode = proof.Handle, w.Keys.Code("north", s.newest(t, "proofs"), 1)
	if n%2 == 0 {
		must(t, w.Prove(ctx, s.c, s.proof, s.proofCode))
	}
	proof, err = w.StartProof(ctx, s.c, s.e.Email)
	must(t, err)
	must(t, w.Prove(ctx, s.c, proof.Handle, w.Keys.Code("north", s.newest(t, "proofs"), 1)))
	s.open = proof.Handle
	s.notices = s.noticesOf(t)
	if n%3 == 0 {
		differs := s.a
		differs.Email, differs.Version = "books"+s.newAddress, 2
		must(t, w.ApplyCustomers(ctx, s.staff, []portal.Customer{differs}))
	}
	w.clock.Add(portal.SendGap)
	return s
}

func (s *scene) invite(t *testing.T, customerID string) (token string) {
	t.Helper()
	inv, err := s.Invite(t.Context(), s.staff, customerID)
	must(t, err)
	return s.Keys.Token(portal.PurposeInvitation, "north", inv.ID, inv.Generation, 0)
}

func (s *scene) newest(t *testing.T, table string) (id string) {
	t.Helper()
	must(t, s.db.R.Get(&id, `SELECT id FROM `+table+` WHERE biller_id = 'north' ORDER BY id DESC LIMIT 1`))
	return id
}

func (s *scene) noticesOf(t *testing.T) []string {
	t.Helper()
	var ids []string
	must(t, s.db.R.Select(&ids, `
		SELECT t.subject_id
		FROM tokens t
		JOIN activity a ON a.biller_id = t.biller_id AND a.id = t.subject_id
		WHERE t.biller_id = 'north' AND t.purpose = 'disown' AND a.ip = $1
		ORDER BY t.subject_id`, s.c.IP.String()))
	for i, id := range ids {
		ids[i] = s.Keys.Token(portal.PurposeDisown, "north", id, 0, 0)
	}
	return ids
}

// actions are what can happen to a scene, each of them a transaction of its own
// kind. They may be refused.
func (s *scene) actions() map[string]func(context.Context) error {
	c, staff, a := s.c, s.staff, s.a
	list := map[string]func(context.Context) error{
		"erase myself":   func(ctx context.Context) error { return s.EraseMyself(ctx, c, s.session, goodPassword) },
		"erase a person": func(ctx context.Context) error { return s.ErasePerson(ctx, staff, a.ID, s.user) },
		"disable": func(ctx context.Context) error {
			return s.SetPersonState(ctx, staff, a.ID, s.user, portal.UserDisabled)
		},
		"enable":         func(ctx context.Context) error { return s.SetPersonState(ctx, staff, a.ID, s.user, portal.UserActive) },
		"remove":         func(ctx context.Context) error { return s.RemovePerson(ctx, staff, a.ID, s.user) },
		"right":          func(ctx context.Context) error { return s.SetPersonRight(ctx, staff, a.ID, s.user, portal.RightViewer) },
		"keep":           func(ctx context.Context) error { return s.KeepPerson(ctx, staff, a.ID, s.user) },
		"staff's reset":  func(ctx context.Context) error { return s.SendReset(ctx, staff, s.user) },
		"revoke":         func(ctx context.Context) error { return s.Revoke(ctx, staff, s.d.ID) },
		"decline access": func(ctx context.Context) error { _, err := s.DeclineAccess(ctx, staff, s.request); return err },
		"forgot":         func(ctx context.Context) error { return s.ForgotPassword(ctx, c, a.Email) },
		"change address": func(ctx context.Context) error {
			return s.ChangeAddress(ctx, c, s.second, goodPassword, "else"+s.newAddress)
		},
		"resend":            func(ctx context.Context) error { return s.ResendConfirmation(ctx, c, s.handle) },
		"prove":             func(ctx context.Context) error { return s.Prove(ctx, c, s.proof, s.proofCode) },
		"resend proof":      func(ctx context.Context) error { return s.ResendProof(ctx, c, s.proof) },
		"sign out":          func(ctx context.Context) error { return s.SignOut(ctx, c, s.second) },
		"decline agreement": func(ctx context.Context) error { return s.Decline(ctx, c, portal.Holder{Session: s.second}) },
		"ask access":        func(ctx context.Context) error { return s.AskAccess(ctx, c, s.linkB, "Max", "max"+s.newAddress, "") },
		"new link":          func(ctx context.Context) error { return s.RequestNewLink(ctx, c, s.linkD) },
	}
	for name, do := range map[string]func(context.Context) (any, error){
		"invite instead":  func(ctx context.Context) (any, error) { return s.InviteInstead(ctx, staff, a.ID) },
		"invite":          func(ctx context.Context) (any, error) { return s.Invite(ctx, staff, s.b.ID) },
		"link by hand":    func(ctx context.Context) (any, error) { return s.Link(ctx, staff, s.d.ID) },
		"approve access":  func(ctx context.Context) (any, error) { return s.Approve(ctx, staff, s.request, portal.RightPayer) },
		"add":             func(ctx context.Context) (any, error) { return s.Add(ctx, c, s.session, s.offer) },
		"confirm address": func(ctx context.Context) (any, error) { return s.ConfirmAddress(ctx, c, s.session, s.code) },
		"reset":           func(ctx context.Context) (any, error) { return s.ResetPassword(ctx, c, s.newLink, newPassword) },
		"change password": func(ctx context.Context) (any, error) {
			return s.ChangePassword(ctx, c, s.session, goodPassword, newPassword)
		},
		"sign in":    func(ctx context.Context) (any, error) { return s.SignIn(ctx, c, a.Email, goodPassword) },
		"end others": func(ctx context.Context) (any, error) { return s.EndOtherSessions(ctx, c, s.session, goodPassword) },
		"accept": func(ctx context.Context) (any, error) {
			return s.Accept(ctx, c, portal.Holder{Session: s.second}, portal.DefaultAgreementVersion)
		},
		"register": func(ctx context.Context) (any, error) { return s.Register(ctx, c, s.linkD, s.d.Email, goodPassword) },
		"choose":   func(ctx context.Context) (any, error) { return s.Choose(ctx, c, s.handle, []string{s.d.ID}) },
		"confirm": func(ctx context.Context) (any, error) {
			return s.Confirm(ctx, c, s.handle, s.Keys.Code("north", s.confirm, 1))
		},
		"confirm by link": func(ctx context.Context) (any, error) {
			return s.ConfirmLink(ctx, c, s.Keys.Token(portal.PurposeConfirmation, "north", s.confirm, 0, 1), s.handle, "")
		},
		"resume": func(ctx context.Context) (any, error) { return s.ResumeWithPassword(ctx, c, s.linkD, goodPassword) },
		"open":   func(ctx context.Context) (any, error) { return s.Open(ctx, c, s.linkD, "", "") },
		"finish proof": func(ctx context.Context) (any, error) {
			return s.FinishProof(ctx, c, s.proof, goodPassword, []string{s.b.ID, a.ID})
		},
		"sign up openly": func(ctx context.Context) (any, error) {
			return s.FinishProof(ctx, c, s.open, goodPassword, []string{s.e.ID})
		},
		"refresh": func(ctx context.Context) (any, error) { return s.RefreshDue(ctx, staff) },
		"move in the books": func(ctx context.Context) (any, error) {
			moved := s.a
			moved.Email, moved.Version = "books"+s.newAddress, 2
			return nil, s.ApplyCustomers(ctx, staff, []portal.Customer{s.d, s.b, moved})
		},
		"archive": func(ctx context.Context) (any, error) {
			archived := s.d
			archived.Archived, archived.Version = true, 2
			return nil, s.ApplyCustomers(ctx, staff, []portal.Customer{archived})
		},
	} {
		list[name] = func(ctx context.Context) error { _, err := do(ctx); return err }
	}
	for i, notice := range s.notices {
		list[fmt.Sprintf("disown %d", i)] = func(ctx context.Context) error { return s.disown(ctx, c, notice) }
	}
	return list
}

// atOnce runs actions of a scene at the same moment, and fails for what is no
// refusal: a deadlock, say.
func (s *scene) atOnce(t *testing.T, what ...string) {
	t.Helper()
	list := s.actions()
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, name := range what {
		wg.Go(func() {
			<-start
			err := list[name](t.Context())
			if code := apperr.CodeOf(err); code == apperr.Internal || code == apperr.Unavailable {
				t.Errorf("%s, while %q: %v", name, what, err)
			}
		})
	}
	close(start)
	wg.Wait()
}

// wantTrueStatuses fails unless what is kept of every customer's status is what
// follows from the rows.
func (w *world) wantTrueStatuses(t *testing.T) {
	t.Helper()
	for _, r := range w.rows(t, portal.RegistrationQuery{}) {
		view, err := w.Service.Customer(t.Context(), w.caller, r.CustomerID)
		must(t, err)
		if r.Status != view.Status {
			t.Errorf("status of %s is kept as %q, and is %q", r.CustomerID, r.Status, view.Status)
		}
	}
}

// mustManyConnections is a world on a server that many ask at once.
func mustManyConnections(t *testing.T, cfg sqldb.Config) *world {
	t.Helper()
	cfg.MaxConns = 60
	return mustWorld(t, dbtest.MustOpen(t, cfg))
}

// TestRaceOfEveryAction has every action meet every other, in a random order.
func TestRaceOfEveryAction(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sqldb.Config{
		sqldb.SQLite: dbtest.SQLite(t, store.Migrations()...), sqldb.Postgres: dbtest.Postgres(t, store.Migrations()...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := mustManyConnections(t, cfg)
			for range 6 {
				s := w.mustScene(t)
				var names []string
				for name := range s.actions() { // in a random order
					names = append(names, name)
				}
				s.atOnce(t, names...)
			}
			w.wantTrueStatuses(t)
			w.wantOther(t)
		})
	}
}

// TestEveryTwoActionsMeet has pairs of actions meet alone, where neither waits for a
// third: some of them, or all with ALL_PAIRS=1, which takes minutes.
func TestEveryTwoActionsMeet(t *testing.T) {
	t.Parallel()
	w := mustManyConnections(t, dbtest.Postgres(t, store.Migrations()...))
	var names []string
	for name := range w.mustScene(t).actions() {
		names = append(names, name)
	}
	var pairs [][2]string
	for i, one := range names {
		for _, two := range names[i:] {
			pairs = append(pairs, [2]string{one, two})
		}
	}
	rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	if os.Getenv("ALL_PAIRS") == "" {
		pairs = pairs[:60]
	}
	for _, pair := range pairs {
		if t.Failed() {
			return
		}
		w.mustScene(t).atOnce(t, pair[0], pair[1], pair[0], pair[1])
	}
	w.wantTrueStatuses(t)
	w.wantOther(t)
}

// TestRaceDisownAfterAChangedAddress: a thief with a session changes the address;
// the owner presses "This wasn't me" in an older mail and in the one about the
// change, many times at once.
func TestRaceDisownAfterAChangedAddress(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.caller.Device = "laptop"
		w.signedUp(t, "c1")
		w.caller.Device = ""
		in, err := w.SignIn(ctx, from(w.caller, "phone"), jane, goodPassword)
		must(t, err)
		older := token(w.told(t))
		session, notice := w.moved(t, c, in.Session, goodPassword, "thief@else.example")
		_, err = w.SignIn(ctx, from(w.caller, "desk"), "thief@else.example", goodPassword)
		must(t, err)
		thiefs := token(w.told(t))
		w.mail = nil
		links := []string{older, token(notice)}
		counts := race(func(n int) error { return w.disown(ctx, c, links[n%2]) })
		if counts[""] != 2 || counts[told(portal.ErrLinkDead)] != 14 {
			t.Errorf("answers = %v, want each link to work once", counts)
		}
		w.deliver(t)
		for _, m := range w.mail {
			if m.To != "Jane@Acme.com" {
				t.Errorf("%s gets %+v", m.To, m)
			}
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the thief's session: %v", err)
		}
		if err := w.disown(ctx, c, thiefs); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("the thief disowns: %v", err)
		}
		for _, address := range []string{jane, "thief@else.example"} {
			if _, err := w.SignIn(ctx, c, address, goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
				t.Errorf("%s with the old password: %v", address, err)
			}
		}
		_, err = w.ResetPassword(ctx, c, token(w.take(t)), newPassword)
		must(t, err)
		_, err = w.SignIn(ctx, c, jane, newPassword)
		must(t, err)
		w.wantTrueStatuses(t)
		w.wantOther(t)
	})
}

// TestDisownedAddressThatIsTaken: nobody gets a sign-in by mail whose old address
// is somebody else's now.
func TestDisownedAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session, notice := w.moved(t, c, w.signedUp(t, "c1"), goodPassword, "thief@else.example")
		w.clock.Add(time.Hour)
		second := w.signedUp(t, "c2")
		w.mail = nil
		must(t, w.disown(ctx, c, token(notice)))
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("mails = %+v", w.mail)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the thief's session: %v", err)
		}
		if _, err := w.SignIn(ctx, c, "thief@else.example", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the thief signs in: %v", err)
		}
		if _, err := w.Session(ctx, c, second); err != nil {
			t.Errorf("who has the address now: %v", err)
		}
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		if view.History[0].Kind != portal.HistoryDisowned {
			t.Errorf("staff read %+v", view.History[0])
		}
		w.wantOther(t)
	})
}
