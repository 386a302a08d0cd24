package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// tell tells a person what became of their account, however long ago that is, and
// what to do if it was not them.
func (m *staffMail) tell(ctx context.Context, ask books.Ask) error {
	p, owners, err := m.books.StaffToTell(ctx, ask.BillerID, ask.StaffID)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	subject, text := "Your Billhost password was "+newPasswordVerb(ask), m.newPassword(p, owners, ask)
	if ask.Kind == books.AskDevice {
		subject, text = "New sign-in to your account", m.newBrowser(p, owners, ask)
	}
	return m.send(ctx, addon.Mail{MessageID: m.mail.MessageID(store.Platform, "billhost", ask.ID), Sender: ask.BillerID, To: p.Email, Subject: subject, Text: text})
}

// newPasswordVerb says what became of a password.
func newPasswordVerb(ask books.Ask) string {
	if ask.Kind == books.AskFirstPassword {
		return "chosen"
	}
	return "changed"
}

func (m *staffMail) newPassword(p books.Candidate, owners []books.Staff, ask books.Ask) string {
	return fmt.Sprintf("Hello %s,\n\nthe password of your Billhost account at %s was %s on %s%s. Everybody who was signed in with your "+
		"account elsewhere was signed out.\n\nWas it you? Then there is nothing to do.\n\n",
		p.Name, p.BillerName, newPasswordVerb(ask), moment(ask), fromBrowser(ask)) + m.takeBack(p, owners)
}

func (m *staffMail) newBrowser(p books.Candidate, owners []books.Staff, ask books.Ask) string {
	return fmt.Sprintf("Hello %s,\n\nsomebody signed in to your Billhost account at %s on %s%s, in a browser that was not used for it "+
		"before.\n\nWas it you? Then there is nothing to do. A browser that does not keep cookies is new each time.\n\n",
		p.Name, p.BillerName, moment(ask), fromBrowser(ask)) + m.takeBack(p, owners)
}

// takeBack says what to do when it was somebody else.
func (m *staffMail) takeBack(p books.Candidate, owners []books.Staff) string {
	help := "the person who runs Billhost"
	if len(owners) > 0 {
		names := make([]string, len(owners))
		for i, o := range owners {
			names[i] = o.Name + " (" + o.Email + ")"
		}
		help = "an owner of " + p.BillerName + ": " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("This wasn't you? Take your account back now:\n\n"+
		"1. Get a one-time link, sign in with it and choose a new password under your name. That signs everybody else out.\n%s/sign-in/forgot?next=%%2Fadmin%%2Faccount\n\n"+
		"2. Tell %s. The audit shows what was done in your name, and your account can be closed until you are back.\n", m.base, help)
}

func moment(ask books.Ask) string { return ask.At.UTC().Format("January 2, 2006 at 15:04 UTC") }

// from says which address somebody came from.
func from(ask books.Ask) string {
	if ask.IP == "" {
		return ""
	}
	return " from " + ask.IP
}

// fromBrowser is from, with the browser.
func fromBrowser(ask books.Ask) string {
	if ask.Agent == "" {
		return from(ask)
	}
	return from(ask) + " (" + web.BrowserName(ask.Agent) + ")"
}
