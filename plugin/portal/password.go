package portal

import (
	"context"
	"strings"
)

// NameStore finds the names that a person would think of for a password.
type NameStore interface {
	// Names returns those of the customers for whom the person with this normalised
	// address signs in, is signing up, or may: of 20 customers at most.
	Names(ctx context.Context, biller, emailNorm string) ([]string, error)
}

// checkPasswordOf refuses what Passwords.Check does to the person with the address,
// who has proven who they are: for anybody else it would tell whose names there are.
func (s *Service) checkPasswordOf(ctx context.Context, c Caller, emailNorm, password string) error {
	names, err := s.Store.Names(ctx, c.BillerID, emailNorm)
	if err != nil {
		return err
	}
	return s.Passwords.Check(password, emailNorm, strings.Join(append(names, c.BillerName), " "))
}

// names are those of a customer's record.
func (c Customer) names() string { return c.Name + " " + c.DisplayName + " " + c.Company }
