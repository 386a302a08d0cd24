// Package password says which passwords are good enough, and keeps them as
// argon2id hashes, a bounded number at once.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Params are the cost of a hash; they are stored with it.
type Params struct {
	// MemoryKiB is the memory of one hash, Passes how often it is gone over.
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// Floor is the cost of new hashes: 19 MiB, two passes, one thread.
func Floor() Params { return Params{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1} }

// product is the name of what people sign in to.
const product = "Customer Portal"

// most bounds what a stored hash may cost to verify.
func most() Params { return Params{MemoryKiB: 1024 * 1024, Passes: 16, Threads: 16} }

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hasher hashes and verifies. It is safe for concurrent use; memory is bounded
// by its slots, whatever the number of callers.
type Hasher struct {
	params  Params
	slots   chan struct{}
	wait    time.Duration
	decoy   string
	breach  Breached
	product []string
}

// Breached tells whether a password is in a list of known ones.
type Breached interface {
	Breached(password string) bool
}

// Config is how a Hasher works; zero values mean the defaults given.
type Config struct {
	// Params are the cost of new hashes; Floor.
	Params Params
	// Slots is how many hashes run at once; GOMAXPROCS.
	Slots int
	// Wait is how long a caller waits for a slot before Unavailable; 5 seconds.
	Wait time.Duration
	// Breached is a list of passwords to refuse; Common.
	Breached Breached
	// Product holds the names of the product, whose words make no password; "Customer Portal".
	Product []string
}

// New returns a Hasher.
func New(cfg Config) *Hasher {
	if cfg.Params == (Params{}) {
		cfg.Params = Floor()
	}
	if cfg.Slots <= 0 {
		cfg.Slots = runtime.GOMAXPROCS(0)
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 5 * time.Second
	}
	if cfg.Product == nil {
		cfg.Product = []string{product}
	}
	if cfg.Breached == nil {
		cfg.Breached = Common()
	}
	h := &Hasher{
		params:  cfg.Params,
		slots:   make(chan struct{}, cfg.Slots),
		wait:    cfg.Wait,
		breach:  cfg.Breached,
		product: cfg.Product,
	}
	h.decoy = encode(cfg.Params, make([]byte, saltBytes), make([]byte, keyBytes))
	return h
}

// Hash returns the password's hash as a PHC string ("$argon2id$v=19$…").
// Unavailable if no slot comes free in time.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	key, err := h.derive(ctx, h.params, salt, password, keyBytes)
	if err != nil {
		return "", err
	}
	return encode(h.params, salt, key), nil
}

// Verify tells whether the password is the one hashed. An empty hash stands for
// an unknown account: it costs as much as a real one and never matches.
// Unavailable if no slot comes free in time.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	unknown := hash == ""
	if unknown {
		hash = h.decoy
	}
	p, salt, key, err := decode(hash)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, p, salt, password, uint32(len(key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, key) == 1 && !unknown, nil
}

// Outdated tells whether a hash costs less than new ones and should be made anew
// when its password is at hand.
func (h *Hasher) Outdated(hash string) bool {
	p, _, _, err := decode(hash)
	return err != nil || p.MemoryKiB < h.params.MemoryKiB || p.Passes < h.params.Passes
}

func (h *Hasher) derive(ctx context.Context, p Params, salt []byte, password string, length uint32) ([]byte, error) {
	timeout := time.NewTimer(h.wait)
	defer timeout.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-timeout.C:
		return nil, busy(errors.New("all hash slots are taken"))
	case <-ctx.Done():
		return nil, busy(ctx.Err())
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, p.Threads, length), nil
}

func busy(cause error) error {
	return apperr.Wrap(apperr.Unavailable, "Many people are signing in right now. Try again in a moment.", cause)
}

func encode(p Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.MemoryKiB, p.Passes, p.Threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// decode reads a PHC string; the error never repeats it.
func decode(hash string) (p Params, salt, key []byte, err error) {
	bad := errors.New("the stored password hash is malformed")
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return Params{}, nil, nil, bad
	}
	var version int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return Params{}, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Threads); err != nil {
		return Params{}, nil, nil, bad
	}
	limit := most()
	if p.MemoryKiB == 0 || p.Passes == 0 || p.Threads == 0 ||
		p.MemoryKiB > limit.MemoryKiB || p.Passes > limit.Passes || p.Threads > limit.Threads {
		return Params{}, nil, nil, bad
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(salt) < 8 {
		return Params{}, nil, nil, bad
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return Params{}, nil, nil, bad
	}
	return p, salt, key, nil
}
