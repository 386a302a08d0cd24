package portal

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// StaffKind is what a mail to the biller's staff is about.
type StaffKind string

// Kinds of mails to staff.
const (
	// StaffAccess is a request for access, which waits for them.
	StaffAccess StaffKind = "access"
	// StaffSignUp is "I didn't do this" about a sign-up with an invitation, StaffOpen
	// about one from the portal link, StaffSignedUp about either that was finished.
	StaffSignUp   StaffKind = "signup"
	StaffOpen     StaffKind = "open"
	StaffSignedUp StaffKind = "signedup"
	// StaffAccount is "This wasn't me" about the sign-in of somebody registered,
	// StaffShut about one to which nobody got a link: staff decide.
	StaffAccount StaffKind = "account"
	StaffShut    StaffKind = "shut"
	// StaffAddress is of the owner of an address that a sign-in was changed to.
	StaffAddress StaffKind = "address"
)

// StaffKinds lists every kind.
func StaffKinds() []StaffKind {
	return []StaffKind{StaffAccess, StaffSignUp, StaffOpen, StaffSignedUp, StaffAccount, StaffShut, StaffAddress}
}

const (
	// StaffEvery is the least time between two mails of a kind to a biller's staff.
	StaffEvery = time.Hour
	// StaffNames is how many customers such a mail names.
	StaffNames = 5
)

// JobStaff is the kind of the jobs that tell staff; their payload is a StaffRef as
// JSON. The store adds them in the transaction that does what staff are told of.
const JobStaff = "staff"

// StaffRef names one mail to staff: it tells of what happened in the StaffEvery
// up to its time.
type StaffRef struct {
	Kind StaffKind `json:"kind"`
	At   time.Time `json:"at"`
}

// Key is the idempotency key of the mail.
func (r StaffRef) Key() string { return fmt.Sprintf("staff/%s/%d", r.Kind, r.At.UnixMicro()) }

// StaffKind tells which mail staff get about the activity; empty for none.
func (a Activity) StaffKind() StaffKind {
	if a.Action == ActionAccessAsked {
		return StaffAccess
	}
	if a.Action != ActionDisowned {
		return ""
	}
	did := Undo(a.Detail["did"])
	switch what := Action(a.Detail["action"]); {
	case did == UndoNothing:
		return ""
	case did == UndoUsed:
		return StaffAddress
	case did == UndoShut:
		return StaffShut
	case what == ActionSignUpStarted, what == ActionSignUpAsked:
		return staffOfSignUp(what, did)
	case what == ActionResetAsked, slices.Contains(noticed(), what):
		return StaffAccount
	}
	return ""
}

func staffOfSignUp(what Action, did Undo) StaffKind {
	switch {
	case did.Shuts():
		return StaffSignedUp
	case what == ActionSignUpAsked:
		return StaffOpen
	}
	return StaffSignUp
}

// PlanStaff returns when the mail goes out that tells of what happens at the time
// at; planned is that of the newest mail, zero for none. The first goes at once,
// what follows waits for the next hour, together: each thing is told once.
func PlanStaff(planned, at time.Time) time.Time {
	switch {
	case !at.Before(planned.Add(StaffEvery)):
		return at
	case at.After(planned):
		return planned.Add(StaffEvery)
	}
	return planned
}

// StaffNotice is what a mail to staff tells.
type StaffNotice struct {
	Ref StaffRef
	// Count is how often it happened.
	Count int
	// Customers are those it is about, at most StaffNames; More is how many others.
	Customers []Customer
	More      int
}

// StaffStore finds what staff are told.
type StaffStore interface {
	// StaffNotice collects what the mail tells. A Count of zero means that nothing
	// is left to tell.
	StaffNotice(ctx context.Context, biller string, ref StaffRef) (StaffNotice, error)
}

// StaffNotice makes the mail of a JobStaff. ErrStaleMail if nothing is left to
// tell: the requests for access were decided meanwhile.
func (s *Service) StaffNotice(ctx context.Context, c Caller, ref StaffRef) (StaffNotice, error) {
	n, err := s.Store.StaffNotice(ctx, c.BillerID, ref)
	if err != nil {
		return StaffNotice{}, err
	}
	if n.Count == 0 {
		return StaffNotice{}, ErrStaleMail
	}
	return n, nil
}
