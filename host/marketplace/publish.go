package marketplace

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Publish offers a package. It reports whether that changed anything: the same
// package again does not. Invalid if the package is not sound; Conflict if its
// version was published with other content or withdrawn, unless replace says that
// this one counts instead; the other one's file is removed.
func (r Repository) Publish(ctx context.Context, file string, replace bool) (o Offer, changed bool, err error) {
	temp, err := os.MkdirTemp("", "marketplace-")
	if err != nil {
		return Offer{}, false, fmt.Errorf("publish: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	in, err := takeIn(file, temp)
	if err != nil {
		return Offer{}, false, err
	}
	err = r.change(ctx, func(s *state) (bool, error) {
		o, changed, err = r.publish(s, in, replace)
		return changed, err
	})
	return o, changed, err
}

// incoming is a package that is being published.
type incoming struct {
	*pack.Package
	archive, manifest string
	size              int64
}

// takeIn copies a package, so that what is checked is what is published, and
// checks it.
func takeIn(file, temp string) (_ incoming, err error) {
	from, err := os.Open(file)
	if err != nil {
		return incoming{}, fmt.Errorf("open package: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	in := incoming{archive: filepath.Join(temp, "archive")}
	to, err := os.OpenFile(in.archive, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return incoming{}, fmt.Errorf("copy package: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if in.size, err = io.Copy(to, from); err != nil {
		return incoming{}, fmt.Errorf("copy package: %w", err)
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return incoming{}, fmt.Errorf("copy package: %w", err)
	}
	if in.Package, err = pack.Unpack(to, filepath.Join(temp, "unpacked"), pack.Limits{}); err != nil {
		return incoming{}, err
	}
	text, err := os.ReadFile(in.Path(manifest.FileName))
	if err != nil {
		return incoming{}, fmt.Errorf("read manifest: %w", err)
	}
	in.manifest = string(text)
	return in, nil
}

func (r Repository) publish(s *state, in incoming, replace bool) (Offer, bool, error) {
	m, targets := in.Manifest, &s.targets.Signed
	path := targetPath(m.ID, m.Version)
	old, exists := targets.Targets[path]
	if exists && hex.EncodeToString(old.Hashes["sha256"]) == in.Digest {
		o, err := offerOf(path, old)
		return o, false, err
	}
	withdrawn, err := withdrawnOf(targets)
	if err != nil {
		return Offer{}, false, err
	}
	i := slices.IndexFunc(withdrawn, func(w Withdrawn) bool { return w.ID == m.ID && w.Version == m.Version })
	switch {
	case exists && !replace:
		return Offer{}, false, apperr.Errorf(apperr.Conflict, "%s %s is published with other content; give the new package a new version.", m.ID, m.Version)
	case i >= 0 && !replace:
		return Offer{}, false, apperr.Errorf(apperr.Conflict, "%s %s was withdrawn; give the new package a new version.", m.ID, m.Version)
	case i >= 0:
		if err := setWithdrawn(targets, slices.Delete(withdrawn, i, i+1)); err != nil {
			return Offer{}, false, err
		}
	}
	if exists {
		s.drop = r.storedFile(m.ID, m.Version, old)
	}
	t, err := r.store(in)
	if err != nil {
		return Offer{}, false, err
	}
	targets.Targets[path] = t
	o, err := offerOf(path, t)
	return o, true, err
}

// store puts a package among the targets and describes it.
func (r Repository) store(in incoming) (*metadata.TargetFiles, error) {
	data, err := os.ReadFile(in.archive)
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	path := filepath.Join(r.targetsDir(), filepath.FromSlash(storedPath(in.Manifest.ID, in.Manifest.Version, in.Digest)))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("store package: %w", err)
	}
	if err := writeFile(path, data, 0o644); err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(in.Digest)
	if err != nil {
		return nil, fmt.Errorf("describe package: %w", err)
	}
	text, err := json.Marshal(listing{Manifest: in.manifest, Published: r.now().Truncate(time.Second)})
	if err != nil {
		return nil, fmt.Errorf("describe package: %w", err)
	}
	custom := json.RawMessage(text)
	return &metadata.TargetFiles{Length: in.size, Hashes: metadata.Hashes{"sha256": sum}, Custom: &custom}, nil
}

// storedFile is the file of a target.
func (r Repository) storedFile(id, version string, t *metadata.TargetFiles) string {
	return filepath.Join(r.targetsDir(), filepath.FromSlash(storedPath(id, version, hex.EncodeToString(t.Hashes["sha256"]))))
}

// Withdraw stops offering a version and says so to hosts; its package is removed.
// NotFound if it is not offered.
func (r Repository) Withdraw(ctx context.Context, id, version string) error {
	return r.change(ctx, func(s *state) (bool, error) {
		targets := &s.targets.Signed
		path := targetPath(id, version)
		t, ok := targets.Targets[path]
		if !ok {
			return false, apperr.Errorf(apperr.NotFound, "The marketplace does not offer %s %s.", id, version)
		}
		list, err := withdrawnOf(targets)
		if err != nil {
			return false, err
		}
		s.drop = r.storedFile(id, version, t)
		delete(targets.Targets, path)
		return true, setWithdrawn(targets, append(list, Withdrawn{ID: id, Version: version, At: r.now().Truncate(time.Second)}))
	})
}
