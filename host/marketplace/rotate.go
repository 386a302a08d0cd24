package marketplace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// RotateKey gives a role new keys, as many as it had, and signs anew what the old
// ones signed, once more with these as well if they are at hand; hosts follow by
// themselves, without a moment in which they refuse what they see. It takes root's
// keys and, unless role is root, those of snapshot and timestamp; a role other
// than root may have lost its old ones. The old keys' files are removed: they
// count no more.
func (r Repository) RotateKey(ctx context.Context, role string) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return r.alone(ctx, func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		return r.rotate(s, role)
	})
}

func (r Repository) rotate(s *state, role string) error {
	before := s.root.Signed
	rule := before.Roles[role]
	for _, needed := range []string{RoleRoot, RoleSnapshot, RoleTimestamp} {
		if needed != RoleRoot && (role == RoleRoot || role == needed) {
			continue
		}
		if err := s.canSign(needed); err != nil {
			return err
		}
	}
	keys, err := newKeys(role, len(rule.KeyIDs))
	if err != nil {
		return err
	}
	next := renewed(&before, role, keys)
	next.Version, next.Expires = before.Version+1, r.until(RoleRoot)
	s.root.Signed = *next
	for _, k := range keys {
		if err := k.save(r.Keys); err != nil {
			return err
		}
		s.keys[k.id] = k
	}
	s.before = &before
	if role != RoleRoot {
		if err := r.commitRest(s, role == RoleTargets); err != nil {
			return err
		}
	}
	if err := r.commitRoot(s); err != nil {
		return err
	}
	return r.forget(s.keys, rule.KeyIDs)
}

// renewed returns a copy of root in which keys are the only ones of a role.
func renewed(root *metadata.RootType, role string, keys []privateKey) *metadata.RootType {
	next := *root
	next.Keys, next.Roles = maps.Clone(root.Keys), maps.Clone(root.Roles)
	appoint(&next, role, root.Roles[role].Threshold, keys)
	maps.DeleteFunc(next.Keys, func(id string, _ *metadata.Key) bool {
		return !slices.ContainsFunc(Roles(), func(role string) bool { return slices.Contains(next.Roles[role].KeyIDs, id) })
	})
	return &next
}

// forget removes the files of keys that count no more.
func (r Repository) forget(ring keyring, ids []string) error {
	var errs []error
	for _, id := range ids {
		if k, ok := ring[id]; ok {
			errs = append(errs, os.Remove(k.file(r.Keys)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove old keys: %w", err)
	}
	return nil
}

// Refresh signs snapshot and timestamp anew, and within 60 days of their end root
// and targets as well if their keys are at hand. It returns until when everything
// is valid. Run it every day: a timestamp is valid for 7 days.
func (r Repository) Refresh(ctx context.Context) (list []Expiry, err error) {
	err = r.alone(ctx, func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		if err := r.commitRest(s, r.due(s, RoleTargets, s.targets.Signed.Expires)); err != nil {
			return err
		}
		if r.due(s, RoleRoot, s.root.Signed.Expires) {
			before := s.root.Signed
			s.before = &before
			s.root.Signed.Version, s.root.Signed.Expires = before.Version+1, r.until(RoleRoot)
			if err := r.commitRoot(s); err != nil {
				return err
			}
		}
		list = s.expiries()
		return nil
	})
	return list, err
}

// due reports whether what a role signed ends soon and can be signed anew.
func (r Repository) due(s *state, role string, until time.Time) bool {
	return s.canSign(role) == nil && until.Sub(r.now()) < renewal
}

// expiries returns until when everything is valid, in the order of Roles.
func (s *state) expiries() []Expiry {
	return []Expiry{
		{RoleRoot, s.root.Signed.Expires}, {RoleTargets, s.targets.Signed.Expires},
		{RoleSnapshot, s.snapshotUntil}, {RoleTimestamp, s.timestampUntil},
	}
}
