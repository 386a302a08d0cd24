package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minSecret is how many bytes the secret has at least, minDistinct how many
// different ones: random bytes have far more, typed and repeated ones fewer.
const (
	minSecret   = 32
	minDistinct = 16
)

// secret is what every other key is derived from.
type secret struct{ text string }

// loadSecret reads the secret. For a new platform on one machine, and in
// development, a missing one is made in DATA_DIR, readable by its owner alone.
func loadSecret(c Config, fresh bool) (secret, error) {
	path := c.SecretFile
	if path == "" {
		path = filepath.Join(c.DataDir, "secret")
		if fresh && (c.DatabaseURL == "" || c.Dev) {
			if err := makeSecret(path); err != nil {
				return secret{}, err
			}
		}
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return secret{}, fmt.Errorf("the secret %s is missing; set SECRET_FILE to the one this database was made with", path)
	}
	if err != nil {
		return secret{}, fmt.Errorf("read SECRET_FILE: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if !randomKey(text) && (!c.OldSecret || len(text) < minSecret) {
		return secret{}, fmt.Errorf("the secret in %s is no random key: at least %d random bytes, as hex or Base64 (openssl rand -hex 32 makes one). "+
			"Only for a platform that was made with it, and cannot have another: OLD_SECRET=true takes one of at least %d characters", path, minSecret, minSecret)
	}
	return secret{text}, nil
}

// randomKey reports whether a text looks like random bytes, as hex or Base64: it
// keeps out passwords and placeholders, though nobody can tell chance from a text.
func randomKey(text string) bool {
	raw, err := hex.DecodeString(text)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if err != nil {
			raw, err = encoding.DecodeString(text)
		}
	}
	distinct := map[byte]bool{}
	for _, b := range raw {
		distinct[b] = true
	}
	return err == nil && len(raw) >= minSecret && len(distinct) >= minDistinct
}

// makeSecret writes a new secret unless there is one. The file appears whole.
func makeSecret(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make DATA_DIR: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-") // mode 0600
	if err != nil {
		return fmt.Errorf("make secret: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // linked by now, or of no use
	raw := make([]byte, 32)
	_, err = rand.Read(raw)
	if err == nil {
		_, err = f.WriteString(hex.EncodeToString(raw) + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("make secret: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) { // another process may be first
		return fmt.Errorf("make secret: %w", err)
	}
	return nil
}

// key derives 32 bytes for one purpose.
func (s secret) key(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(s.text), nil, "billhost/"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}

// word derives n hex digits for one purpose: a password, or the fingerprint.
func (s secret) word(purpose string, n int) (string, error) {
	key, err := s.key(purpose)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(key)[:n], nil
}
