package portal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func TestLinkOutcome(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	link := func(change func(*portal.Link)) portal.Link {
		l := portal.Link{
			Token:      portal.Token{Generation: 2},
			Invitation: portal.Invitation{State: sent, Generation: 2, ExpiresAt: now.Add(time.Hour)},
		}
		change(&l)
		return l
	}
	signUp := &portal.SignUp{HandleHash: "h"}
	var (
		fresh    = link(func(*portal.Link) {})
		older    = link(func(l *portal.Link) { l.Token.Generation = 1 })
		over     = link(func(l *portal.Link) { l.Invitation.ExpiresAt = now })
		marked   = link(func(l *portal.Link) { l.Invitation.State = expired })
		withdrew = link(func(l *portal.Link) { l.Invitation.State = revoked; l.Token.Generation = 1 })
		archived = link(func(l *portal.Link) { l.Customer.Archived = true })
		done     = link(func(l *portal.Link) { l.Invitation.State = accepted })
		granted  = link(func(l *portal.Link) { l.AccountID, l.HasGrant, l.Accepted = "u1", true, true })
		unread   = link(func(l *portal.Link) { l.AccountID, l.HasGrant, l.Invitation.State = "u1", true, accepted })
		account  = link(func(l *portal.Link) { l.AccountID = "u1" })
		begun    = link(func(l *portal.Link) { l.SignUp = signUp })
		accept   = link(func(l *portal.Link) { l.SignUp = signUp; l.Invitation.State = accepted })
		begunOld = link(func(l *portal.Link) { l.SignUp = signUp; l.Token.Generation = 1 })
		letGo    = link(func(l *portal.Link) { l.SignUp = &portal.SignUp{}; l.Invitation.State = accepted })
	)
	nobody, same, other := portal.Visitor{}, portal.Visitor{HandleHash: "h"}, portal.Visitor{HandleHash: "x"}
	u1, u2 := portal.Visitor{UserID: "u1"}, portal.Visitor{UserID: "u2"}
	tests := []struct {
		name     string
		link     portal.Link
		visitor  portal.Visitor
		want     portal.LinkOutcome
		canStart error
	}{
		{"fresh", fresh, nobody, portal.LinkFresh, nil},
		{"fresh, a handle of something else", fresh, other, portal.LinkFresh, nil},
		{"older generation", older, nobody, portal.LinkReplaced, portal.ErrLinkDead},
		{"time over", over, nobody, portal.LinkExpired, portal.ErrLinkExpired},
		{"marked expired", marked, nobody, portal.LinkExpired, portal.ErrLinkExpired},
		{"revoked", withdrew, nobody, portal.LinkRevoked, portal.ErrLinkDead},
		{"archived", archived, nobody, portal.LinkRevoked, portal.ErrLinkDead},
		{"accepted", done, nobody, portal.LinkRegistered, portal.ErrRegistered},
		{"access already", granted, nobody, portal.LinkRegistered, portal.ErrRegistered},
		{"agreement to be accepted", unread, nobody, portal.LinkNotAccepted, portal.ErrNotAccepted},
		{"existing account", account, nobody, portal.LinkExistingAccount, portal.ErrHasAccount},
		{"existing account, signed in", account, u1, portal.LinkSignedIn, portal.ErrHasAccount},
		{"existing account, somebody else", account, u2, portal.LinkSignedInAsOther, portal.ErrHasAccount},
		{"somebody signed in", fresh, u2, portal.LinkSignedInAsOther, nil},
		{"begun, same browser", begun, same, portal.LinkResume, nil},
		{"begun, another browser", begun, other, portal.LinkAskPassword, nil},
		{"begun, no cookie", begun, nobody, portal.LinkAskPassword, nil},
		{"confirmed, same browser", accept, same, portal.LinkResume, portal.ErrRegistered},
		{"confirmed, another browser", accept, nobody, portal.LinkRegistered, portal.ErrRegistered},
		{"begun, same browser, older link", begunOld, same, portal.LinkResume, portal.ErrLinkDead},
		{"begun, another browser, older link", begunOld, nobody, portal.LinkReplaced, portal.ErrLinkDead},
		{"declined: an empty handle is nobody's", letGo, nobody, portal.LinkRegistered, portal.ErrRegistered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.link.Outcome(tt.visitor, now); got != tt.want {
				t.Errorf("Outcome = %q, want %q", got, tt.want)
			}
			if err := tt.link.CanStart(now); !errors.Is(err, tt.canStart) {
				t.Errorf("CanStart = %v, want %v", err, tt.canStart)
			}
		})
	}
}

func TestConfirmationOutcome(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	conf := func(step portal.Step, change ...func(*portal.Confirmation)) portal.Confirmation {
		c := portal.Confirmation{
			Token:  portal.Token{ExpiresAt: now.Add(time.Hour)},
			SignUp: portal.SignUp{Step: step, HandleHash: "h", ExpiresAt: now.Add(time.Hour)},
		}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	late := func(c *portal.Confirmation) { c.Token.ExpiresAt = now }
	dead := func(c *portal.Confirmation) { c.SignUp.ExpiresAt = now }
	known := func(c *portal.Confirmation) { c.HasAccount, c.HasGrant, c.Accepted = true, true, true }
	unread := func(c *portal.Confirmation) { c.HasAccount, c.HasGrant = true, true }
	offered := func(c *portal.Confirmation) {
		c.HasAccount, c.Invitation = true, portal.Invitation{State: started, ExpiresAt: now.Add(time.Hour)}
	}
	withdrawn := func(c *portal.Confirmation) { c.HasAccount, c.Invitation.State = true, revoked }
	let := func(c *portal.Confirmation) { c.SignUp.HandleHash = "" }
	tests := []struct {
		name   string
		conf   portal.Confirmation
		handle string
		want   portal.ConfirmationOutcome
	}{
		{"same browser", conf(portal.StepConfirm), "h", portal.ConfirmationSameBrowser},
		{"another browser", conf(portal.StepConfirm), "x", portal.ConfirmationAskPassword},
		{"no cookie", conf(portal.StepConfirm), "", portal.ConfirmationAskPassword},
		{"no cookie, no handle", conf(portal.StepConfirm, let), "", portal.ConfirmationAskPassword},
		{"replaced", conf(portal.StepVoid), "h", portal.ConfirmationDead},
		{"link too old", conf(portal.StepConfirm, late), "h", portal.ConfirmationExpired},
		{"sign-up too old", conf(portal.StepConfirm, dead), "h", portal.ConfirmationExpired},
		{"address has an account", conf(portal.StepConfirm, known), "h", portal.ConfirmationRegistered},
		{"confirmed, agreement left, another browser", conf(portal.StepAccept, unread), "x", portal.ConfirmationNotAccepted},
		{"address has an account elsewhere", conf(portal.StepConfirm, offered), "h", portal.ConfirmationExistingAccount},
		{"address has an account elsewhere, ended here", conf(portal.StepVoid, offered), "h", portal.ConfirmationExistingAccount},
		{"address has an account elsewhere, revoked", conf(portal.StepVoid, withdrawn), "h", portal.ConfirmationRegistered},
		{"confirmed, same browser", conf(portal.StepAccept, known), "h", portal.ConfirmationAgreement},
		{"confirmed, another browser", conf(portal.StepAccept, known), "x", portal.ConfirmationRegistered},
		{"done", conf(portal.StepDone, known), "h", portal.ConfirmationRegistered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.conf.Outcome(tt.handle, now); got != tt.want {
				t.Errorf("Outcome = %q, want %q", got, tt.want)
			}
		})
	}
}
