package portal

import "context"

// ExportStore reads out what the portal keeps for a biller.
type ExportStore interface {
	// Export sends each record of the biller that people may have, kind by kind;
	// each row can be marshalled as JSON. Hashes of passwords, tokens, sessions and
	// counters of throttles are left out. It ends with send's error.
	Export(ctx context.Context, biller string, send func(kind string, row any) error) error
}

// Export sends everything that the portal keeps for the biller and that is no
// secret. It also works while the biller is disabled.
func (s *Service) Export(ctx context.Context, c Caller, send func(kind string, row any) error) error {
	return s.Store.Export(ctx, c.BillerID, send)
}
