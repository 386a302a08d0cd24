package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustSecret writes a secret of the test's own.
func mustSecret(tb testing.TB, path string) {
	tb.Helper()
	sum := sha256.Sum256([]byte(tb.Name()))
	if err := os.WriteFile(path, []byte(hex.EncodeToString(sum[:])), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestSecretIsARandomKey: a secret that an operator gives is at least 32 random
// bytes; passwords, placeholders and patterns do not start the platform.
func TestSecretIsARandomKey(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	for name, tt := range map[string]struct {
		text string
		good bool
	}{
		"hex":               {hex.EncodeToString(raw), true},
		"hex, capitals":     {strings.ToUpper(hex.EncodeToString(raw)), true},
		"base64":            {base64.StdEncoding.EncodeToString(raw) + "\n", true},
		"base64 for paths":  {base64.RawURLEncoding.EncodeToString(raw), true},
		"longer":            {hex.EncodeToString(raw) + "00ff", true},
		"31 bytes":          {hex.EncodeToString(raw[:31]), false},
		"16 bytes":          {hex.EncodeToString(raw[:16]), false},
		"empty":             {"", false},
		"one letter":        {strings.Repeat("x", 64), false},
		"counted":           {strings.Repeat("0123456789abcdef", 4), false},
		"repeated":          {strings.Repeat(hex.EncodeToString(raw[:8]), 4), false},
		"a sentence":        {"correct horse battery staple, and a heron by the lemon tree", false},
		"a password":        {"Tr0ub4dor&3-Tr0ub4dor&3-Tr0ub4dor&3", false},
		"a placeholder":     {"CHANGE-ME-CHANGE-ME-CHANGE-ME-CHANGE-ME-CHANGE-ME", false},
		"bytes, not a text": {string(raw), false},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadSecret(Config{SecretFile: path}, false)
		if good := err == nil; good != tt.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("%s: the error does not help: %v", name, err)
		}
	}
	for text, good := range map[string]bool{"Tr0ub4dor&3-Tr0ub4dor&3-Tr0ub4dor&3": true, hex.EncodeToString(raw[:16]): true, "too short, whatever is said": false} {
		old := filepath.Join(t.TempDir(), "old")
		if err := os.WriteFile(old, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := loadSecret(Config{SecretFile: old, OldSecret: true}, false); (err == nil) != good || good && got.text != text {
			t.Errorf("of an earlier version: %q, %v", text, err)
		}
	}
	made := filepath.Join(t.TempDir(), "made")
	if err := makeSecret(made); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSecret(Config{SecretFile: made}, false); err != nil {
		t.Errorf("its own: %v", err)
	}
}
