package marketplace

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const keyExtension = ".pem"

// keyring is the private keys at hand, by key id.
type keyring map[string]privateKey

type privateKey struct {
	id     string
	role   string
	public *metadata.Key
	secret ed25519.PrivateKey
}

func (k privateKey) file(dir string) string {
	return filepath.Join(dir, k.role+"-"+k.id[:16]+keyExtension)
}

func newKey(role string) (privateKey, error) {
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return privateKey{}, fmt.Errorf("make key: %w", err)
	}
	return describeKey(role, secret)
}

func newKeys(role string, n int) ([]privateKey, error) {
	keys := make([]privateKey, n)
	for i := range keys {
		var err error
		if keys[i], err = newKey(role); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func describeKey(role string, secret ed25519.PrivateKey) (privateKey, error) {
	public, err := metadata.KeyFromPublicKey(secret.Public())
	if err != nil {
		return privateKey{}, fmt.Errorf("describe key: %w", err)
	}
	id, err := public.ID()
	if err != nil {
		return privateKey{}, fmt.Errorf("name key: %w", err)
	}
	return privateKey{id: id, role: role, public: public, secret: secret}, nil
}

// save writes the key to a file that only its owner can read.
func (k privateKey) save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.secret)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	return writeFile(k.file(dir), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// loadKeys reads the keys of a folder. A missing folder holds none.
func loadKeys(dir string) (keyring, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	ring := keyring{}
	for _, file := range files {
		role, _, ok := strings.Cut(file.Name(), "-")
		if !ok || !strings.HasSuffix(file.Name(), keyExtension) || checkRole(role) != nil {
			continue
		}
		k, err := loadKey(filepath.Join(dir, file.Name()), role)
		if err != nil {
			return nil, err
		}
		ring[k.id] = k
	}
	return ring, nil
}

func loadKey(path, role string) (privateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return privateKey{}, fmt.Errorf("look at key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return privateKey{}, apperr.Errorf(apperr.Invalid, "Others can read the key %s; run chmod 600 on it, and rotate it if they might have.", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return privateKey{}, fmt.Errorf("read key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return privateKey{}, apperr.Errorf(apperr.Invalid, "%s holds no key.", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	secret, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return privateKey{}, apperr.Errorf(apperr.Invalid, "%s holds no ed25519 key.", path)
	}
	return describeKey(role, secret)
}

// canSign says Invalid if too few keys of a role are at hand.
func (s *state) canSign(role string) error {
	_, err := s.keys.of(role, &s.root.Signed)
	return err
}

// of returns the keys at hand of a role, as root has it; Invalid if these are too
// few.
func (ring keyring) of(role string, root *metadata.RootType) ([]privateKey, error) {
	rule, ok := root.Roles[role]
	if !ok {
		return nil, apperr.Errorf(apperr.Invalid, "The marketplace's root does not know the role %s.", role)
	}
	var list []privateKey
	for _, id := range rule.KeyIDs {
		if k, ok := ring[id]; ok {
			list = append(list, k)
		}
	}
	if len(list) < rule.Threshold {
		return nil, apperr.Errorf(apperr.Invalid, "To sign as %s takes %d of its keys; the folder of keys holds %d.", role, rule.Threshold, len(list))
	}
	return list, nil
}

// signAs adds the signatures of every key at hand of a role, as root has it.
func signAs[T metadata.Roles](m *metadata.Metadata[T], ring keyring, role string, root *metadata.RootType) error {
	keys, err := ring.of(role, root)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if slices.ContainsFunc(m.Signatures, func(s metadata.Signature) bool { return s.KeyID == k.id }) {
			continue
		}
		signer, err := signature.LoadED25519Signer(k.secret)
		if err != nil {
			return fmt.Errorf("use key: %w", err)
		}
		if _, err := m.Sign(signer); err != nil {
			return fmt.Errorf("sign %s: %w", role, err)
		}
	}
	return nil
}

// sign signs for hosts that know the root and, as far as keys are at hand, for
// those that know only the one before: none refuses what it sees while a role
// gets new keys.
func sign[T metadata.Roles](s *state, m *metadata.Metadata[T], role string) error {
	if s.before != nil {
		if _, err := s.keys.of(role, s.before); err == nil {
			if err := signAs(m, s.keys, role, s.before); err != nil {
				return err
			}
		}
	}
	return signAs(m, s.keys, role, &s.root.Signed)
}
