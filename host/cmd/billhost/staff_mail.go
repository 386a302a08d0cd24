package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// mailer hands a mail to the mail server; *mail.Sender is one.
type mailer interface {
	MessageID(biller, addon, key string) string
	Send(ctx context.Context, m addon.Mail) (addon.Receipt, error)
}

// staffMail deals with what addresses asked for or tried: it mails links and
// notices, and writes the audit. An address that is nobody's gets nothing.
type staffMail struct {
	books *store.Store
	mail  mailer
	// base is where the platform's pages begin.
	base string
}

// openStaffMail opens the way to the mail server; it is closed with s.
func (s *server) openStaffMail() (*staffMail, error) {
	key, err := s.books.places.secret.key("staff-mail")
	if err != nil {
		return nil, err
	}
	sender, err := mail.New(mail.Config{URL: s.mails.url, From: s.config.MailFrom, PlatformName: "Billhost", Key: key, Connections: 2, Log: s.log, Now: now})
	if err != nil {
		return nil, fmt.Errorf("open staff mail: %w", err)
	}
	s.closers = append(s.closers, sender.Close)
	return &staffMail{books: s.books.Store, mail: sender, base: s.config.BaseURL}, nil
}

// do does a store.AskJob.
func (m *staffMail) do(ctx context.Context, j jobs.Job) error {
	var ref store.AskRef
	if err := j.Decode(&ref); err != nil {
		return jobs.Permanent(err)
	}
	ask, found, err := m.books.Ask(ctx, ref.ID)
	if err != nil || !found {
		return err
	}
	if err := m.answer(ctx, ask); err != nil {
		return err
	}
	return m.books.Asked(ctx, ask.ID)
}

func (m *staffMail) answer(ctx context.Context, ask books.Ask) error {
	if ask.Tells() {
		return m.tell(ctx, ask)
	}
	if ask.Kind != books.AskLink {
		if err := m.books.RecordRefused(ctx, ask); err != nil || ask.Kind == books.AskRefused {
			return err
		}
	}
	people, err := m.books.StaffOf(ctx, ask.EmailNorm)
	late := ask.Kind == books.AskLink && now().Sub(ask.At) >= books.StaffLinkLife // nobody waits for a link any more
	if err != nil || len(people) == 0 || late {
		return err
	}
	letter := addon.Mail{MessageID: m.mail.MessageID(store.Platform, "billhost", ask.ID), Sender: people[0].BillerID, To: people[0].Email}
	if ask.Kind == books.AskBlocked {
		letter.Subject, letter.Text = "Wrong passwords for your account", m.blocked(people[0], ask)
	} else if letter.Subject, letter.Text, err = m.links(ctx, people, ask); err != nil {
		return err
	}
	return m.send(ctx, letter)
}

func (m *staffMail) send(ctx context.Context, letter addon.Mail) error {
	_, err := m.mail.Send(ctx, letter)
	if err != nil && !apperr.Is(err, apperr.Unavailable) {
		return jobs.Permanent(err)
	}
	return err
}

// links makes a one-time link for each business the person works for.
func (m *staffMail) links(ctx context.Context, people []books.Candidate, ask books.Ask) (subject, text string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Hello %s,\n\nsomebody, most likely you, asked for a link to sign in to Billhost. It works once, within 15 minutes.\n", people[0].Name)
	for _, p := range people {
		token, err := m.books.NewStaffLink(ctx, p.BillerID, p.ID)
		if apperr.Is(err, apperr.NotFound) {
			continue // disabled meanwhile
		}
		if err != nil {
			return "", "", err
		}
		link := m.base + "/sign-in/" + token
		if ask.Next != "" {
			link += "?next=" + url.QueryEscape(ask.Next)
		}
		fmt.Fprintf(&b, "\n%s:\n%s\n", p.BillerName, link)
	}
	b.WriteString("\nDid you not ask for it? Then there is nothing to do: nobody can sign in without this mail.\n")
	return "Your sign-in link", b.String(), nil
}

func (m *staffMail) blocked(p books.Candidate, ask books.Ask) string {
	return fmt.Sprintf("Hello %s,\n\nsomebody entered a wrong password for your Billhost account several times, the last time on %s%s. "+
		"Nobody got in. To slow them down, each further try has to wait.\n\nWas it you? A one-time link still works:\n%s/sign-in/forgot\n\n"+
		"This wasn't you? Your password has held. If it is short or used elsewhere too, choose another under your name in Billhost.\n",
		p.Name, moment(ask), from(ask), m.base)
}
