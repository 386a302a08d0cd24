package portal

import "context"

// NoteStore keeps an activity that no other method keeps with what it did: signing
// out, which is over by then, and what changes nothing.
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
