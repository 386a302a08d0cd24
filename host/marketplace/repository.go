package marketplace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Repository is a marketplace on disk: a TUF repository that can be copied to any
// static web server, and the keys it is signed with. Only what owns the
// marketplace uses it; hosts use Client. One change at a time is made to it, also
// by several processes; an interrupted one leaves what was served before, or all
// of what is new.
type Repository struct {
	// Dir is the folder that is served: metadata and targets.
	Dir string
	// Keys is the folder of the private keys, readable by their owner only. Keys
	// may be kept elsewhere while they are not needed: root's and targets' are
	// not for Refresh.
	Keys string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Setup says how many keys a new marketplace has.
type Setup struct {
	// Thresholds is how many of a role's keys must sign, by role; 1 by default.
	Thresholds map[string]int
	// Numbers is how many keys a role has, by role; its threshold by default.
	Numbers map[string]int
}

// maxKeys is how many keys a role may have.
const maxKeys = 16

func (s Setup) of(role string) (threshold, number int, err error) {
	threshold = max(s.Thresholds[role], 1)
	number = threshold
	if n, ok := s.Numbers[role]; ok {
		number = n
	}
	if s.Thresholds[role] < 0 || number < threshold || number > maxKeys {
		return 0, 0, apperr.Errorf(apperr.Invalid, "%s cannot take %d signatures of %d keys.", role, threshold, number)
	}
	return threshold, number, nil
}

func (s Setup) check() error {
	for _, list := range []map[string]int{s.Thresholds, s.Numbers} {
		for role := range list {
			if err := checkRole(role); err != nil {
				return err
			}
		}
	}
	for _, role := range Roles() {
		if _, _, err := s.of(role); err != nil {
			return err
		}
	}
	return nil
}

// RootFile is the file that hosts are given to trust the marketplace by.
func (r Repository) RootFile() string { return filepath.Join(r.metadataDir(), fileName(RoleRoot, 1)) }

func (r Repository) metadataDir() string { return filepath.Join(r.Dir, "metadata") }
func (r Repository) targetsDir() string  { return filepath.Join(r.Dir, "targets") }

func (r Repository) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC()
	}
	return r.Now().UTC()
}

// until is the end of what a role signs now.
func (r Repository) until(role string) time.Time {
	return r.now().Add(lifetime(role)).Truncate(time.Second)
}

// Init makes an empty marketplace and its keys. Conflict if one is there.
func (r Repository) Init(ctx context.Context, setup Setup) error {
	if err := setup.check(); err != nil {
		return err
	}
	for dir, mode := range map[string]fs.FileMode{r.metadataDir(): 0o755, r.targetsDir(): 0o755, r.Keys: 0o700} {
		if err := makeDirs(dir, mode); err != nil {
			return fmt.Errorf("make marketplace: %w", err)
		}
	}
	return r.alone(ctx, func() error {
		if _, err := os.Stat(r.RootFile()); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, apperr.Errorf(apperr.Conflict, "There is a marketplace in %s already.", r.Dir))
		}
		return r.init(setup)
	})
}

func (r Repository) init(setup Setup) error {
	root := metadata.Root(r.until(RoleRoot))
	ring := keyring{}
	for _, role := range Roles() {
		threshold, number, err := setup.of(role)
		if err != nil {
			return err
		}
		keys, err := newKeys(role, number)
		if err != nil {
			return err
		}
		appoint(&root.Signed, role, threshold, keys)
		for _, k := range keys {
			if err := k.save(r.Keys); err != nil {
				return err
			}
			ring[k.id] = k
		}
	}
	s := &state{root: root, keys: ring, targets: metadata.Targets(r.until(RoleTargets))}
	s.targets.Signed.Version = 0
	if err := r.commitRest(s, true); err != nil {
		return err
	}
	return r.commitRoot(s)
}

// appoint makes keys the only ones of a role.
func appoint(root *metadata.RootType, role string, threshold int, keys []privateKey) {
	rule := &metadata.Role{Threshold: threshold}
	for _, k := range keys {
		root.Keys[k.id] = k.public
		rule.KeyIDs = append(rule.KeyIDs, k.id)
	}
	root.Roles[role] = rule
}

// alone runs a change while no other one does.
func (r Repository) alone(ctx context.Context, change func() error) (err error) {
	unlock, err := lock(ctx, r.Keys)
	if errors.Is(err, fs.ErrNotExist) {
		return apperr.Errorf(apperr.NotFound, "There is no folder of keys at %s.", r.Keys)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := r.checkApart(); err != nil {
		return err
	}
	for _, dir := range []string{r.metadataDir(), r.targetsDir(), r.Keys} {
		if err := clearAbandoned(dir); err != nil {
			return err
		}
	}
	return change()
}

// checkApart says Invalid if the keys are where they would be served, links
// followed.
func (r Repository) checkApart() error {
	served, err := filepath.EvalSymlinks(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	keys, errKeys := filepath.EvalSymlinks(r.Keys)
	if err := errors.Join(err, errKeys); err != nil {
		return fmt.Errorf("look at the marketplace's folders: %w", err)
	}
	served, err = filepath.Abs(served)
	keys, errKeys = filepath.Abs(keys)
	if err := errors.Join(err, errKeys); err != nil {
		return fmt.Errorf("look at the marketplace's folders: %w", err)
	}
	if rel, err := filepath.Rel(served, keys); err == nil && filepath.IsLocal(rel) {
		return apperr.Errorf(apperr.Invalid, "The keys in %s would be served with the marketplace; keep them outside %s.", r.Keys, r.Dir)
	}
	return nil
}

// change reads the marketplace, lets f change it and publishes the outcome if f
// says that the list of targets changed.
func (r Repository) change(ctx context.Context, f func(*state) (changed bool, err error)) error {
	return r.alone(ctx, func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		changed, err := f(s)
		if err != nil || !changed {
			return err
		}
		if err := r.commitRest(s, true); err != nil {
			return err
		}
		for _, file := range s.drop {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove what is not offered any more: %w", err)
			}
		}
		return nil
	})
}

// List returns what is offered, in the order of Source's List, and what was
// withdrawn.
func (r Repository) List() ([]Offer, []Withdrawn, error) {
	s, err := r.load()
	if err != nil {
		return nil, nil, err
	}
	offers, unread := offersOf(&s.targets.Signed)
	for path, err := range unread {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	withdrawn, err := withdrawnOf(&s.targets.Signed)
	return offers, withdrawn, err
}
