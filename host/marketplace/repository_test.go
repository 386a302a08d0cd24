package marketplace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

const day = 24 * time.Hour

// market is a signed marketplace and its clock.
type market struct {
	marketplace.Repository
	mu  sync.Mutex
	now time.Time
	log safeBuffer
}

// safeBuffer is a log that several looks write in the background.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (m *market) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *market) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

func mustMarket(tb testing.TB, setup marketplace.Setup) *market {
	tb.Helper()
	dir := tb.TempDir()
	m := &market{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	m.Repository = marketplace.Repository{Dir: filepath.Join(dir, "market"), Keys: filepath.Join(dir, "keys"), Now: m.clock}
	must(tb, m.Init(tb.Context(), setup))
	return m
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// mustFile puts a package of hello somewhere.
func mustFile(tb testing.TB, version, program string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "hello.addon")
	must(tb, os.WriteFile(path, archive(tb, "hello", "Hello", version, program), 0o600))
	return path
}

func (m *market) mustPublish(tb testing.TB, version, program string) marketplace.Offer {
	tb.Helper()
	o, changed, err := m.Publish(tb.Context(), mustFile(tb, version, program), false)
	must(tb, err)
	if !changed {
		tb.Fatalf("publishing %s changed nothing", version)
	}
	return o
}

// mustClient returns a host's view, with what it keeps in dir.
func (m *market) mustClient(tb testing.TB, dir string, change ...func(*marketplace.ClientConfig)) *marketplace.Client {
	tb.Helper()
	config := marketplace.ClientConfig{
		URL: m.Dir, Root: m.RootFile(), DataDir: dir, Now: m.clock, Every: -1,
		Log: slog.New(slog.NewTextHandler(&m.log, nil)),
	}
	for _, f := range change {
		f(&config)
	}
	c, err := marketplace.NewClient(config)
	must(tb, err)
	return c
}

func versions(tb testing.TB, from marketplace.Source) []string {
	tb.Helper()
	list, err := from.List(tb.Context())
	must(tb, err)
	var names []string
	for _, o := range list {
		names = append(names, o.Manifest.ID+" "+o.Manifest.Version)
	}
	return names
}

func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// refused wants an error with a code whose message holds each of the texts.
func refused(tb testing.TB, err error, code apperr.Code, texts ...string) {
	tb.Helper()
	if !apperr.Is(err, code) {
		tb.Fatalf("error = %v, want %s", err, code)
	}
	if message := apperr.MessageOf(err); code == apperr.Unavailable && (strings.Contains(message, "/tmp") || strings.Contains(message, "://")) {
		tb.Errorf("staff read where the marketplace is: %s", message)
	}
	for _, text := range texts {
		if !strings.Contains(apperr.MessageOf(err), text) {
			tb.Errorf("error says %q, want %q in it (%v)", apperr.MessageOf(err), text, err)
		}
	}
}

func mustRead(tb testing.TB, from marketplace.Source, id, version string) []byte {
	tb.Helper()
	r, err := from.Fetch(tb.Context(), id, version)
	must(tb, err)
	data, err := io.ReadAll(r)
	must(tb, err)
	must(tb, r.Close())
	return data
}

func TestPublishedPackagesAreOffered(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	c := m.mustClient(t, t.TempDir())
	if got := versions(t, c); got != nil {
		t.Errorf("an empty marketplace offers %v", got)
	}
	file := mustFile(t, "1.9.0", "one")
	o, changed, err := m.Publish(t.Context(), file, false)
	if err != nil || !changed {
		t.Fatalf("Publish = %v, %v", changed, err)
	}
	m.mustPublish(t, "1.10.0", "two")
	same(t, "offers", []string{"hello 1.10.0", "hello 1.9.0"}, versions(t, c))
	digest, err := pack.Digest(file)
	must(t, err)
	data, err := os.ReadFile(file)
	must(t, err)
	list, err := c.List(t.Context())
	must(t, err)
	same(t, "offer", o, list[1])
	got := []any{o.Digest, o.Size, o.PackedAt, o.Manifest.Publisher}
	same(t, "facts", []any{digest, int64(len(data)), m.clock(), "Acme"}, got)
	if !bytes.Equal(data, mustRead(t, c, "hello", "1.9.0")) {
		t.Error("the package changed on its way")
	}
	if _, err := os.Stat(filepath.Join(m.Dir, "targets", "hello", digest+".1.9.0.addon")); err != nil {
		t.Error(err)
	}
	list[0], list[1] = list[1], list[0]
	same(t, "offers after a caller moved its list", []string{"hello 1.10.0", "hello 1.9.0"}, versions(t, c))
}

func TestPublishAgain(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	first := mustFile(t, "1.0.0", "one")
	for _, want := range []bool{true, false} {
		if o, changed, err := m.Publish(t.Context(), first, false); err != nil || changed != want || o.Manifest.ID != "hello" {
			t.Fatalf("Publish = %v, %v, %v, want %v", o, changed, err, want)
		}
	}
	other := mustFile(t, "1.0.0", "other")
	_, _, err := m.Publish(t.Context(), other, false)
	refused(t, err, apperr.Conflict, "hello 1.0.0 is published with other content; give the new package a new version.")
	_, changed, err := m.Publish(t.Context(), other, true)
	if err != nil || !changed {
		t.Fatalf("replace = %v, %v", changed, err)
	}
	want, err := os.ReadFile(other)
	must(t, err)
	if !bytes.Equal(want, mustRead(t, m.mustClient(t, t.TempDir()), "hello", "1.0.0")) {
		t.Error("the package was not replaced")
	}
	if files, err := filepath.Glob(filepath.Join(m.Dir, "targets", "hello", "*")); err != nil || len(files) != 1 {
		t.Errorf("packages = %v, %v", files, err)
	}
}

func TestPublishRefusesWhatIsNoPackage(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	good := archive(t, "hello", "Hello", "1.0.0", "x")
	path := filepath.Join(t.TempDir(), "x.addon")
	for _, data := range [][]byte{[]byte("text"), good[:len(good)-9]} {
		must(t, os.WriteFile(path, data, 0o600))
		_, _, err := m.Publish(t.Context(), path, false)
		refused(t, err, apperr.Invalid)
	}
	if offers, _, err := m.List(); err != nil || len(offers) != 0 {
		t.Errorf("offers = %v, %v", offers, err)
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "one")
	o := m.mustPublish(t, "2.0.0", "two")
	c := m.mustClient(t, t.TempDir())
	same(t, "offers", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, c))
	must(t, m.Withdraw(t.Context(), "hello", "2.0.0"))
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	want := []marketplace.Withdrawn{{ID: "hello", Version: "2.0.0", At: m.clock()}}
	list, err := c.Withdrawn(t.Context())
	must(t, err)
	same(t, "withdrawn", want, list)
	_, list, err = m.List()
	must(t, err)
	same(t, "withdrawn of the repository", want, list)

	const says = "hello 2.0.0 was withdrawn from the marketplace on 21 November 2026 (UTC)."
	_, err = c.Fetch(t.Context(), "hello", "2.0.0")
	refused(t, err, apperr.NotFound, says)
	_, err = marketplace.Unpack(t.Context(), c, "hello", "2.0.0", t.TempDir())
	refused(t, err, apperr.NotFound, says)
	_, err = c.Fetch(t.Context(), "hello", "3.0.0")
	refused(t, err, apperr.NotFound, "The marketplace does not offer hello 3.0.0.")
	if _, err := os.Stat(filepath.Join(m.Dir, "targets", "hello", o.Digest+".2.0.0.addon")); !os.IsNotExist(err) {
		t.Errorf("the package is still there: %v", err)
	}
	refused(t, m.Withdraw(t.Context(), "hello", "2.0.0"), apperr.NotFound, "The marketplace does not offer hello 2.0.0.")
	_, _, err = m.Publish(t.Context(), mustFile(t, "2.0.0", "two"), false)
	refused(t, err, apperr.Conflict, "hello 2.0.0 was withdrawn; give the new package a new version.")
	_, _, err = m.Publish(t.Context(), mustFile(t, "2.0.0", "two"), true)
	must(t, err)
	same(t, "offers after all", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, c))
	if list, err := c.Withdrawn(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("withdrawn = %v, %v", list, err)
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{Thresholds: map[string]int{"root": 2, "targets": 2}, Numbers: map[string]int{"root": 3}})
	files, err := os.ReadDir(m.Keys)
	must(t, err)
	count := map[string]int{}
	for _, f := range files {
		role, _, ok := strings.Cut(f.Name(), "-")
		if !ok {
			continue
		}
		count[role]++
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	same(t, "keys", map[string]int{"root": 3, "targets": 2, "snapshot": 1, "timestamp": 1}, count)
	if info, err := os.Stat(m.Keys); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of keys: %v, %v", info.Mode(), err)
	}
	refused(t, m.Init(t.Context(), marketplace.Setup{}), apperr.Conflict, "There is a marketplace in "+m.Dir+" already.")
	list, err := m.Verify(t.Context())
	must(t, err)
	at := m.clock()
	same(t, "expiries", []marketplace.Expiry{
		{Role: "root", At: at.Add(365 * day)}, {Role: "targets", At: at.Add(365 * day)},
		{Role: "snapshot", At: at.Add(30 * day)}, {Role: "timestamp", At: at.Add(7 * day)},
	}, list)
}

func TestInitRefusesNonsense(t *testing.T) {
	t.Parallel()
	for text, setup := range map[string]marketplace.Setup{
		`There is no role "boss"; the roles are root, targets, snapshot and timestamp.`: {Thresholds: map[string]int{"boss": 1}},
		"root cannot take 2 signatures of 1 keys.":                                      {Thresholds: map[string]int{"root": 2}, Numbers: map[string]int{"root": 1}},
		"targets cannot take 1 signatures of 17 keys.":                                  {Numbers: map[string]int{"targets": 17}},
		"root cannot take 1 signatures of 1 keys.":                                      {Thresholds: map[string]int{"root": -1}},
	} {
		r := marketplace.Repository{Dir: filepath.Join(t.TempDir(), "m"), Keys: filepath.Join(t.TempDir(), "k")}
		refused(t, r.Init(t.Context(), setup), apperr.Invalid, text)
	}
}

func TestNoMarketplace(t *testing.T) {
	t.Parallel()
	r := marketplace.Repository{Dir: t.TempDir(), Keys: t.TempDir()}
	_, err := r.Refresh(t.Context())
	refused(t, err, apperr.NotFound, "There is no marketplace in "+r.Dir+"; billhost marketplace init makes one.")
	r.Keys = filepath.Join(r.Keys, "none")
	_, err = r.Refresh(t.Context())
	refused(t, err, apperr.NotFound, "There is no folder of keys at "+r.Keys+".")
}

func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	c := m.mustClient(t, t.TempDir())
	var wait sync.WaitGroup
	for i := range 8 {
		file := mustFile(t, fmt.Sprintf("1.%d.0", i), "x")
		wait.Go(func() {
			if _, _, err := m.Publish(context.WithoutCancel(t.Context()), file, false); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if _, err := c.List(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Go(func() {
		if err := m.RotateKey(context.WithoutCancel(t.Context()), marketplace.RoleTimestamp); err != nil {
			t.Error(err)
		}
	})
	wait.Wait()
	if got := versions(t, c); len(got) != 8 {
		t.Errorf("offers = %v", got)
	}
}

func TestOldListsAreClearedAway(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	c := m.mustClient(t, t.TempDir())
	m.mustPublish(t, "1.0.0", "x")
	for range 20 {
		_, err := m.Refresh(t.Context())
		must(t, err)
	}
	files, err := filepath.Glob(filepath.Join(m.Dir, "metadata", "*.snapshot.json"))
	if err != nil || len(files) != 10 {
		t.Errorf("%d snapshots stay: %v", len(files), err)
	}
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	_, err = m.Verify(t.Context())
	must(t, err)
}

// TestChangesWait lets another process hold the marketplace.
func TestChangesWait(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	held, err := os.Open(filepath.Join(m.Keys, ".lock"))
	must(t, err)
	must(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Refresh = %v", err)
	}
	must(t, held.Close())
	_, err = m.Refresh(t.Context())
	must(t, err)
}
