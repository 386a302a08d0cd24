package marketplace_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// saved is a copy of a marketplace at one time.
type saved struct{ dir, keys string }

func copyOf(tb testing.TB, m *market) saved {
	tb.Helper()
	s := saved{filepath.Join(tb.TempDir(), "market"), filepath.Join(tb.TempDir(), "keys")}
	must(tb, os.CopyFS(s.dir, os.DirFS(m.Dir)))
	must(tb, os.CopyFS(s.keys, os.DirFS(m.Keys)))
	return s
}

// restore puts files back as they were.
func (s saved) restore(tb testing.TB, m *market, files ...string) {
	tb.Helper()
	for _, file := range files {
		mustCopy(tb, filepath.Join(s.dir, file), filepath.Join(m.Dir, file))
	}
}

func (s saved) restoreKeys(tb testing.TB, m *market) {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.keys, "*.pem"))
	must(tb, err)
	for _, file := range files {
		mustCopy(tb, file, filepath.Join(m.Keys, filepath.Base(file)))
	}
}

func mustCopy(tb testing.TB, from, to string) {
	tb.Helper()
	data, err := os.ReadFile(from)
	must(tb, err)
	must(tb, os.WriteFile(to, data, 0o600))
}

// forger is somebody who changes the served folder and holds some keys.
type forger struct {
	tb   testing.TB
	m    *market
	keys []string // files
}

func (f forger) path(file string) string { return filepath.Join(f.m.Dir, "metadata", file) }

// sign signs with the keys held whose file begins with the role's name.
func sign[T metadata.Roles](f forger, role string, m *metadata.Metadata[T], file string) []byte {
	f.tb.Helper()
	m.ClearSignatures()
	for _, key := range f.keys {
		if !strings.HasPrefix(filepath.Base(key), role+"-") {
			continue
		}
		text, err := os.ReadFile(key)
		must(f.tb, err)
		block, _ := pem.Decode(text)
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		must(f.tb, err)
		signer, err := signature.LoadED25519Signer(parsed.(ed25519.PrivateKey))
		must(f.tb, err)
		_, err = m.Sign(signer)
		must(f.tb, err)
	}
	data, err := m.ToBytes(false)
	must(f.tb, err)
	must(f.tb, os.WriteFile(f.path(file), data, 0o600))
	return data
}

func meta(version int64, data []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(data)
	return &metadata.MetaFiles{Version: version, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// forge changes the list of targets and signs all of it as well as it can, as
// the given version of everything.
func (f forger) forge(from, version int64, change func(*metadata.TargetsType)) {
	f.tb.Helper()
	until := f.m.clock().Add(5 * day)
	targets, err := metadata.Targets().FromFile(f.path(fmt.Sprintf("%d.targets.json", from)))
	must(f.tb, err)
	change(&targets.Signed)
	targets.Signed.Version = version
	data := sign(f, "targets", targets, fmt.Sprintf("%d.targets.json", version))
	snapshot := metadata.Snapshot(until)
	snapshot.Signed.Version, snapshot.Signed.Meta["targets.json"] = version, meta(version, data)
	data = sign(f, "snapshot", snapshot, fmt.Sprintf("%d.snapshot.json", version))
	timestamp := metadata.Timestamp(until)
	timestamp.Signed.Version, timestamp.Signed.Meta["snapshot.json"] = version, meta(version, data)
	sign(f, "timestamp", timestamp, "timestamp.json")
}

func (f forger) root(change func(*metadata.RootType)) {
	f.tb.Helper()
	root, err := metadata.Root().FromFile(f.path("1.root.json"))
	must(f.tb, err)
	change(&root.Signed)
	sign(f, "root", root, "2.root.json")
}

// swap offers another package under a name that is offered already.
func swap(tb testing.TB, m *market, o marketplace.Offer) func(*metadata.TargetsType) {
	return func(targets *metadata.TargetsType) {
		data := archive(tb, "hello", "Hello", "1.0.0", "evil")
		sum := sha256.Sum256(data)
		path := filepath.Join(m.Dir, "targets", "hello", fmt.Sprintf("%x.1.0.0.addon", sum))
		must(tb, os.WriteFile(path, data, 0o600))
		t := targets.Targets["hello/1.0.0.addon"]
		t.Length, t.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	}
}

// attack is a change of what is served, to hosts that know hello 1.0.0 and those
// that know nothing. says is what the operator reads, known what hosts read that
// know the marketplace, where that is something else. Fresh hosts that cannot
// tell are left out by skip.
type attack struct {
	do          func(tb testing.TB, m *market, o marketplace.Offer)
	says, known string
	skip        bool
}

// all returns who holds all keys of the roles.
func all(tb testing.TB, m *market, roles ...string) forger {
	tb.Helper()
	f := forger{tb: tb, m: m}
	for _, role := range roles {
		f.keys = append(f.keys, keyFiles(tb, m, role)...)
	}
	return f
}

// oldFiles serves what was true once.
func oldFiles() map[string]attack {
	return map[string]attack{
		"rollback": {skip: true, known: "timestamp.json is older than what this host has seen; somebody may be serving an old copy",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				old := copyOf(tb, m)
				m.mustPublish(tb, "2.0.0", "y")
				versions(tb, m.mustClient(tb, filepath.Join(filepath.Dir(m.Keys), "known")))
				old.restore(tb, m, "metadata/timestamp.json")
			}},
		"rollback of the snapshot by who holds the timestamp key": {skip: true, known: "timestamp.json is older than what this host has seen",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				f := all(tb, m, "timestamp")
				data, err := os.ReadFile(f.path("1.snapshot.json"))
				must(tb, err)
				timestamp := metadata.Timestamp(m.clock().Add(day))
				timestamp.Signed.Version, timestamp.Signed.Meta["snapshot.json"] = 9, meta(1, data)
				sign(f, "timestamp", timestamp, "timestamp.json")
			}},
		"freeze": {says: "timestamp.json expired on 28 November 2026, 12:00 UTC; either the copy is held back, or its owner has not run billhost marketplace refresh",
			do: func(_ testing.TB, m *market, _ marketplace.Offer) { m.pass(7*day + time.Second) }},
		"freeze of the snapshot": {says: "snapshot.json expired on 21 December 2026",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				f := all(tb, m, "timestamp")
				m.pass(31 * day)
				data, err := os.ReadFile(f.path("2.snapshot.json"))
				must(tb, err)
				timestamp := metadata.Timestamp(m.clock().Add(day))
				timestamp.Signed.Version, timestamp.Signed.Meta["snapshot.json"] = 9, meta(2, data)
				sign(f, "timestamp", timestamp, "timestamp.json")
			}},
		"expired list of targets": {says: "9.targets.json has expired; its owner must run billhost marketplace refresh with the targets keys",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				all(tb, m, "targets", "snapshot", "timestamp").forge(2, 9, func(t *metadata.TargetsType) { t.Expires = m.clock().Add(-time.Hour) })
			}},
		"expired root": {says: "its root expired on 21 November 2027, 12:00 UTC; its owner must sign a new one with the root keys (billhost marketplace refresh)",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				m.pass(365*day + time.Second)
				for _, key := range keyFiles(tb, m, "root") {
					must(tb, os.Remove(key))
				}
				_, err := m.Refresh(tb.Context())
				must(tb, err)
			}},
	}
}

// wrongFiles serves what was never true.
func wrongFiles() map[string]attack {
	return map[string]attack{
		"mix-and-match": {says: "3.targets.json is not the file that was signed with the rest; files of different times are mixed, or one was changed",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				m.mustPublish(tb, "2.0.0", "y")
				mustCopy(tb, filepath.Join(m.Dir, "metadata/2.targets.json"), filepath.Join(m.Dir, "metadata/3.targets.json"))
			}},
		"fast-forward without a key": {says: "timestamp.json is not signed by enough of the keys this host trusts",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				all(tb, m, "targets").forge(2, 1<<40, func(*metadata.TargetsType) {})
			}},
		"fast-forward of the root": {says: "2.root.json does not hold the version that follows the root this host trusts",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				all(tb, m, "root").root(func(r *metadata.RootType) { r.Version = 1 << 40 })
			}},
		"mixed snapshots": {says: "3.snapshot.json is not the file that was signed with the rest",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				m.mustPublish(tb, "2.0.0", "y")
				mustCopy(tb, filepath.Join(m.Dir, "metadata/2.snapshot.json"), filepath.Join(m.Dir, "metadata/3.snapshot.json"))
			}},
		"arbitrary package by who holds the keys that are online": {says: "9.targets.json is not signed by enough of the keys this host trusts",
			do: func(tb testing.TB, m *market, o marketplace.Offer) {
				all(tb, m, "snapshot", "timestamp").forge(2, 9, swap(tb, m, o))
			}},
		"one key of two": {says: "9.targets.json is not signed by enough of the keys this host trusts",
			do: func(tb testing.TB, m *market, o marketplace.Offer) {
				f := all(tb, m, "snapshot", "timestamp", "targets")
				f.keys = f.keys[:len(f.keys)-1]
				f.forge(2, 9, swap(tb, m, o))
			}},
		"one root key of two": {says: "2.root.json is not signed by enough of the keys this host trusts",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				f := forger{tb: tb, m: m, keys: keyFiles(tb, m, "root")[:1]}
				f.root(func(r *metadata.RootType) { r.Version, r.Roles["root"].Threshold = 2, 1 })
			}},
		"endless timestamp": {says: "timestamp.json is longer than the 16384 bytes it may have",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				must(tb, os.Truncate(filepath.Join(m.Dir, "metadata/timestamp.json"), 1<<40))
			}},
		"endless root": {says: "2.root.json is longer than the 524288 bytes it may have",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				path := filepath.Join(m.Dir, "metadata/2.root.json")
				must(tb, os.WriteFile(path, nil, 0o600))
				must(tb, os.Truncate(path, 1<<40))
			}},
		"something else": {says: "timestamp.json is damaged or something else altogether",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				must(tb, os.WriteFile(filepath.Join(m.Dir, "metadata/timestamp.json"), []byte("<!doctype html>"), 0o600))
			}},
		"another role's file": {says: "timestamp.json is not as it must be",
			do: func(tb testing.TB, m *market, _ marketplace.Offer) {
				mustCopy(tb, filepath.Join(m.Dir, "metadata/2.snapshot.json"), filepath.Join(m.Dir, "metadata/timestamp.json"))
			}},
	}
}

// TestAttacks changes what is served and wants hosts to refuse it, whether they
// know the marketplace already or not, and to take it once it is mended.
func TestAttacks(t *testing.T) {
	t.Parallel()
	attacks := oldFiles()
	maps.Copy(attacks, wrongFiles())
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustMarket(t, marketplace.Setup{Thresholds: map[string]int{"root": 2, "targets": 2}})
			o := m.mustPublish(t, "1.0.0", "x")
			known := m.mustClient(t, filepath.Join(filepath.Dir(m.Keys), "known"))
			same(t, "offers", []string{"hello 1.0.0"}, versions(t, known))
			a.do(t, m, o)
			if a.known == "" {
				a.known = a.says
			}
			hosts := map[string]*marketplace.Client{a.known: known}
			if !a.skip {
				hosts[a.says] = known
				_, err := m.mustClient(t, t.TempDir()).List(t.Context())
				refused(t, err, apperr.Unavailable, "The marketplace is refused: ", a.says)
			}
			for says, c := range hosts {
				_, err := c.List(t.Context())
				refused(t, err, apperr.Unavailable, "The marketplace is refused: ", says)
				_, err = c.Fetch(t.Context(), "hello", "1.0.0")
				refused(t, err, apperr.Unavailable, says)
				_, err = c.Withdrawn(t.Context())
				refused(t, err, apperr.Unavailable, says)
			}
		})
	}
}

// TestFastForwardIsUndone lets somebody with the keys of snapshot and timestamp
// set versions that the owner would never reach: new keys make hosts follow again.
func TestFastForwardIsUndone(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	c := m.mustClient(t, t.TempDir())
	versions(t, c)
	honest := copyOf(t, m)
	f := all(t, m, marketplace.Roles()...)
	f.forge(2, 1<<40, func(*metadata.TargetsType) {})
	versions(t, c)
	must(t, os.RemoveAll(m.Dir))
	must(t, os.CopyFS(m.Dir, os.DirFS(honest.dir)))
	_, err := c.List(t.Context())
	refused(t, err, apperr.Unavailable, "timestamp.json is older than what this host has seen")
	must(t, m.RotateKey(t.Context(), "snapshot"))
	must(t, m.RotateKey(t.Context(), "timestamp"))
	m.mustPublish(t, "2.0.0", "y")
	same(t, "offers", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, c))
}

// TestChangedPackages changes the file of a package.
func TestChangedPackages(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(data []byte) []byte{
		"it is cut off":           func(data []byte) []byte { return data[:len(data)-1] },
		"it is longer":            func(data []byte) []byte { return append(data, 0) },
		"its content was changed": func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
	} {
		m := mustMarket(t, marketplace.Setup{})
		o := m.mustPublish(t, "1.0.0", "x")
		path := filepath.Join(m.Dir, "targets", "hello", o.Digest+".1.0.0.addon")
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, change(data), 0o600))
		dir := t.TempDir()
		c := m.mustClient(t, dir)
		want := "The package of hello 1.0.0 is refused: it is not the one that the marketplace signed (" + says + ")."
		_, err = c.Fetch(t.Context(), "hello", "1.0.0")
		refused(t, err, apperr.Invalid, want)
		_, err = m.Verify(t.Context())
		refused(t, err, apperr.Invalid, want)
		if left, err := filepath.Glob(filepath.Join(dir, "*", "package-*")); err != nil || left != nil {
			t.Errorf("left over: %v, %v", left, err)
		}
		must(t, os.Remove(path))
		_, err = c.Fetch(t.Context(), "hello", "1.0.0")
		refused(t, err, apperr.Unavailable, "The package of hello 1.0.0 cannot be had from the marketplace.")
	}
}
