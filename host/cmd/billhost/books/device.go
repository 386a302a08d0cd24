package books

import (
	"crypto/rand"
	"strings"
	"time"
)

// DeviceLife is how long a browser of staff that is not used is remembered.
const DeviceLife = 400 * 24 * time.Hour

// DevicesKept is how many browsers of one staff user are remembered: those that
// were used last.
const DevicesKept = 20

// DeviceNotices is how often a staff user is told of new browsers; those beyond
// stand in the audit alone.
func DeviceNotices(name string) Budget { return Budget{name, 20, 24 * time.Hour} }

// NewDevice returns the name of a browser that has none: at least 128 random bits.
func NewDevice() string { return rand.Text() }

// IsDevice tells whether s looks like a name that NewDevice made.
func IsDevice(s string) bool {
	strange := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }
	return len(s) == 26 && !strings.ContainsFunc(s, strange)
}
