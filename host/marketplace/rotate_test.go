package marketplace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func keyFiles(tb testing.TB, m *market, role string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(m.Keys, role+"-*.pem"))
	must(tb, err)
	return files
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	for _, role := range marketplace.Roles() {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			m := mustMarket(t, marketplace.Setup{Thresholds: map[string]int{role: 2}, Numbers: map[string]int{role: 3}})
			m.mustPublish(t, "1.0.0", "x")
			old := m.mustClient(t, t.TempDir())
			same(t, "offers", []string{"hello 1.0.0"}, versions(t, old))
			before := keyFiles(t, m, role)
			must(t, m.RotateKey(t.Context(), role))
			must(t, m.RotateKey(t.Context(), role))
			after := keyFiles(t, m, role)
			if len(after) != 3 {
				t.Errorf("keys = %v", after)
			}
			for _, b := range before {
				if _, err := os.Stat(b); !os.IsNotExist(err) {
					t.Errorf("%s is still there", b)
				}
			}
			m.mustPublish(t, "2.0.0", "y")
			for what, c := range map[string]*marketplace.Client{"old": old, "new": m.mustClient(t, t.TempDir())} {
				same(t, what+" client's offers", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, c))
			}
			_, err := m.Verify(t.Context())
			must(t, err)
		})
	}
}

func TestRotateKeyNeedsKeys(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{Thresholds: map[string]int{"root": 2}, Numbers: map[string]int{"root": 3}})
	refused(t, m.RotateKey(t.Context(), "boss"), apperr.Invalid, `There is no role "boss"`)
	keys := keyFiles(t, m, "root")
	must(t, os.Remove(keys[0]))
	must(t, m.RotateKey(t.Context(), "targets"))
	must(t, os.Remove(keys[1]))
	refused(t, m.RotateKey(t.Context(), "root"), apperr.Invalid, "To sign as root takes 2 of its keys; the folder of keys holds 1.")
	if got := keyFiles(t, m, "root"); len(got) != 1 {
		t.Errorf("keys that nobody knows are left: %v", got)
	}
	must(t, os.Remove(keyFiles(t, m, "targets")[0]))
	_, _, err := m.Publish(t.Context(), mustFile(t, "1.0.0", "x"), false)
	refused(t, err, apperr.Invalid, "To sign as targets takes 1 of its keys; the folder of keys holds 0.")
	_, err = m.Refresh(t.Context())
	must(t, err)
	_, err = m.Verify(t.Context())
	must(t, err)
}

func TestLostKeyIsReplaced(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"targets", "snapshot", "timestamp"} {
		m := mustMarket(t, marketplace.Setup{})
		m.mustPublish(t, "1.0.0", "x")
		c := m.mustClient(t, t.TempDir())
		versions(t, c)
		must(t, os.Remove(keyFiles(t, m, role)[0]))
		must(t, m.RotateKey(t.Context(), role))
		same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	}
}

func TestKeysOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	key := keyFiles(t, m, "targets")[0]
	must(t, os.Chmod(key, 0o640))
	_, err := m.Verify(t.Context())
	refused(t, err, apperr.Invalid, "Others can read the key "+key+"; run chmod 600 on it, and rotate it if they might have.")
	must(t, os.Chmod(key, 0o600))
	must(t, os.WriteFile(key, []byte("no key"), 0o600))
	_, err = m.Verify(t.Context())
	refused(t, err, apperr.Invalid, key+" holds no key.")
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	c := m.mustClient(t, t.TempDir())
	versions(t, c)
	start := m.clock()
	m.pass(6 * day)
	list, err := m.Refresh(t.Context())
	must(t, err)
	same(t, "expiries", []marketplace.Expiry{
		{Role: "root", At: start.Add(365 * day)}, {Role: "targets", At: start.Add(365 * day)},
		{Role: "snapshot", At: start.Add(36 * day)}, {Role: "timestamp", At: start.Add(13 * day)},
	}, list)
	m.pass(300 * day)
	list, err = m.Refresh(t.Context())
	must(t, err)
	same(t, "expiries within 60 days of the end", []marketplace.Expiry{
		{Role: "root", At: start.Add((306 + 365) * day)}, {Role: "targets", At: start.Add((306 + 365) * day)},
		{Role: "snapshot", At: start.Add(336 * day)}, {Role: "timestamp", At: start.Add(313 * day)},
	}, list)
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	verified, err := m.Verify(t.Context())
	must(t, err)
	same(t, "verified", list, verified)
}

// TestInterrupted puts the marketplace back to what each step of a change leaves
// when it is the last one: hosts go on, and so does the owner.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	changes := map[string]func(tb testing.TB, m *market){
		"publish": func(tb testing.TB, m *market) { m.mustPublish(tb, "2.0.0", "y") },
	}
	for _, role := range marketplace.Roles() {
		changes["rotate "+role] = func(tb testing.TB, m *market) { must(tb, m.RotateKey(tb.Context(), role)) }
	}
	written := []string{"3.targets.json", "3.snapshot.json", "timestamp.json", "2.root.json"}
	for name, change := range changes {
		for n := range len(written) + 1 {
			t.Run(fmt.Sprintf("%s, %d files", name, n), func(t *testing.T) {
				t.Parallel()
				testInterrupted(t, change, written[n:])
			})
		}
	}
}

func testInterrupted(t *testing.T, change func(testing.TB, *market), missing []string) {
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	c := m.mustClient(t, t.TempDir())
	versions(t, c)
	before := copyOf(t, m)
	change(t, m)
	before.restoreKeys(t, m) // the old ones go last
	for _, file := range missing {
		must(t, os.RemoveAll(filepath.Join(m.Dir, "metadata", file)))
		if file == "timestamp.json" {
			before.restore(t, m, "metadata/timestamp.json")
		}
	}
	for _, step := range []func(){
		func() {},
		func() {
			_, err := m.Refresh(t.Context())
			must(t, err)
		},
		func() { m.mustPublish(t, "3.0.0", "z") },
	} {
		step()
		if got := versions(t, c); !slices.Contains(got, "hello 1.0.0") {
			t.Errorf("offers = %v", got)
		}
		if _, err := m.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := versions(t, c); got[0] != "hello 3.0.0" {
		t.Errorf("offers = %v", got)
	}
}
