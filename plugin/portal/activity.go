package portal

import (
	"context"
	"slices"
	"time"
)

// Action is what happened, as the platform's audit log names it.
type Action string

// Actions. Those in noticed also tell the person by mail.
const (
	ActionInvited Action = "invitation.sent"
	ActionLinked  Action = "invitation.linked"
	// ActionSignUpStarted is an email and a password typed with an invitation's link;
	// its ID is the sign-up's. ActionSignUpAsked begins a sign-up without one; its ID
	// is the proof's. ActionSignedUp is the sign-in made of that.
	ActionSignUpStarted Action = "signup.started"
	ActionSignUpAsked   Action = "signup.asked"
	ActionSignedUp      Action = "signup.self"
	// ActionInvitationRevoked is of staff.
	// ActionSignUpConfirmed is the first of a new portal user.
	ActionSignUpConfirmed Action = "signup.confirmed"
	// ActionSignedOut is of the person; ActionSessionEnded ends other sessions.
	ActionSignedOut         Action = "session.signed_out"
	ActionInvitationRevoked Action = "invitation.revoked"
	ActionSessionStarted    Action = "session.started"
	ActionAgreementAccepted Action = "agreement.accepted"
	ActionAgreementDeclined Action = "agreement.declined"
	// ActionAgreementPublished and ActionAgreementWithdrawn are of staff, about a
	// version, the Object.
	ActionAgreementPublished Action = "agreement.published"
	ActionAgreementWithdrawn Action = "agreement.withdrawn"
	ActionResetAsked         Action = "password.reset_asked"
	// ActionPasswordEnded follows ActionDisowned: the password has ended, and a link
	// to a new one was mailed.
	ActionPasswordEnded   Action = "password.ended"
	ActionPasswordReset   Action = "password.reset"
	ActionPasswordChanged Action = "password.changed"
	// ActionNewDevice takes the place of ActionSessionStarted in a browser that is
	// new while others are known.
	ActionNewDevice Action = "session.new_device"
	// ActionSignInRefused is a wrong try, ActionSignInBlocked that the next one has to
	// wait: of nobody's address, too.
	ActionSignInRefused  Action = "session.refused"
	ActionSignInBlocked  Action = "session.blocked"
	ActionSessionEnded   Action = "session.ended"
	ActionAddressAsked   Action = "address.change_asked"
	ActionAddressChanged Action = "address.changed"
	// ActionAccessAsked is a request for access, ActionAccessApproved and
	// ActionAccessDeclined what staff decided; the Object is the request.
	ActionAccessAsked    Action = "access.asked"
	ActionAccessApproved Action = "access.approved"
	ActionAccessDeclined Action = "access.declined"
	// ActionAccessRevoked ends the invitation of an approved request, the Object.
	ActionAccessRevoked Action = "access.revoked"
	// ActionAccessAdded is a person's "Add" of what an invitation, the Object, offers.
	ActionAccessAdded Action = "access.added"
	// ActionAccessRemoved takes a person's access to a customer away,
	// ActionAccessReplaced does so because another address is invited instead.
	ActionAccessRemoved  Action = "access.removed"
	ActionAccessReplaced Action = "access.replaced"
	// ActionRightChanged changes what a person may do for a customer.
	ActionRightChanged Action = "access.right_changed"
	// ActionAddressKept keeps a sign-in whose address is not the customer's.
	ActionAddressKept  Action = "address.kept"
	ActionUserDisabled Action = "user.disabled"
	ActionUserEnabled  Action = "user.enabled"
	// ActionUserErased is about a pseudonym.
	ActionUserErased Action = "user.erased"
	// ActionReportExported is of staff, about a file of the report, the Object.
	ActionReportExported Action = "report.exported"
	// ActionDisowned is "This wasn't me" about another activity, its Object.
	ActionDisowned Action = "activity.disowned"
)

// noticed are the actions that the person is told of, because somebody else
// may have done them.
func noticed() []Action {
	return append([]Action{ActionPasswordReset, ActionPasswordChanged, ActionNewDevice, ActionAddressChanged, ActionSignInBlocked}, byStaff()...)
}

// byStaff are those of noticed that staff do, or that leave nothing to undo: the
// mail names whom to ask, and has no "this wasn't me".
func byStaff() []Action {
	return []Action{ActionUserDisabled, ActionUserEnabled, ActionAccessRemoved, ActionAccessReplaced, ActionUserErased}
}

// Disownable tells whether the notice has a link that says "this wasn't me".
func (a Action) Disownable() bool { return a.Notice() && !slices.Contains(byStaff(), a) }

// Notice tells whether the person gets a mail about it, with a link that says
// "this wasn't me".
func (a Action) Notice() bool { return slices.Contains(noticed(), a) }

// DisownLife is how long "This wasn't me" of a notice works.
const DisownLife = 72 * time.Hour

// Activity is one thing that matters to the safety of somebody's data: who did
// what, when, from where. It is kept in the transaction that does it.
type Activity struct {
	// ID is the key under which the audit log keeps it once.
	ID     string
	Action Action
	// UserID is the portal user it is about, CustomerID the customer, Object what
	// else it happened to; each may be empty.
	UserID, CustomerID, Object string
	// By is the staff user who did it; zero if a customer did.
	By        Actor
	IP, Agent string
	// Detail holds ids and plain words for the audit log, never a secret.
	Detail map[string]string
	// NoticeTo is the address that is told; set by the store from the user's if
	// Action.Notice and it is empty.
	NoticeTo string
	At       time.Time
}

// JobAudit is the kind of the jobs that write an activity into the platform's
// audit log; the payload is its id.
const JobAudit = "audit"

// AuditRef is the payload of JobAudit.
type AuditRef struct {
	ID string `json:"id"`
}

// ActivityStore reads what happened. Each method of the store that changes a
// sign-in takes the Activity and keeps it in its own transaction, together with
// its JobAudit and, if Action.Notice, the mail.
type ActivityStore interface {
	// Activity returns NotFound for an unknown id.
	Activity(ctx context.Context, biller, id string) (Activity, error)
	// RecentActivity returns a person's activities, newest first.
	RecentActivity(ctx context.Context, biller, userID string, limit int) ([]Activity, error)
}

// Trail writes an activity into the platform's audit log. Writing one again does
// nothing.
type Trail interface {
	Write(ctx context.Context, c Caller, a Activity) error
}

// activity describes what the caller does now, for the store to keep.
func (s *Service) activity(c Caller, action Action, userID string) Activity {
	return Activity{
		ID: s.IDs(), Action: action, UserID: userID, By: c.Actor,
		IP: c.ip(), Agent: text(c.Agent, 256), At: s.Now(),
	}
}

// did writes into the audit log what a committed transaction has kept, while the
// platform still knows for itself who asks. A job repeats what fails here.
func (s *Service) did(ctx context.Context, c Caller, a Activity) {
	if s.Trail != nil {
		_ = s.Trail.Write(ctx, c, a) // JobAudit writes it again
	}
}

// Audit does a JobAudit.
func (s *Service) Audit(ctx context.Context, c Caller, id string) error {
	a, err := s.Store.Activity(ctx, c.BillerID, id)
	if err != nil {
		return err
	}
	return s.Trail.Write(ctx, c, a)
}

// RecentActivity returns what happened to the sign-in of the session, newest
// first.
func (s *Service) RecentActivity(ctx context.Context, c Caller, view SessionView, limit int) ([]Activity, error) {
	return s.Store.RecentActivity(ctx, c.BillerID, view.UserID, limit)
}
