package sdk

import (
	"context"
	"net/netip"
	"time"
)

// Capability names, as in manifest.yaml.
const (
	CapabilityInvite = "invite"
	CapabilitySignUp = "signup"
	CapabilityReport = "report"
	CapabilityPages  = "pages"
	CapabilityEvents = "events"
)

// Inviter invites customers. Staff with the ability staff:invite may call it.
type Inviter interface {
	// Send invites the customer, or invites again: every Send after the first
	// is a resend and kills earlier links. Errors: NotFound, Conflict
	// (registered already), Invalid (no or bad email; archived),
	// TooManyRequests (60 s apart, 5 a day).
	Send(ctx context.Context, customerID string) (Invitation, error)
	// Resend is Send that answers NotFound if the customer was never invited.
	Resend(ctx context.Context, customerID string) (Invitation, error)
	// Status tells how far the customer has come.
	Status(ctx context.Context, customerID string) (InvitationStatus, error)
	// Link mints one more token for the open invitation and returns its URL, for
	// staff to pass on by hand. NotFound if none is open. Audited.
	Link(ctx context.Context, customerID string) (string, error)
}

// Invitation is one invitation to one address.
type Invitation struct {
	ID, CustomerID, Email string
	// Status is one of the status words of the portal ("Sent").
	Status     string
	Generation int
	ExpiresAt  time.Time
}

// InvitationStatus is the status of a customer and how it came about.
type InvitationStatus struct {
	CustomerID string
	Status     string
	// Invitation is the newest one; zero if there was none.
	Invitation Invitation
	History    []HistoryEntry
}

// HistoryEntry is one thing that happened to a customer's invitation.
type HistoryEntry struct {
	At time.Time
	// Kind is a word such as "sent", "opened"; Detail a sentence for staff.
	Kind, Detail, By string
}

// Person is who sits at the other end of a sign-up call: the platform that
// drives SignUp without our pages says it on each call.
type Person struct {
	IP     netip.Addr
	Agent  string
	Locale string
}

// SignUp drives the five steps without pages. Calls need no staff.
//
// Begin returns a secret handle that stands for "the same browser": keep it as
// you would a session cookie. Every error a page would show comes as a coded
// error with the same text.
type SignUp interface {
	// Begin opens an invitation's link: its token. NotFound for garbage and for
	// another biller's token, with the same text.
	Begin(ctx context.Context, token string, p Person) (SignUpState, error)
	// Register is step 2. The email must be the invited one.
	Register(ctx context.Context, handle, email, password string, p Person) (SignUpState, error)
	// Profiles lists what Choose may choose.
	Profiles(ctx context.Context, handle string, p Person) ([]Profile, error)
	// Choose is step 3; ids of Profiles. The confirmation mail follows.
	Choose(ctx context.Context, handle string, customerIDs []string, p Person) (SignUpState, error)
	// Resend sends the confirmation again: 60 s apart, 5 an hour.
	Resend(ctx context.Context, handle string, p Person) error
	// Confirm is step 4, with the six-digit code of the mail. Five wrong tries
	// kill the code (Conflict).
	Confirm(ctx context.Context, handle, code string, p Person) (SignUpState, error)
	// Accept is step 5 and signs the person in. version must be the agreement
	// version that SignUpState named.
	Accept(ctx context.Context, handle, version string, p Person) (SignedIn, error)
}

// Step names of a sign-up.
const (
	StepRegister = "register"
	StepProfile  = "profile"
	StepConfirm  = "confirm"
	StepAccept   = "accept"
	StepDone     = "done"
)

// SignUpState tells where a sign-up stands.
type SignUpState struct {
	// Handle is set by Begin and may change with Register; keep the newest.
	Handle string
	Step   string
	// CustomerName greets; MaskedEmail hints ("j•••@acme.com").
	CustomerName, MaskedEmail string
	ExpiresAt                 time.Time
	// Agreement is set at StepAccept.
	Agreement Agreement
}

// Profile is a customer profile a person may choose.
type Profile struct {
	CustomerID, Name, Number, Address string
}

// Agreement is a version of the Customer Portal User Agreement.
type Agreement struct {
	Version     string
	EffectiveOn time.Time
	// Text is plain text, TextHash its SHA-256 in hex.
	Text, TextHash string
}

// SignedIn is the end of a sign-up.
type SignedIn struct {
	PortalUserID string
	// Session is the value of the portal's session cookie.
	Session   string
	ExpiresAt time.Time
}

// Reporter reports on registrations. Staff with staff:report may call it.
type Reporter interface {
	// Registrations calls send for each row in order and stops at its first
	// error, which it returns.
	Registrations(ctx context.Context, q RegistrationQuery, send func(Registration) error) error
}

// RegistrationQuery filters and sorts.
type RegistrationQuery struct {
	// Search matches word prefixes of name, display name and email.
	Search string
	// Status is a status word, empty for all.
	Status string
	// Sort is "name", "display_name", "email", "status", "invited",
	// "registered" or "email_confirmed"; empty means "name".
	Sort       string
	Descending bool
	// Limit of 0 means all rows.
	Limit int
	After string
}

// Registration is one customer's row. Times are zero where nothing happened.
type Registration struct {
	CustomerID, Number, Name, DisplayName, Email string
	Status                                       string
	InvitedAt, RegisteredAt                      time.Time
	EmailConfirmed                               bool
	// SignInEmails differ from Email when the biller changed it later.
	SignInEmails []string
	// Cursor continues after this row (RegistrationQuery.After).
	Cursor string
}

// EventHandler learns of changes in the biller's books.
type EventHandler interface {
	// Handle returns nil when the event is kept; an error brings it again.
	// Events of one customer come in the order of Version, possibly repeated.
	Handle(ctx context.Context, e Event) error
}

// Event kinds.
const (
	CustomerCreated  = "customer.created"
	CustomerUpdated  = "customer.updated"
	CustomerArchived = "customer.archived"
)

// Event says that a customer changed; Customer is the record after the change.
type Event struct {
	ID       string
	Kind     string
	At       time.Time
	Customer Customer
}
