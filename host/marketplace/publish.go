package marketplace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	documents         map[string][]byte // by name
}

// maxArchive is more than any package that can be unpacked has.
const maxArchive = 256 << 20

// takeIn copies a package, so that what is checked is what is published, and
// checks it.
func takeIn(file, temp string) (_ incoming, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return incoming{}, fmt.Errorf("open package: %w", err)
	}
	if !info.Mode().IsRegular() {
		return incoming{}, apperr.Errorf(apperr.Invalid, "%s is no regular file.", file)
	}
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
	if in.size, err = io.Copy(to, io.LimitReader(from, maxArchive+1)); err != nil {
		return incoming{}, fmt.Errorf("copy package: %w", err)
	}
	if in.size > maxArchive {
		return incoming{}, apperr.Errorf(apperr.Invalid, "%s has more than the %d bytes that a package may have.", file, maxArchive)
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
	return in, in.takeDocuments()
}

// takeDocuments reads what is published beside the package. Invalid if one of it
// is too long, or no picture that can be shown: its author should know.
func (in *incoming) takeDocuments() error {
	in.documents = map[string][]byte{}
	for _, name := range documents() {
		file := documentFile(in.Manifest, name)
		if _, ok := in.File(file); file == "" || !ok {
			continue
		}
		data, err := os.ReadFile(in.Path(file))
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := checkDocument(file, data); err != nil {
			return err
		}
		in.documents[name] = data
	}
	return nil
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
		r.retire(s, m.ID, m.Version)
	}
	t, err := r.store(in)
	if err != nil {
		return Offer{}, false, err
	}
	targets.Targets[path] = t
	if err := r.storeDocuments(s, in); err != nil {
		return Offer{}, false, err
	}
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
	if err := makeDirs(filepath.Dir(path), 0o755); err != nil {
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

// storeDocuments puts what can be read before the package among the targets.
func (r Repository) storeDocuments(s *state, in incoming) error {
	for name, data := range in.documents {
		target := documentPath(in.Manifest, name)
		sum := sha256.Sum256(data)
		t := &metadata.TargetFiles{Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
		file := r.storedFile(target, t)
		if err := makeDirs(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
		if err := writeFile(file, data, 0o644); err != nil {
			return err
		}
		s.targets.Signed.Targets[target] = t
		s.drop = slices.DeleteFunc(s.drop, func(old string) bool { return old == file })
	}
	return nil
}

// retire takes a version and its documents from the list; their files go once that
// is served.
func (r Repository) retire(s *state, id, version string) {
	for target, t := range s.targets.Signed.Targets {
		if target == targetPath(id, version) || strings.HasPrefix(target, id+"/"+version+"/") {
			s.drop = append(s.drop, r.storedFile(target, t))
			delete(s.targets.Signed.Targets, target)
		}
	}
}

// storedFile is the file of a target.
func (r Repository) storedFile(target string, t *metadata.TargetFiles) string {
	return filepath.Join(r.targetsDir(), filepath.FromSlash(storedDocument(target, hex.EncodeToString(t.Hashes["sha256"]))))
}

// Withdraw stops offering a version and says so to hosts; its package is removed.
// NotFound if it is not offered.
func (r Repository) Withdraw(ctx context.Context, id, version string) error {
	return r.change(ctx, func(s *state) (bool, error) {
		targets := &s.targets.Signed
		path := targetPath(id, version)
		if _, ok := targets.Targets[path]; !ok {
			return false, apperr.Errorf(apperr.NotFound, "The marketplace does not offer %s %s.", id, version)
		}
		list, err := withdrawnOf(targets)
		if err != nil {
			return false, err
		}
		r.retire(s, id, version)
		return true, setWithdrawn(targets, append(list, Withdrawn{ID: id, Version: version, At: r.now().Truncate(time.Second)}))
	})
}
