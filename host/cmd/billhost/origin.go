package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// originFile is where the running platform writes its origin, for the commands
// that print addresses.
func (c Config) originFile() string { return filepath.Join(c.DataDir, "origin") }

// origin returns where staff reach the platform: BASE_URL, else where one that
// uses the same DATA_DIR says it runs, else LISTEN_ADDR.
func (c Config) origin() (string, error) {
	if c.BaseURL != "" {
		return c.BaseURL, nil
	}
	b, err := os.ReadFile(c.originFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read origin: %w", err)
	}
	if kept := strings.TrimSpace(string(b)); kept != "" {
		return kept, nil
	}
	return "http://" + c.ListenAddr, nil
}

// keepOrigin writes the origin down until the platform stops. The holder of the
// lock on DATA_DIR alone writes and removes it.
func (s *server) keepOrigin() error {
	path, line := s.config.originFile(), s.config.BaseURL+"\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		return fmt.Errorf("keep origin: %w", err)
	}
	s.closers = append(s.closers, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return nil
}
