package services

import (
	"context"
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	// mostNotified is how many people get one notice.
	mostNotified = 20
	// noticeMark parts a notice's key from its recipient. No key of an add-on may
	// hold it, so notices and mails never take each other's.
	noticeMark = "\x1f"
)

type staff struct{ bound }

var _ sdk.Staff = staff{}

// Notify implements sdk.Staff. Whom the mail server refuses for good, now or at
// an earlier try, is left out: a dead address of one must not keep the others
// from their mail.
func (s staff) Notify(ctx context.Context, n sdk.StaffNotice) (told int, err error) {
	if err := s.allow(ctx, notifyStaff); err != nil {
		return 0, err
	}
	if err := n.Check(); err != nil {
		return 0, err
	}
	biller, err := s.biller(ctx)
	if err != nil {
		return 0, err
	}
	people, err := s.cfg.Platform.StaffWith(ctx, s.grant.BillerID, n.Ability)
	if err != nil {
		return 0, err
	}
	var later error
	for _, p := range people[:min(len(people), mostNotified)] {
		if ctx.Err() != nil {
			return told, apperr.Wrap(apperr.Unavailable, "Not everybody was told: the caller gave up.", ctx.Err())
		}
		switch err := s.tell(ctx, biller, n, p); {
		case err == nil:
			told++
		case apperr.Is(err, apperr.Invalid):
			s.cfg.Log.WarnContext(ctx, "staff not notified", "biller", s.grant.BillerID, "addon", s.grant.AddonID,
				"staff", p.ID, "error", err.Error())
		default:
			later = err
		}
	}
	return told, later
}

// tell mails one person, once for the key.
func (s staff) tell(ctx context.Context, b sdk.Biller, n sdk.StaffNotice, p addon.Staff) error {
	to, err := deliverable(p.Email)
	if err != nil {
		return err
	}
	m := mails(s)
	hash := m.hash(to)
	entry := addon.MailEntry{Key: n.Key + noticeMark + hash, Kind: "staff." + n.Kind, ToHash: hash}
	_, err = m.deliver(ctx, entry, func(messageID string) addon.Mail {
		mail := s.compose(b, n, p)
		mail.MessageID, mail.To = messageID, to
		return mail
	})
	return err
}

// compose writes the mail: from the platform, with one link, which is the host's.
func (s staff) compose(b sdk.Biller, n sdk.StaffNotice, p addon.Staff) addon.Mail {
	link, name := s.cfg.StaffURL(s.grant.AddonID)
	if n.Path == "" {
		link += "/"
	}
	hello := "Hello,"
	if who := oneLine(p.Name); who != "" {
		hello = "Hello " + who + ","
	}
	footer := []string{fmt.Sprintf("From the add-on %s, to those who look after it at %s.", name, oneLine(b.Name))}
	if s.cfg.PlatformName != "" {
		footer = append(footer, "Sent by "+s.cfg.PlatformName+".")
	}
	return addon.Mail{
		Subject: n.Subject,
		Text:    hello + "\n\n" + strings.TrimSpace(n.Text) + "\n\n" + link + n.Path + "\n",
		Footer:  footer,
	}
}
