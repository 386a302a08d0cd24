package addon

import (
	"encoding/json"
	"time"
)

// Settings is what a biller has set for an add-on.
type Settings struct {
	BillerID, AddonID string
	// Version counts the changes; 0 means that nothing was ever set.
	Version int64
	// Entries are what was set, by the key of the manifest it was set for. Keys
	// that no manifest has any more stay.
	Entries map[string]Setting
}

// Setting is one value that somebody set.
type Setting struct {
	// Value is JSON; nil for a secret.
	Value json.RawMessage `json:"value,omitempty"`
	// Sealed is a secret, encrypted for this biller, add-on and key.
	Sealed []byte `json:"sealed,omitempty"`
	// Version is that of Settings since which it has been so. A secret that was
	// removed keeps it, with nothing else.
	Version int64 `json:"version"`
	// At and By are when and by whose name it was set.
	At time.Time `json:"at"`
	By string    `json:"by"`
}
