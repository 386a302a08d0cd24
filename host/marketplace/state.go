package marketplace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// kept is how many versions of snapshot and targets stay, for hosts that are
// reading.
const kept = 10

// state is a marketplace in memory.
type state struct {
	keys keyring
	// before is the root that hosts know until root is served; nil if that is the
	// same.
	before  *metadata.RootType
	root    *metadata.Metadata[metadata.RootType]
	targets *metadata.Metadata[metadata.TargetsType]
	// drop is the files that are not offered any more once the change is served.
	drop []string
	// What signs next has one more than these.
	targetsVersion, snapshotVersion, timestampVersion int64
	// Until when what is served now is valid.
	snapshotUntil, timestampUntil time.Time
}

// load reads a marketplace. The list of targets is the newest that counts under
// the newest root, so that it does not matter where a change was interrupted.
func (r Repository) load() (*state, error) {
	roots, err := r.versions(RoleRoot)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, apperr.Errorf(apperr.NotFound, "There is no marketplace in %s; billhost marketplace init makes one.", r.Dir)
	}
	s := &state{}
	if s.keys, err = loadKeys(r.Keys); err != nil {
		return nil, err
	}
	path := filepath.Join(r.metadataDir(), fileName(RoleRoot, roots[0]))
	if s.root, err = metadata.Root().FromFile(path); err != nil {
		return nil, fmt.Errorf("read root: %w", err)
	}
	if err := s.root.VerifyDelegate(RoleRoot, s.root); err != nil {
		return nil, apperr.Wrap(apperr.Invalid, path+" is not signed by its own keys; restore it from a copy.", err)
	}
	if err := r.loadTargets(s); err != nil {
		return nil, err
	}
	return s, r.loadRest(s)
}

func (r Repository) loadTargets(s *state) error {
	versions, err := r.versions(RoleTargets)
	if err != nil {
		return err
	}
	for _, v := range versions {
		t, err := metadata.Targets().FromFile(filepath.Join(r.metadataDir(), fileName(RoleTargets, v)))
		if err != nil || s.root.VerifyDelegate(RoleTargets, t) != nil {
			continue
		}
		s.targets, s.targetsVersion = t, versions[0]
		return nil
	}
	return apperr.Errorf(apperr.Invalid, "No list of packages in %s is signed by the marketplace's keys; restore the folder from a copy.", r.metadataDir())
}

// loadRest reads of snapshot and timestamp what counts of them: their versions
// and ends.
func (r Repository) loadRest(s *state) error {
	versions, err := r.versions(RoleSnapshot)
	if err != nil {
		return err
	}
	if len(versions) > 0 {
		s.snapshotVersion = versions[0]
		snapshot, err := metadata.Snapshot().FromFile(filepath.Join(r.metadataDir(), fileName(RoleSnapshot, versions[0])))
		if err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		s.snapshotUntil = snapshot.Signed.Expires
	}
	timestamp, err := metadata.Timestamp().FromFile(filepath.Join(r.metadataDir(), fileName(RoleTimestamp, 0)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read timestamp: %w", err)
	}
	s.timestampVersion, s.timestampUntil = timestamp.Signed.Version, timestamp.Signed.Expires
	return nil
}

// versions returns which versions of a role's file there are, the newest first.
func (r Repository) versions(role string) ([]int64, error) {
	files, err := os.ReadDir(r.metadataDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read marketplace: %w", err)
	}
	var list []int64
	for _, file := range files {
		number, ok := strings.CutSuffix(file.Name(), "."+role+".json")
		if v, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list, nil
}

// commitRoot publishes the root, signed by its own keys and by those of the root
// before it, if there was one.
func (r Repository) commitRoot(s *state) error {
	s.root.ClearSignatures()
	if s.before != nil {
		if err := signAs(s.root, s.keys, RoleRoot, s.before); err != nil {
			return err
		}
	}
	if err := signAs(s.root, s.keys, RoleRoot, &s.root.Signed); err != nil {
		return err
	}
	_, err := put(r, RoleRoot, s.root.Signed.Version, s.root)
	return err
}

// commitRest publishes the list of targets, if it changed, and a new snapshot and
// timestamp. No host reads any of it before the timestamp is there.
func (r Repository) commitRest(s *state, changed bool) error {
	data, err := r.putTargets(s, changed)
	if err != nil {
		return err
	}
	s.snapshotVersion++
	snapshot := metadata.Snapshot(r.until(RoleSnapshot))
	snapshot.Signed.Version = s.snapshotVersion
	snapshot.Signed.Meta[RoleTargets+".json"] = described(s.targets.Signed.Version, data)
	if err := sign(s, snapshot, RoleSnapshot); err != nil {
		return err
	}
	if data, err = put(r, RoleSnapshot, s.snapshotVersion, snapshot); err != nil {
		return err
	}
	s.timestampVersion++
	timestamp := metadata.Timestamp(r.until(RoleTimestamp))
	timestamp.Signed.Version = s.timestampVersion
	timestamp.Signed.Meta[RoleSnapshot+".json"] = described(s.snapshotVersion, data)
	if err := sign(s, timestamp, RoleTimestamp); err != nil {
		return err
	}
	if _, err := put(r, RoleTimestamp, s.timestampVersion, timestamp); err != nil {
		return err
	}
	s.snapshotUntil, s.timestampUntil = snapshot.Signed.Expires, timestamp.Signed.Expires
	return r.clear(s)
}

// putTargets signs and writes the list of targets if it changed, and returns what
// is in its file.
func (r Repository) putTargets(s *state, changed bool) ([]byte, error) {
	if !changed {
		return os.ReadFile(filepath.Join(r.metadataDir(), fileName(RoleTargets, s.targets.Signed.Version)))
	}
	s.targetsVersion++
	s.targets.Signed.Version, s.targets.Signed.Expires = s.targetsVersion, r.until(RoleTargets)
	s.targets.ClearSignatures()
	if err := sign(s, s.targets, RoleTargets); err != nil {
		return nil, err
	}
	return put(r, RoleTargets, s.targetsVersion, s.targets)
}

// clear removes old lists and snapshots.
func (r Repository) clear(s *state) error {
	for _, role := range []string{RoleTargets, RoleSnapshot} {
		versions, err := r.versions(role)
		if err != nil {
			return err
		}
		for _, v := range versions[min(kept, len(versions)):] {
			if role == RoleTargets && v == s.targets.Signed.Version {
				continue
			}
			if err := os.Remove(filepath.Join(r.metadataDir(), fileName(role, v))); err != nil {
				return fmt.Errorf("clear away old list: %w", err)
			}
		}
	}
	return nil
}

// put writes what a role signed and returns it.
func put[T metadata.Roles](r Repository, role string, version int64, m *metadata.Metadata[T]) ([]byte, error) {
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", role, err)
	}
	return data, writeFile(filepath.Join(r.metadataDir(), fileName(role, version)), data, 0o644)
}
