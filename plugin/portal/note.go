package portal

import "context"

// Actions that are kept right after the step: of a sign-up, whose state and
// history say the same in its transaction, and of signing out.
const (
	// ActionSignUpConfirmed is the first of a new portal user.
	ActionSignUpConfirmed Action = "signup.confirmed"
	// ActionSignedOut is of the person; ActionSessionEnded ends other sessions.
	ActionSignedOut Action = "session.signed_out"
)

// NoteStore keeps an activity that no other method keeps with what it did.
type NoteStore interface {
	// Note keeps the activity with its JobAudit.
	Note(ctx context.Context, biller string, a Activity) error
}

// note keeps what the caller just did.
func (s *Service) note(ctx context.Context, c Caller, action Action, userID, customerID, object string) error {
	a := s.activity(c, action, userID)
	a.CustomerID, a.Object = customerID, object
	if err := s.Store.Note(ctx, c.BillerID, a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}
