package portal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Purpose says what a token is for; a token of one purpose is garbage for another.
type Purpose string

// Purposes of tokens.
const (
	PurposeInvitation   Purpose = "invitation"
	PurposeConfirmation Purpose = "confirmation"
	// PurposeProof is of a sign-up without an invitation; its subject is the proof.
	PurposeProof Purpose = "proof"
	PurposeReset Purpose = "reset"
	// PurposeDisown is "This wasn't me" of a notice; its subject is the activity.
	PurposeDisown Purpose = "disown"
)

// Keys derives tokens and codes, and the hashes that tables keep of secrets.
// Equal keys give equal tokens, so a mail sent twice holds the same link.
type Keys struct{ mint, hash []byte }

// NewKeys derives the portal's keys from the add-on's secret of 32 bytes.
func NewKeys(secret []byte) Keys {
	return Keys{mint: mac(secret, "portal mint"), hash: mac(secret, "portal hash")}
}

// Token is the secret part of a link, 43 characters that need no escaping.
func (k Keys) Token(p Purpose, biller, id string, generation, seq int) string {
	sum := mac(k.mint, string(p), biller, id, fmt.Sprint(generation), fmt.Sprint(seq))
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Code is the six digits of a sign-up's confirmation number seq.
func (k Keys) Code(biller, signUpID string, seq int) string {
	sum := mac(k.mint, "code", biller, signUpID, fmt.Sprint(seq))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum)%1_000_000)
}

// Hash is what tables keep of a token, handle or session.
func (k Keys) Hash(biller, secret string) string {
	return hex.EncodeToString(mac(k.hash, "secret", biller, secret))
}

// CodeHash is what tables keep of a code.
func (k Keys) CodeHash(biller, signUpID, code string) string {
	return hex.EncodeToString(mac(k.hash, "code", biller, signUpID, code))
}

// Pseudonym stands for a person who was erased; it leads to nobody.
func (k Keys) Pseudonym(biller, userID string) string {
	return "erased-" + hex.EncodeToString(mac(k.hash, "pseudonym", biller, userID))[:24]
}

// SameHash compares two hashes in constant time.
func SameHash(a, b string) bool { return a != "" && hmac.Equal([]byte(a), []byte(b)) }

// NewSecret returns a fresh secret of 256 bits for a handle or a session.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// mac is HMAC-SHA256 over parts, each with its length before it.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// Token is the row of a link: which thing it opens, and which sending of it.
type Token struct {
	Hash      string
	Purpose   Purpose
	SubjectID string
	// Generation and Seq are those it was derived from.
	Generation, Seq int
	CreatedAt       time.Time
	ExpiresAt       time.Time
}
