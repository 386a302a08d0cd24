package marketplace

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Withdrawn is a version that was offered once and is no more.
type Withdrawn struct {
	ID      string    `json:"id"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// withdrawnField is where the list of targets keeps what was withdrawn.
const withdrawnField = "x-withdrawn"

// listing is what the list of targets says of a package beside length and hash:
// enough to show it without a download.
type listing struct {
	// Manifest is the text of the package's manifest.yaml.
	Manifest  string    `json:"manifest"`
	Published time.Time `json:"published"`
}

func targetPath(id, version string) string { return id + "/" + version + pack.Extension }

// storedPath is the file of a target, which names its content, so that a package
// that is replaced never changes below a reader.
func storedPath(id, version, digest string) string {
	return id + "/" + digest + "." + version + pack.Extension
}

// offerOf reads what is said of a target.
func offerOf(path string, t *metadata.TargetFiles) (Offer, error) {
	var l listing
	if t.Custom == nil {
		return Offer{}, errors.New("says nothing of its manifest")
	}
	if err := json.Unmarshal(*t.Custom, &l); err != nil {
		return Offer{}, fmt.Errorf("read listing: %w", err)
	}
	m, err := manifest.Parse(manifest.FileName, []byte(l.Manifest))
	if err != nil {
		return Offer{}, err
	}
	if path != targetPath(m.ID, m.Version) {
		return Offer{}, fmt.Errorf("holds the manifest of %s %s", m.ID, m.Version)
	}
	sum, ok := t.Hashes["sha256"]
	if !ok {
		return Offer{}, errors.New("has no SHA-256")
	}
	return Offer{Manifest: m, Digest: hex.EncodeToString(sum), Size: t.Length, PackedAt: l.Published}, nil
}

// offersOf returns what a list of targets offers, in the order of List, and what
// is wrong with the rest, by path.
func offersOf(targets *metadata.TargetsType) ([]Offer, map[string]error) {
	var list []Offer
	unread := map[string]error{}
	for path, t := range targets.Targets {
		if isDocument(path) {
			continue
		}
		o, err := offerOf(path, t)
		if err != nil {
			unread[path] = err
			continue
		}
		list = append(list, o)
	}
	slices.SortFunc(list, compare)
	return list, unread
}

// withdrawnOf returns what a list of targets withdrew, by add-on, the newest
// version first.
func withdrawnOf(targets *metadata.TargetsType) ([]Withdrawn, error) {
	raw, ok := targets.UnrecognizedFields[withdrawnField]
	if !ok {
		return nil, nil
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("read what was withdrawn: %w", err)
	}
	var list []Withdrawn
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read what was withdrawn: %w", err)
	}
	slices.SortFunc(list, func(a, b Withdrawn) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), compareVersions(b.Version, a.Version))
	})
	return list, nil
}

// setWithdrawn keeps the list in a form that reads back as it was written.
func setWithdrawn(targets *metadata.TargetsType, list []Withdrawn) error {
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write what was withdrawn: %w", err)
	}
	var raw any
	if err := json.Unmarshal(text, &raw); err != nil {
		return fmt.Errorf("write what was withdrawn: %w", err)
	}
	if targets.UnrecognizedFields == nil {
		targets.UnrecognizedFields = map[string]any{}
	}
	targets.UnrecognizedFields[withdrawnField] = raw
	return nil
}
