package portal

import "context"

// NoteStore keeps an activity of what changes nothing; what changes something keeps
// its own, in its transaction.
type NoteStore interface {
	// Note keeps the activity with its JobAudit.
	Note(ctx context.Context, biller string, a Activity) error
}
