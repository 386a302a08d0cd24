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

// SettingsState is what a biller has set for an add-on, as a form shows it.
type SettingsState struct {
	// Version goes back with a change, so that no change of somebody else is lost.
	Version int64
	// Values are in force, by key: what was set, or the default. They hold no
	// secrets.
	Values map[string]any
	// Entries says when and by whom each key was set; it holds no values.
	Entries map[string]Setting
	// SecretSet tells which secrets have a value.
	SecretSet map[string]bool
	// Refused says, by key, why a value that is kept is not in force: another
	// version of the add-on took it.
	Refused map[string]string
	// Missing are the keys of required settings without a value.
	Missing []string
}

// SettingsChange is what a person saves.
type SettingsChange struct {
	// Version is that of the SettingsState the person saw.
	Version int64
	// Values replace those in force; nil leaves a number empty, a key that is not
	// there keeps what it has.
	Values map[string]any
	// Secrets are new values, RemoveSecrets the keys of those to forget.
	Secrets       map[string]string
	RemoveSecrets []string
}
