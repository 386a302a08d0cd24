package portal

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// ErrNoneOpen (NotFound) is a customer without an open invitation.
var ErrNoneOpen = apperr.Errorf(apperr.NotFound, "No invitation of this customer is open.")

// Revoke takes a customer's open invitation back: its links, and the sign-up
// begun with them, end. Staff with staff:invite. ErrNoneOpen; NotFound for an
// unknown customer.
func (s *Service) Revoke(ctx context.Context, c Caller, customerID string) error {
	if err := c.need(AbilityInvite); err != nil {
		return err
	}
	if !Knowable(customerID) {
		return ErrNoCustomer
	}
	a := s.activity(c, ActionInvitationRevoked, "")
	a.CustomerID = customerID
	inv, err := s.Store.Revoke(ctx, c.BillerID, a)
	if err != nil {
		return err
	}
	a.Object = inv.ID
	s.did(ctx, c, a)
	return nil
}
