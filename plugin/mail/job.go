package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// Mails is what the portal knows about mails; *portal.Service implements it.
type Mails interface {
	MailFor(ctx context.Context, c portal.Caller, ref portal.MailRef) (portal.Mail, error)
	MailSent(ctx context.Context, c portal.Caller, ref portal.MailRef) error
	MailFailed(ctx context.Context, c portal.Caller, ref portal.MailRef, reason string) error
}

var _ Mails = (*portal.Service)(nil)

// Sender does the jobs of portal.JobMail.
type Sender struct {
	Mails    Mails
	Host     sdk.Host
	Renderer *Renderer
	Now      func() time.Time
}

// Send makes the mail of a job and hands it to the host, under a key that makes
// a second sending the same mail. A mail that nobody needs any more is done; one
// that is refused for good is dead; anything else is tried again.
func (s *Sender) Send(ctx context.Context, j jobs.Job) error {
	var ref portal.MailRef
	if err := j.Decode(&ref); err != nil {
		return jobs.Permanent(err)
	}
	ctx, err := caller.ForJob(ctx, s.Host, j, s.Now())
	if err != nil {
		return err
	}
	c := caller.Of(sdk.CallFrom(ctx), "")
	m, err := s.Mails.MailFor(ctx, c, ref)
	if errors.Is(err, portal.ErrStaleMail) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make mail: %w", err)
	}
	if err := s.send(ctx, m); err != nil {
		return err
	}
	return s.Mails.MailSent(ctx, c, ref)
}

// errQuiet is why a reminder waits.
var errQuiet = errors.New("it is a time at which the biller sends no reminders")

func (s *Sender) send(ctx context.Context, m portal.Mail) error {
	biller, err := s.Host.Billers.Biller(ctx)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	if until := m.Quiet.QuietUntil(s.Now().In(catalogue.Zone(biller))); !until.IsZero() {
		return jobs.RetryAt(errQuiet, until)
	}
	message, err := s.Renderer.Render(biller, letterOf(m, sdk.CallFrom(ctx).PortalURL))
	if err != nil {
		return jobs.Permanent(err)
	}
	message.Key = m.Ref.Key()
	_, err = s.Host.Mail.Send(ctx, message)
	switch apperr.CodeOf(err) {
	case "":
		return nil
	case apperr.TooManyRequests:
		return jobs.RetryAt(err, s.Now().Add(max(apperr.RetryAfterOf(err), time.Minute)))
	case apperr.Invalid, apperr.PermissionDenied, apperr.Conflict:
		return jobs.Permanent(err)
	}
	return fmt.Errorf("send mail: %w", err)
}

// letterOf says what the mail is about. Somebody with a sign-in is asked to sign
// in and add the customer, whatever the button says for others.
func letterOf(m portal.Mail, portalURL string) Letter {
	l := Letter{
		Kind: KindInvitation, To: m.To, CustomerID: m.CustomerID, CustomerName: m.CustomerName,
		URL: m.Link, Code: m.Code, Button: m.ButtonText, ExpiresAt: m.ExpiresAt, Permit: m.Permit,
	}
	switch {
	case m.Ref.Kind == portal.MailReminder:
		l.Kind, l.Started = KindReminder, m.Started
		if m.Asked {
			l.CustomerName = m.Name
		}
		if m.HasAccount {
			l.Kind, l.Button, l.URL, l.CustomerName = KindAddReminder, "", portalURL+"/sign-in", m.CustomerName
		}
	case m.Ref.Kind == portal.MailAccess:
		l.Kind, l.Button, l.URL = KindDeclined, "", portalURL+"/"
	case m.Ref.Kind == portal.MailReset && m.Ended:
		l.Kind, l.Button = KindEnded, ""
	case m.Ref.Kind == portal.MailReset:
		l.Kind, l.Button, l.NotMe = KindReset, "", m.NotMe
	case m.Ref.Kind == portal.MailAddress:
		l.Kind, l.Button, l.NotMe = KindAddress, "", m.NotMe
	case m.Ref.Kind == portal.MailNotice:
		l.Kind, l.Button, l.Action, l.At = KindNotice, "", string(m.Activity.Action), m.Activity.At
		l.Agent, l.IP = m.Activity.Agent, m.Activity.IP
	case m.Ref.Kind == portal.MailConfirmation:
		l.Kind, l.Button, l.NotMe = KindConfirmation, "", m.NotMe
	case m.Ref.Kind == portal.MailProof:
		l.Kind, l.Button, l.NotMe = openKind(m), "", m.NotMe
	case m.HasAccount:
		l.Kind, l.Button, l.URL = KindAdd, "", portalURL+"/sign-in"
	case m.Asked:
		l.Kind, l.CustomerName = KindApproved, m.Name
	}
	return l
}

// openKind says what somebody is told who signs up without an invitation.
func openKind(m portal.Mail) string {
	switch {
	case m.HasAccount:
		return KindKnown
	case m.Unknown:
		return KindUnknown
	}
	return KindOpen
}

// Failed keeps why a mail was given up (jobs.Config.OnDead).
func (s *Sender) Failed(ctx context.Context, j jobs.Job, cause error) error {
	if j.Kind != portal.JobMail {
		return nil
	}
	var ref portal.MailRef
	if err := j.Decode(&ref); err != nil {
		return nil // a job that names no mail has nobody to tell
	}
	reason := apperr.MessageOf(cause)
	return s.Mails.MailFailed(ctx, portal.Caller{BillerID: j.Biller}, ref, reason)
}
