package store

import (
	"context"
	"fmt"
)

// Fingerprint returns the fingerprint of the secret the database was first used
// with. The first call keeps the one it is given.
func (s *Store) Fingerprint(ctx context.Context, fingerprint string) (string, error) {
	_, err := s.db.W.ExecContext(ctx, `
		INSERT INTO platform (name, value)
		VALUES ('secret_fingerprint', $1)
		ON CONFLICT (name) DO NOTHING`, fingerprint)
	if err != nil {
		return "", fmt.Errorf("keep fingerprint: %w", err)
	}
	var kept string
	err = s.db.W.GetContext(ctx, &kept, `
		SELECT value
		FROM platform
		WHERE name = 'secret_fingerprint'`)
	if err != nil {
		return "", fmt.Errorf("read fingerprint: %w", err)
	}
	return kept, nil
}
