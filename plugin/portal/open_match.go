package portal

import "context"

// AddMatch grants the customer of a match (see Offer) to the signed-in person: the choice
// makes the grant, not the address. ErrOfferGone for anything that Offers does not
// list as one.
func (s *Service) AddMatch(ctx context.Context, c Caller, sessionToken, customerID string) error {
	view, err := s.offered(ctx, c, sessionToken, customerID)
	if err != nil {
		return err
	}
	a := s.activity(c, ActionAccessAdded, view.UserID)
	a.CustomerID, a.Object = customerID, customerID
	a.Detail = map[string]string{"by": "the address of the sign-in"}
	if err := s.Store.AddMatch(ctx, c.BillerID, a); err != nil {
		return err
	}
	s.did(ctx, c, a)
	return nil
}

// DismissMatch keeps a match from being offered again; an invitation still can.
// ErrOfferGone as in AddMatch.
func (s *Service) DismissMatch(ctx context.Context, c Caller, sessionToken, customerID string) error {
	view, err := s.offered(ctx, c, sessionToken, customerID)
	if err != nil {
		return err
	}
	return s.Store.DismissMatch(ctx, c.BillerID, view.UserID, customerID, s.Now())
}

// offered returns who is signed in and may be offered the customer.
func (s *Service) offered(ctx context.Context, c Caller, sessionToken, customerID string) (SessionView, error) {
	view, err := s.Session(ctx, c, sessionToken)
	switch {
	case err != nil:
		return SessionView{}, err
	case view.AgreementPending:
		return SessionView{}, ErrAgreementPending
	case !s.offersMatches(ctx, view) || !Knowable(customerID):
		return SessionView{}, ErrOfferGone
	}
	return view, nil
}

// offersMatches: an address says something only where the biller lets people sign
// up with it alone, and nothing for somebody whose access has been taken away.
func (s *Service) offersMatches(ctx context.Context, view SessionView) bool {
	return len(view.Grants) > 0 && s.OpenSignUp(ctx)
}
