package portal

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Customer is our projection of a record in the biller's books.
type Customer struct {
	ID string
	// Number is the account number people know; may be empty.
	Number string
	// Name is who is billed, DisplayName what lists show.
	Name, DisplayName, Company string
	// Email as the biller typed it; EmailNorm is empty if it is missing or no address.
	Email, EmailNorm string
	Phone            string
	// Address is one line.
	Address  string
	ParentID string
	Archived bool
	Type     string
	// BalanceMinor is the open balance in minor units of Currency.
	BalanceMinor int64
	Currency     string
	// Version grows with each change; older ones are ignored.
	Version int64
}

// Label is what people are shown: the display name, or the name.
func (c Customer) Label() string {
	if c.DisplayName != "" {
		return c.DisplayName
	}
	return c.Name
}

// CustomerView is everything staff see of one customer.
type CustomerView struct {
	Customer Customer
	Status   Status
	// HasAccess tells that the customer's own address signs in and has access.
	HasAccess bool
	// Invitation is the newest one to the customer's address; nil if there was none.
	Invitation *Invitation
	// Invited are the invitations that answered requests for access and are not
	// accepted or revoked, oldest first.
	Invited []Invitation
	// NextSendAt is when the next invitation may go out; zero means now.
	NextSendAt time.Time
	// RemindAt is when the person is reminded of Invitation next; zero for not at all.
	RemindAt time.Time
	// History is newest first, at most 100 entries.
	History []HistoryEntry
	// People are the portal users with access, by email.
	People []Person
}

// HistoryEntry is one thing that happened on a customer's way into the portal.
type HistoryEntry struct {
	At   time.Time
	Kind HistoryKind
	// Detail is a short plain sentence for staff; By the staff user's name, if one acted.
	Detail, By string
}

// HistoryKind is a word for what happened.
type HistoryKind string

// Kinds of history entries.
const (
	HistoryQueued    HistoryKind = "queued"
	HistorySent      HistoryKind = "sent"
	HistoryReminded  HistoryKind = "reminded"
	HistoryFailed    HistoryKind = "failed"
	HistoryOpened    HistoryKind = "opened"
	HistoryStarted   HistoryKind = "started"
	HistoryRestarted HistoryKind = "restarted"
	HistoryChosen    HistoryKind = "chosen"
	HistoryResent    HistoryKind = "resent"
	HistoryConfirmed HistoryKind = "confirmed"
	HistoryAccepted  HistoryKind = "accepted"
	HistoryDeclined  HistoryKind = "declined"
	HistoryAdded     HistoryKind = "added"
	HistoryExpired   HistoryKind = "expired"
	HistoryRevoked   HistoryKind = "revoked"
	HistorySelf      HistoryKind = "self"
	HistoryDisowned  HistoryKind = "disowned"
	HistoryLink      HistoryKind = "link"
	HistoryEmail     HistoryKind = "email"
	HistoryAddress   HistoryKind = "address"
	HistoryAsked     HistoryKind = "access_asked"
	HistoryApproved  HistoryKind = "access_approved"
	HistoryRefused   HistoryKind = "access_declined"
	HistoryRight     HistoryKind = "right"
	HistoryKept      HistoryKind = "kept"
	HistoryDisabled  HistoryKind = "disabled"
	HistoryEnabled   HistoryKind = "enabled"
	HistoryRemoved   HistoryKind = "removed"
	HistoryErased    HistoryKind = "erased"
)

// Person is a portal user with access to a customer.
type Person struct {
	UserID, Email string
	State         UserState
	Grant         GrantState
	Right         Right
	Since         time.Time
	// Differs tells that Email is not the customer's own and nobody has decided to
	// keep it so.
	Differs bool
}

// CustomerStore keeps the projection.
type CustomerStore interface {
	// ApplyCustomers inserts or updates the customers whose version is newer than
	// the kept one. Archiving one, or changing its address, revokes its open
	// invitation. At most 1,000 at a time. It does nothing for a biller that is not
	// known or was purged: JobSync brings all at enable.
	ApplyCustomers(ctx context.Context, biller string, customers []Customer, now time.Time) error
	// CustomerView returns NotFound for an unknown customer.
	CustomerView(ctx context.Context, biller, customerID string, now time.Time) (CustomerView, error)
	// RefreshDue brings the statuses up to date that changed because time passed;
	// it reports how many, at most limit.
	RefreshDue(ctx context.Context, biller string, now time.Time, limit int) (int, error)
	// Sweep forgets what has no use any more: sessions and throttles that are over,
	// passwords and codes of sign-ups that died, links dead for a year. It reports
	// how many rows, at most limit of each kind.
	Sweep(ctx context.Context, biller string, now time.Time, limit int) (int, error)
}

// ApplyCustomers keeps what an event or a sync said about customers, at most
// 1,000 of them. Older versions than the kept ones are ignored. EmailNorm is
// filled in here.
func (s *Service) ApplyCustomers(ctx context.Context, c Caller, customers []Customer) error {
	clean := make([]Customer, len(customers))
	for i, cu := range customers {
		cu = cu.clean()
		if norm, err := s.NormalizeEmail(cu.Email); err == nil {
			cu.EmailNorm = norm
		}
		clean[i] = cu
	}
	return s.Store.ApplyCustomers(ctx, c.BillerID, clean, s.Now())
}

// clean makes the texts of a record fit to keep.
func (c Customer) clean() Customer {
	for _, field := range []*string{
		&c.ID, &c.Number, &c.Name, &c.DisplayName, &c.Company, &c.Email,
		&c.Phone, &c.Address, &c.ParentID, &c.Type, &c.Currency,
	} {
		*field = strings.TrimSpace(text(*field, 1000))
	}
	c.EmailNorm = ""
	return c
}

// Customer shows a customer to staff who may invite.
func (s *Service) Customer(ctx context.Context, c Caller, customerID string) (CustomerView, error) {
	if err := c.need(AbilityInvite); err != nil {
		return CustomerView{}, err
	}
	if !Knowable(customerID) {
		return CustomerView{}, ErrNoCustomer
	}
	now := s.Now()
	view, err := s.Store.CustomerView(ctx, c.BillerID, customerID, now)
	if errors.Is(err, ErrNoCustomer) {
		if err := s.learn(ctx, c, customerID); err != nil {
			return CustomerView{}, err
		}
		view, err = s.Store.CustomerView(ctx, c.BillerID, customerID, now)
	}
	if inv := view.Invitation; inv != nil && !view.HasAccess {
		view.RemindAt = s.settings(ctx).Reminders.Next(*inv, now)
	}
	return view, err
}

// learn takes a customer over from the books that the projection has not heard
// of: right after the portal was installed, or before the event came.
func (s *Service) learn(ctx context.Context, c Caller, customerID string) error {
	cu, err := s.Books.Customer(ctx, customerID)
	if apperr.Is(err, apperr.NotFound) {
		return ErrNoCustomer
	}
	if err != nil {
		return err
	}
	return s.ApplyCustomers(ctx, c, []Customer{cu})
}

// RefreshDue is the hourly job: it marks expired invitations and sign-ups, reminds
// of open ones, and forgets what has no use any more. It reports whether more is due.
func (s *Service) RefreshDue(ctx context.Context, c Caller) (more bool, err error) {
	more, err = s.refresh(ctx, c)
	if err != nil || more {
		return more, err
	}
	n, err := s.Store.Remind(ctx, c.BillerID, s.settings(ctx).Reminders, s.Now(), refreshBatch)
	if err != nil || n == refreshBatch {
		return n == refreshBatch, err
	}
	n, err = s.Store.Sweep(ctx, c.BillerID, s.Now(), refreshBatch)
	return n >= refreshBatch, err
}

const refreshBatch = 500

func (s *Service) refresh(ctx context.Context, c Caller) (more bool, err error) {
	n, err := s.Store.RefreshDue(ctx, c.BillerID, s.Now(), refreshBatch)
	return n == refreshBatch, err
}

// CheckInvitable returns why a customer cannot be invited: ErrArchived,
// ErrInvitedRegistered, ErrInvitedDisabled, ErrInvitedHasAccess, ErrNoEmail or
// ErrBadEmail. hasAccess is about the customer's own address: others who sign in
// for the customer keep nobody from being invited.
func CheckInvitable(c Customer, status Status, hasAccess bool) error {
	switch {
	case c.Archived:
		return ErrArchived
	case hasAccess && status == StatusRegistered:
		return ErrInvitedRegistered
	case hasAccess && status == StatusDisabled:
		return ErrInvitedDisabled
	case hasAccess:
		return ErrInvitedHasAccess
	case c.Email == "":
		return ErrNoEmail
	case c.EmailNorm == "":
		return ErrBadEmail
	}
	return nil
}

// Words are the lower-case words of a text, in order, without repeats.
func Words(text string) []string {
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	return unique(fields)
}

// Terms are what a search finds a customer by: the words of name, display name,
// email and account number, and the whole email.
func Terms(c Customer) []string {
	terms := Words(c.Name + " " + c.DisplayName + " " + c.Email + " " + c.Number)
	if email := strings.ToLower(c.Email); email != "" {
		terms = append(terms, clip(email))
	}
	return unique(terms)
}

// SearchTerms are the prefixes a search asks for, all of which must match: a
// word with @ stands for an address, anything else for its words. At most eight.
func SearchTerms(query string) []string {
	var terms []string
	for _, field := range strings.Fields(strings.ToLower(query)) {
		if strings.Contains(strings.Trim(field, "@"), "@") && field == text(field, maxTerm) {
			terms = append(terms, field)
			continue
		}
		terms = append(terms, Words(field)...)
	}
	terms = unique(terms)
	return terms[:min(len(terms), 8)]
}

const maxTerm = 100 // bytes

func clip(s string) string {
	if len(s) <= maxTerm {
		return s
	}
	return strings.ToValidUTF8(s[:maxTerm], "")
}

func unique(words []string) []string {
	seen := make(map[string]bool, len(words))
	var out []string
	for _, w := range words {
		if w = clip(w); !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}
