package portal

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Errors of what staff do with people.
var (
	// ErrNoPerson (NotFound) is somebody without access to the customer.
	ErrNoPerson = apperr.Errorf(apperr.NotFound, "This person has no access to the customer.")
	// ErrPersonUnchanged (Conflict) is a change that was made already.
	ErrPersonUnchanged = apperr.Errorf(apperr.Conflict, "This was done already.")
	// ErrSignInDiffers (Conflict) is an invitation to a customer for whom somebody
	// signs in with another address than the profile's.
	ErrSignInDiffers = apperr.Errorf(apperr.Conflict, "Somebody signs in for this customer with another address. Decide about that person first.")
)

// PersonStore changes the sign-ins and the access of people. Each method keeps
// the activity, whose UserID and CustomerID say about whom it is, and answers
// ErrNoPerson if that user has no access to that customer.
type PersonStore interface {
	// SetUserState disables or enables a sign-in, everywhere at the biller.
	// Disabling ends its sessions, links, codes and sign-ups in progress.
	// ErrPersonUnchanged if it has the state already.
	SetUserState(ctx context.Context, biller string, e UserEvent, a Activity) error
	// RemoveGrant takes away the access to the customer. Of parallel calls one
	// wins, the others get ErrNoPerson.
	RemoveGrant(ctx context.Context, biller string, a Activity) error
	// SetRight changes what the person may do for the customer. ErrPersonUnchanged
	// if it is so already.
	SetRight(ctx context.Context, biller string, right Right, a Activity) error
	// KeepAddress keeps a sign-in whose address is not the customer's. ErrPersonUnchanged
	// if they do not differ, or it is kept already.
	KeepAddress(ctx context.Context, biller string, a Activity) error
	// EraseUser deletes a user with all that is about the person, under every address
	// that was the person's, and puts the pseudonym in the place of its id where
	// something must stay. Rows of whoever had such an address before or has it now
	// stay. NotFound if the user is gone: of parallel calls one wins.
	EraseUser(ctx context.Context, biller string, in Erasure) error
}

// Erasure is what the store needs to erase a person.
type Erasure struct {
	UserID, Pseudonym string
	Activity          Activity
	// NormalizeEmail is Service.NormalizeEmail.
	NormalizeEmail func(address string) (string, error)
}

// Person returns somebody with access to a customer. Staff with staff:invite.
// ErrNoPerson, ErrNoCustomer.
func (s *Service) Person(ctx context.Context, c Caller, customerID, userID string) (Person, error) {
	view, err := s.Customer(ctx, c, customerID)
	if err != nil {
		return Person{}, err
	}
	for _, p := range view.People {
		if p.UserID == userID {
			return p, nil
		}
	}
	return Person{}, ErrNoPerson
}

// SetPersonState disables, for UserDisabled, or enables a person's sign-in at the biller. A disabled
// one is signed out at the next request; signing in answers like a wrong password.
// Staff with staff:invite. It fails like the store's.
func (s *Service) SetPersonState(ctx context.Context, c Caller, customerID, userID string, state UserState) error {
	e, action := UserEnable, ActionUserEnabled
	if state == UserDisabled {
		e, action = UserDisable, ActionUserDisabled
	}
	return s.aboutPerson(ctx, c, customerID, userID, action, func(a Activity) error {
		return s.Store.SetUserState(ctx, c.BillerID, e, a)
	})
}

// SignOutPerson signs a person out everywhere, and tells how often. Staff with
// staff:invite.
func (s *Service) SignOutPerson(ctx context.Context, c Caller, customerID, userID string) (ended int, err error) {
	if _, err := s.Person(ctx, c, customerID, userID); err != nil {
		return 0, err
	}
	return s.endSessions(ctx, c, userID, "", nil)
}

// ResetPerson mails a person a link to choose a new password. Staff with
// staff:invite. Conflict for a disabled one.
func (s *Service) ResetPerson(ctx context.Context, c Caller, customerID, userID string) error {
	p, err := s.Person(ctx, c, customerID, userID)
	if err != nil {
		return err
	}
	if p.State != UserActive {
		return apperr.Errorf(apperr.Conflict, "This sign-in is disabled. Enable it first.")
	}
	return s.SendReset(ctx, c, userID)
}

// RemovePerson takes away a person's access to a customer. Staff with staff:invite.
func (s *Service) RemovePerson(ctx context.Context, c Caller, customerID, userID string) error {
	return s.aboutPerson(ctx, c, customerID, userID, ActionAccessRemoved, func(a Activity) error {
		return s.Store.RemoveGrant(ctx, c.BillerID, a)
	})
}

// SetPersonRight changes what a person may do for a customer. Staff with
// staff:invite. Invalid with the field "right".
func (s *Service) SetPersonRight(ctx context.Context, c Caller, customerID, userID string, right Right) error {
	if !right.Valid() {
		return apperr.Field("right", "Choose what the person may do.")
	}
	return s.aboutPerson(ctx, c, customerID, userID, ActionRightChanged, func(a Activity) error {
		a.Detail = map[string]string{"right": string(right)}
		return s.Store.SetRight(ctx, c.BillerID, right, a)
	})
}

// KeepPerson keeps a sign-in whose address is not the one in the profile. Staff
// with staff:invite.
func (s *Service) KeepPerson(ctx context.Context, c Caller, customerID, userID string) error {
	return s.aboutPerson(ctx, c, customerID, userID, ActionAddressKept, func(a Activity) error {
		return s.Store.KeepAddress(ctx, c.BillerID, a)
	})
}

// InviteInstead invites the address in the profile in the place of those who sign
// in with another one: their access to the customer, their passwords and sessions
// end, and they are told. Staff with staff:invite. It fails like Invite.
func (s *Service) InviteInstead(ctx context.Context, c Caller, customerID string) (Invitation, error) {
	if err := c.need(AbilityInvite); err != nil {
		return Invitation{}, err
	}
	if !Knowable(customerID) {
		return Invitation{}, ErrNoCustomer
	}
	return s.sendInvitation(ctx, c, customerID, func(in *SendInvitation) { in.Replace = true })
}

func (s *Service) aboutPerson(ctx context.Context, c Caller, customerID, userID string, action Action, do func(Activity) error) error {
	if _, err := s.Person(ctx, c, customerID, userID); err != nil {
		return err
	}
	a := s.activity(c, action, userID)
	a.CustomerID = customerID
	if err := do(a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}

// ErasePerson deletes a person's sign-in and what the portal knows of the person.
// Staff with staff:configure and staff:invite. ErrProve, ErrNoPerson.
func (s *Service) ErasePerson(ctx context.Context, c Caller, customerID, userID string) error {
	if err := s.needFresh(c, AbilityConfigure); err != nil {
		return err
	}
	if _, err := s.Person(ctx, c, customerID, userID); err != nil {
		return err
	}
	return s.erase(ctx, c, userID)
}

// EraseMyself deletes the sign-in of who is signed in. ErrWrongCurrent for a wrong
// password; TooManyRequests after five; ErrSignedOut.
func (s *Service) EraseMyself(ctx context.Context, c Caller, sessionToken, password string) error {
	u, err := s.reauthenticate(ctx, c, sessionToken, password)
	if apperr.Is(err, apperr.NotFound) {
		return ErrSignedOut
	}
	if err != nil {
		return err
	}
	err = s.erase(ctx, c, u.ID)
	if apperr.Is(err, apperr.NotFound) {
		return ErrSignedOut
	}
	return err
}

func (s *Service) erase(ctx context.Context, c Caller, userID string) error {
	pseudonym := s.Keys.Pseudonym(c.BillerID, userID)
	a := s.activity(c, ActionUserErased, pseudonym)
	a.IP, a.Agent, a.Object = "", "", pseudonym
	if err := s.Store.EraseUser(ctx, c.BillerID, Erasure{UserID: userID, Pseudonym: pseudonym, Activity: a, NormalizeEmail: s.NormalizeEmail}); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}
