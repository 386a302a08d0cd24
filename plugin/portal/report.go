package portal

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Status is how far a customer has come, in the words staff see.
type Status string

// Statuses of customers.
const (
	StatusNotInvited           Status = "Not invited"
	StatusNoEmail              Status = "No email"
	StatusQueued               Status = "Queued"
	StatusSent                 Status = "Sent"
	StatusDelivered            Status = "Delivered"
	StatusBounced              Status = "Bounced"
	StatusOpened               Status = "Opened"
	StatusStarted              Status = "Started"
	StatusAwaitingConfirmation Status = "Awaiting confirmation"
	StatusAwaitingAgreement    Status = "Awaiting agreement"
	StatusRegistered           Status = "Registered"
	StatusExpired              Status = "Expired"
	StatusRevoked              Status = "Revoked"
	StatusDisabled             Status = "Disabled"
)

// Statuses lists all statuses, in the order of the report's filter.
func Statuses() []Status {
	return []Status{
		StatusNotInvited, StatusNoEmail, StatusQueued, StatusSent, StatusDelivered,
		StatusBounced, StatusOpened, StatusStarted, StatusAwaitingConfirmation,
		StatusAwaitingAgreement, StatusRegistered, StatusExpired, StatusRevoked, StatusDisabled,
	}
}

// furthest orders what a customer can have reached; later wins. Failed mail
// counts as Bounced: it did not arrive.
func furthest() []Status {
	return []Status{
		StatusRevoked, StatusExpired, StatusBounced, StatusQueued, StatusSent, StatusDelivered,
		StatusOpened, StatusStarted, StatusAwaitingConfirmation, StatusAwaitingAgreement, StatusRegistered,
	}
}

// StatusInputs are the rows a customer's status follows from.
type StatusInputs struct {
	HasEmail    bool
	Invitations []InvitationInput
	SignUps     []SignUpInput
	Users       []UserInput
}

// InvitationInput is an invitation of the customer.
type InvitationInput struct {
	State     InvitationState
	ExpiresAt time.Time
}

// SignUpInput is a sign-up on one of the customer's invitations.
type SignUpInput struct {
	Step      Step
	ExpiresAt time.Time
}

// UserInput is a portal user with an active grant on the customer.
type UserInput struct{ Disabled, EmailConfirmed, Accepted bool }

// CustomerStatus is the furthest a customer has reached, and when that may
// change by time alone (zero: never). Disabled needs all users to be disabled.
func CustomerStatus(in StatusInputs, now time.Time) (Status, time.Time) {
	if len(in.Users) > 0 && !slices.ContainsFunc(in.Users, func(u UserInput) bool { return !u.Disabled }) {
		return StatusDisabled, time.Time{}
	}
	reached := make([]Status, 0, 4)
	var change time.Time
	until := func(at time.Time) {
		if change.IsZero() || at.Before(change) {
			change = at
		}
	}
	for _, i := range in.Invitations {
		reached = append(reached, i.status(now))
		if i.State.Open() && now.Before(i.ExpiresAt) {
			until(i.ExpiresAt)
		}
	}
	for _, s := range in.SignUps {
		if st, ok := s.status(); ok && now.Before(s.ExpiresAt) {
			reached = append(reached, st)
			until(s.ExpiresAt)
		}
	}
	for _, u := range in.Users {
		if st, ok := u.status(); ok {
			reached = append(reached, st)
		}
	}
	if len(reached) > 0 {
		order := furthest()
		return slices.MaxFunc(reached, func(a, b Status) int {
			return slices.Index(order, a) - slices.Index(order, b)
		}), change
	}
	if !in.HasEmail {
		return StatusNoEmail, time.Time{}
	}
	return StatusNotInvited, time.Time{}
}

func (i InvitationInput) status(now time.Time) Status {
	if i.State.Open() && !now.Before(i.ExpiresAt) {
		return StatusExpired
	}
	switch i.State {
	case InvitationQueued:
		return StatusQueued
	case InvitationSent:
		return StatusSent
	case InvitationDelivered:
		return StatusDelivered
	case InvitationOpened:
		return StatusOpened
	case InvitationStarted:
		return StatusStarted
	case InvitationBounced, InvitationComplained, InvitationFailed:
		return StatusBounced
	case InvitationExpired:
		return StatusExpired
	}
	return StatusRevoked // accepted counts through its user; without one the access was taken away
}

func (s SignUpInput) status() (Status, bool) {
	switch s.Step {
	case StepProfile:
		return StatusStarted, true
	case StepConfirm:
		return StatusAwaitingConfirmation, true
	}
	return "", false
}

func (u UserInput) status() (Status, bool) {
	switch {
	case u.Disabled:
		return "", false
	case u.EmailConfirmed && u.Accepted:
		return StatusRegistered, true
	case u.EmailConfirmed:
		return StatusAwaitingAgreement, true
	}
	return StatusAwaitingConfirmation, true
}

// Count is how many customers have a status.
type Count struct {
	Status    Status
	Customers int
}

// Sort names of RegistrationQuery.
const (
	SortName           = "name"
	SortDisplayName    = "display_name"
	SortEmail          = "email"
	SortStatus         = "status"
	SortInvited        = "invited"
	SortRegistered     = "registered"
	SortEmailConfirmed = "email_confirmed"
)

// Sorts lists the sort names in the order of the columns.
func Sorts() []string {
	return []string{SortName, SortDisplayName, SortEmail, SortStatus, SortInvited, SortRegistered, SortEmailConfirmed}
}

// RegistrationQuery filters and sorts the report of registrations.
type RegistrationQuery struct {
	// Search matches word prefixes of name, display name, email and account number.
	Search string
	// Status is empty for all.
	Status Status
	// Sort is one of Sorts; empty means SortName.
	Sort       string
	Descending bool
	// Limit of 0 means all rows.
	Limit int
	// Now is the time for which Registration.Agreement is told; set by the Service.
	Now time.Time
	// After is the Cursor of the last row seen, for the same Sort and direction;
	// Before that of the first one, for the Limit rows that come before it.
	After, Before string
}

// RegistrationCount tells where a page of the report stands.
type RegistrationCount struct {
	// Total counts all rows of the filter, Earlier those up to After, with it, or
	// up to Before, without it.
	Total, Earlier int
}

// Registration is one unarchived customer's row. Times are zero where nothing happened.
type Registration struct {
	CustomerID, Number, Name, DisplayName, Email string
	Status                                       Status
	InvitedAt, RegisteredAt                      time.Time
	EmailConfirmed                               bool
	Agreement                                    AgreementStanding
	// SignInEmails are the addresses of users with access that differ from Email.
	SignInEmails []string
	// Cursor continues after this row.
	Cursor string
}

// ReportStore reads the report.
type ReportStore interface {
	NoteStore

	// Counts returns one Count per status, in the order of Statuses.
	Counts(ctx context.Context, biller string) ([]Count, error)
	// Registrations calls send for each row in order and stops at its first
	// error. Invalid for an After or Before that fits no row of this order.
	Registrations(ctx context.Context, biller string, q RegistrationQuery, send func(Registration) error) error
	// CountRegistrations counts the rows in one statement. Invalid as above.
	CountRegistrations(ctx context.Context, biller string, q RegistrationQuery) (RegistrationCount, error)
}

// Counts tells staff how many unarchived customers have each status, all
// statuses listed. The sum is the number of unarchived customers.
func (s *Service) Counts(ctx context.Context, c Caller) ([]Count, error) {
	if !c.Can(AbilityInvite) && !c.Can(AbilityReport) {
		return nil, c.need(AbilityReport)
	}
	if err := s.catchUp(ctx, c); err != nil {
		return nil, err
	}
	return s.Store.Counts(ctx, c.BillerID)
}

// Registrations reports on unarchived customers to staff who may see reports.
// It calls send for each row in order and stops at its first error, which it
// returns. Invalid for an unknown status, sort or cursor, and for Before with
// After or without Limit.
func (s *Service) Registrations(ctx context.Context, c Caller, q RegistrationQuery, send func(Registration) error) error {
	q, err := s.checkRegistrations(ctx, c, q)
	if err != nil || q.findsNothing() {
		return err
	}
	return s.Store.Registrations(ctx, c.BillerID, q, send)
}

// ExportRegistrations is Registrations for a file of all rows: it keeps in the audit
// log, before the first row, who took it with which filter. What was searched for
// may be somebody's name and is not kept.
func (s *Service) ExportRegistrations(ctx context.Context, c Caller, q RegistrationQuery, send func(Registration) error) error {
	q.Limit, q.After, q.Before = 0, "", ""
	q, err := s.checkRegistrations(ctx, c, q)
	if err != nil {
		return err
	}
	a := s.activity(c, ActionReportExported, "")
	a.Object = "registrations"
	a.Detail = map[string]string{"sort": q.Sort, "searched": "no"}
	if q.Status != "" {
		a.Detail["status"] = string(q.Status)
	}
	if q.Descending {
		a.Detail["sort"] += ", descending"
	}
	if q.Search != "" {
		a.Detail["searched"] = "yes"
	}
	if err := s.Store.Note(ctx, c.BillerID, a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	if q.findsNothing() {
		return nil
	}
	return s.Store.Registrations(ctx, c.BillerID, q, send)
}

// CountRegistrations counts the rows of the report, and those before its page.
// It fails as Registrations does.
func (s *Service) CountRegistrations(ctx context.Context, c Caller, q RegistrationQuery) (RegistrationCount, error) {
	q, err := s.checkRegistrations(ctx, c, q)
	if err != nil || q.findsNothing() {
		return RegistrationCount{}, err
	}
	return s.Store.CountRegistrations(ctx, c.BillerID, q)
}

// findsNothing tells of a search for signs only.
func (q RegistrationQuery) findsNothing() bool {
	return strings.TrimSpace(q.Search) != "" && len(SearchTerms(q.Search)) == 0
}

// checkRegistrations returns the query with its defaults, after what expired since
// the hourly job has been marked.
func (s *Service) checkRegistrations(ctx context.Context, c Caller, q RegistrationQuery) (RegistrationQuery, error) {
	if err := c.need(AbilityReport); err != nil {
		return q, err
	}
	if q.Sort == "" {
		q.Sort = SortName
	}
	if !slices.Contains(Sorts(), q.Sort) {
		return q, apperr.Field("sort", "The report cannot be sorted by this.")
	}
	if q.Status != "" && !slices.Contains(Statuses(), q.Status) {
		return q, apperr.Field("status", "There is no such status.")
	}
	if q.Limit < 0 {
		return q, apperr.Field("limit", "The limit must not be negative.")
	}
	if q.Before != "" && (q.After != "" || q.Limit == 0) {
		return q, apperr.Field("before", "Going back needs a limit, and excludes going on.")
	}
	q.Now = s.Now()
	return q, s.catchUp(ctx, c)
}

// catchUp marks what expired since the hourly job, so that filters, sorting and
// counts are true now; it costs one indexed read when nothing is due.
func (s *Service) catchUp(ctx context.Context, c Caller) error {
	for range 10 {
		more, err := s.refresh(ctx, c)
		if err != nil || !more {
			return err
		}
	}
	return nil
}
