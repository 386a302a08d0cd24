package portal

import (
	"context"
	"time"
)

// Service is every use-case of the portal. Its fields are set once, before use;
// it is safe for concurrent use if they are.
type Service struct {
	Store Store
	// Books is asked for a customer that the projection has not heard of yet.
	Books     Books
	Passwords Passwords
	Keys      Keys
	// Settings returns what the biller whose call ctx belongs to has set; nil for
	// DefaultSettings.
	Settings func(ctx context.Context) Settings
	// Trail is the platform's audit log; nil in tests that do not look at it.
	Trail Trail
	// Permits is asked before an address that is no customer's is written to; nil
	// where every mail may go out.
	Permits Permits
	// NormalizeEmail returns the form in which addresses are compared: trimmed,
	// lower-cased, the domain in punycode, tags and dots kept. Invalid for what
	// is no address, trimmed, of at most 254 bytes: what it agrees to is kept as it
	// was typed, trimmed and never cut, so that mails go where it says.
	NormalizeEmail func(address string) (string, error)
	// MaskEmail hints at an address for those who may not see it: "j•••@acme.com".
	MaskEmail func(address string) string
	// Now is the clock, UTC in whole microseconds.
	Now func() time.Time
	// IDs makes UUIDv7 strings.
	IDs func() string
}

// Books is the platform's own record of customers, read with the rights of the
// call that ctx belongs to.
type Books interface {
	// Customer returns one customer; NotFound if the biller has none with this id.
	Customer(ctx context.Context, id string) (Customer, error)
}

// Passwords checks and hashes passwords. Hash and Verify answer Unavailable when
// too many wait.
type Passwords interface {
	// Check returns an Invalid error on the field "password" that says what to do.
	// names are those that the person would think of, in one text.
	Check(password, email, names string) error
	Hash(ctx context.Context, password string) (string, error)
	// Verify takes as long for an empty hash, which never matches, as for a real one.
	Verify(ctx context.Context, hash, password string) (bool, error)
	// Outdated tells whether a hash is cheaper than new ones are.
	Outdated(hash string) bool
}

// Store keeps everything. Each method is one transaction, names the biller in
// every statement and answers NotFound for rows of another biller.
type Store interface {
	InvitationStore
	ReminderStore
	LinkStore
	SignUpStore
	OpenStore
	AccountStore
	AgreementStore
	GrantStore
	CustomerStore
	ReportStore
	MailStore
	BillerStore
	ExportStore
	ActivityStore
	ResetStore
	DisownStore
	SecurityStore
	TypedStore
	AddressStore
	AccessStore
	PersonStore
	StaffStore
	NameStore
}
