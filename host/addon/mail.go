package addon

import "time"

// Mail is one mail to one person, as the host hands it to its mail server.
type Mail struct {
	// MessageID has no angle brackets; it is the same at every try.
	MessageID string
	// Sender is whose mail it is, the biller's id: one sender cannot keep the way
	// to the mail server to itself. Empty means the platform's own.
	Sender string
	// FromName is who people see as the sender: the biller. Empty means the
	// platform's name.
	FromName string
	// ReplyTo is the biller's contact, a bare address; empty means none.
	ReplyTo string
	// To is one bare address.
	To      string
	Subject string
	// Text is required, HTML may be empty.
	Text, HTML string
	// Footer lines end both parts; they are plain text.
	Footer []string
}

// Receipt says that the mail server took a mail.
type Receipt struct {
	AcceptedAt time.Time
	// Response is the server's last line, "250 2.0.0 Ok: queued".
	Response string
}

// MailState is how far a mail has come.
type MailState string

// States of a mail. A reserved mail is being sent, or waits to be tried again;
// a failed one was refused for good.
const (
	MailReserved MailState = "reserved"
	MailAccepted MailState = "accepted"
	MailFailed   MailState = "failed"
)

// MailEntry is what the host keeps of a mail: never its subject or body, and of
// its address only a keyed hash.
type MailEntry struct {
	BillerID, AddonID, Key string
	Kind, CustomerID       string
	ToHash, MessageID      string
	State                  MailState
	// Response is the mail server's last word; Attempts counts the tries.
	Response string
	Attempts int
	// CreatedAt is the first try, UpdatedAt the last change. AcceptedAt is zero
	// until the server took the mail.
	CreatedAt, UpdatedAt, AcceptedAt time.Time
}

// MailCaps bounds the mails of one installation; retries do not count.
type MailCaps struct{ Hour, Day int }
