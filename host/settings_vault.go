package host

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
)

// vault seals the secrets among settings with AES-256-GCM, each for one biller,
// add-on and key: a row that is moved to another place cannot be opened.
type vault struct{ aead cipher.AEAD }

// openVault derives the key from the platform's.
func (h *Host) openVault(context.Context) error {
	key, err := h.config.derive("settings")
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("make cipher: %w", err)
	}
	if h.vault.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return fmt.Errorf("make cipher: %w", err)
	}
	return nil
}

func (v vault) seal(biller, addonID, key, secret string) ([]byte, error) {
	place, err := placeOf(biller, addonID, key)
	if err != nil {
		return nil, err
	}
	return v.aead.Seal(nil, nil, []byte(secret), place), nil
}

func (v vault) open(biller, addonID, key string, sealed []byte) (string, error) {
	place, err := placeOf(biller, addonID, key)
	if err != nil {
		return "", err
	}
	secret, err := v.aead.Open(nil, nil, sealed, place)
	if err != nil {
		return "", fmt.Errorf("open secret %s of %s for %s: %w", key, addonID, biller, err)
	}
	return string(secret), nil
}

// placeOf writes the three names so that no two places look alike.
func placeOf(biller, addonID, key string) ([]byte, error) {
	place, err := json.Marshal([]string{biller, addonID, key})
	if err != nil {
		return nil, fmt.Errorf("name place of secret: %w", err)
	}
	return place, nil
}
