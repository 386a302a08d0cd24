package portal

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// MailKind says which mail it is.
type MailKind string

// Kinds of mails.
const (
	MailInvitation MailKind = "invitation"
	// MailReminder holds the invitation's link once more.
	MailReminder     MailKind = "reminder"
	MailConfirmation MailKind = "confirmation"
	// MailReset lets a person choose a new password.
	MailReset MailKind = "reset"
	// MailProof goes to whoever signs up without an invitation.
	MailProof MailKind = "proof"
	// MailAddress proves a new address with a code.
	MailAddress MailKind = "address"
	// MailAccess tells a person that a request for access was declined.
	MailAccess MailKind = "access"
	// MailNotice tells a person what happened to their sign-in.
	MailNotice MailKind = "notice"
)

// JobMail is the kind of the jobs that send mails; their payload is a MailRef as
// JSON. The store adds them in the transaction that makes them necessary.
const JobMail = "mail"

// MailRef names one mail: jobs hold nothing else, no address and no secret.
type MailRef struct {
	Kind MailKind `json:"kind"`
	// ID is the invitation's, the sign-up's the activity's or the reset's.
	ID string `json:"id"`
	// Generation is set for invitations and reminders, Seq for confirmations and, as
	// the number of the reminder, for these.
	Generation int `json:"generation,omitempty"`
	Seq        int `json:"seq,omitempty"`
	// User is whose new address it is, with MailAddress.
	User string `json:"user,omitempty"`
}

// Key is the idempotency key of the mail.
func (r MailRef) Key() string {
	return fmt.Sprintf("%s/%s/%d/%d", r.Kind, r.ID, r.Generation, r.Seq)
}

// Mail is what a mail says. Its links and code are the same each time it is made.
type Mail struct {
	Ref          MailRef
	To           string
	CustomerID   string
	CustomerName string
	// Asked means that the person asked for access, and staff agreed; Name is what
	// they called themselves, which may be empty.
	Asked bool
	Name  string
	// Started means of MailReminder that a sign-up is under way; Quiet is when the
	// mail must wait.
	Started bool
	Quiet   Reminders
	// HasAccount means that the person signs in instead of signing up.
	HasAccount bool
	// Link is the welcome, confirmation or reset link, or that of "This wasn't me".
	Link string
	// ButtonText is the biller's wording of the welcome mail's button.
	ButtonText string
	// ExpiresAt is when Link dies.
	ExpiresAt time.Time
	// Code is the six digits of a confirmation, which live CodeLife.
	Code string
	// Unknown means that no customer has the address, of MailProof.
	Unknown bool
	// Ended means of MailReset that the password was ended, and nobody asked.
	Ended bool
	// NotMe is "This wasn't me", in mails whose Link is something else.
	NotMe string
	// Activity is what a notice is about.
	Activity Activity
	// Permit is the platform's leave to write to an address that is not the
	// customer's; empty where none is needed.
	Permit string
}

// ErrStaleMail (Conflict) is a mail that nobody needs any more: its job ends.
var ErrStaleMail = apperr.Errorf(apperr.Conflict, "This mail is no longer needed.")

// MailSource is the rows a mail is made of; which depends on its kind.
type MailSource struct {
	Invitation Invitation
	SignUp     SignUp
	Customer   Customer
	HasAccount bool
	// Settled means that whoever has the address needs no reminder: there is access
	// already, or staff switched the sign-in off. Started tells of a sign-up under
	// way; both are of MailReminder.
	Settled, Started bool
	Activity         Activity
	Reset            Reset
	// Proof is a sign-up without an invitation, Open what its address finds.
	Proof Proof
	Open  OpenCustomers
	// Account is whose Reset it is.
	Account Account
	// Address is a change of address; Account is whoever has the new one.
	Address AddressChange
	// Access is the request that MailAccess answers, or that Invitation does; its
	// Name is empty once the request is forgotten.
	Access AccessRequest
}

// MailStore reads what mails say and keeps what became of them.
type MailStore interface {
	// MailSource returns NotFound for rows that are gone.
	MailSource(ctx context.Context, biller string, ref MailRef, now time.Time) (MailSource, error)
	// MailSent and MailFailed move the invitation and write the history; a report
	// about an old generation only writes the history. reason is for staff.
	MailSent(ctx context.Context, biller string, ref MailRef, now time.Time) error
	MailFailed(ctx context.Context, biller string, ref MailRef, reason string, now time.Time) error
}

// MailFor makes the mail of a job. ErrStaleMail if it was superseded, revoked or
// used before it went out.
func (s *Service) MailFor(ctx context.Context, c Caller, ref MailRef) (Mail, error) {
	now := s.Now()
	src, err := s.Store.MailSource(ctx, c.BillerID, ref, now)
	if apperr.Is(err, apperr.NotFound) {
		return Mail{}, ErrStaleMail
	}
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Ref: ref, CustomerID: src.Customer.ID, CustomerName: src.Customer.Label(), HasAccount: src.HasAccount}
	switch ref.Kind {
	case MailInvitation:
		m.Asked, m.Name = src.Invitation.RequestID != "", src.Access.Name
		return s.invitationMail(ctx, c, m, src.Invitation, now)
	case MailReminder:
		m.Asked, m.Name = src.Invitation.RequestID != "", src.Access.Name
		return s.reminderMail(ctx, c, m, src, now)
	case MailConfirmation:
		if src.Invitation.RequestID != "" {
			m.CustomerID = "" // the platform knows of no such address of the customer
		}
		return s.confirmationMail(c, m, src.SignUp, now)
	case MailProof:
		return s.proofMail(ctx, c, m, src, now)
	case MailReset:
		return s.resetMail(c, m, src, now)
	case MailAddress:
		return s.addressMail(c, m, src, now)
	case MailAccess:
		return s.accessMail(m, src.Access)
	case MailNotice:
		if src.Activity.NoticeTo == "" {
			return Mail{}, ErrStaleMail // it is about an address that is nobody's
		}
		return s.noticeMail(c, m, src.Activity), nil
	}
	return Mail{}, ErrStaleMail
}

func (s *Service) invitationMail(ctx context.Context, c Caller, m Mail, inv Invitation, now time.Time) (Mail, error) {
	if inv.Generation != m.Ref.Generation || !inv.Live(now) {
		return Mail{}, ErrStaleMail
	}
	m.To, m.Permit = inv.Email, inv.Permit
	m.Link = s.welcomeURL(c, inv, 0)
	m.ButtonText = s.settings(ctx).ButtonText
	m.ExpiresAt = inv.ExpiresAt
	return m, nil
}

func (s *Service) confirmationMail(c Caller, m Mail, su SignUp, now time.Time) (Mail, error) {
	if su.Seq != m.Ref.Seq || su.Step != StepConfirm || !su.Live(now) {
		return Mail{}, ErrStaleMail
	}
	m.To = su.Email
	m.Link = c.PortalURL + "/confirm/" + s.Keys.Token(PurposeConfirmation, c.BillerID, su.ID, 0, su.Seq)
	m.ExpiresAt = su.ExpiresAt
	m.Code = s.Keys.Code(c.BillerID, su.ID, su.Seq)
	m.NotMe = s.disownURL(c, su.ID)
	return m, nil
}

// noticeMail goes out however late: what happened has happened.
func (s *Service) noticeMail(c Caller, m Mail, a Activity) Mail {
	m.To = a.NoticeTo
	m.Activity = a
	if !a.Action.Disownable() {
		m.Link = c.PortalURL + "/"
		return m
	}
	m.Link = s.disownURL(c, a.ID)
	m.ExpiresAt = a.At.Add(DisownLife)
	return m
}

// MailSent reports that the mail server accepted a mail. It may be repeated.
func (s *Service) MailSent(ctx context.Context, c Caller, ref MailRef) error {
	return s.Store.MailSent(ctx, c.BillerID, ref, s.Now())
}

// MailFailed reports that a mail was refused for good, or that the last attempt
// failed. reason is a short plain sentence for staff, without secrets.
func (s *Service) MailFailed(ctx context.Context, c Caller, ref MailRef, reason string) error {
	return s.Store.MailFailed(ctx, c.BillerID, ref, text(reason, 300), s.Now())
}
