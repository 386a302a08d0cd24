package marketplace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// site serves a marketplace as any web server does, with a say for the test.
type site struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	say   func(w http.ResponseWriter, r *http.Request) bool // true: answered
}

func mustSite(tb testing.TB, m *market) *site {
	tb.Helper()
	s := &site{}
	files := http.FileServer(http.Dir(m.Dir))
	s.Server = httptest.NewServer(http.StripPrefix("/market", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		say := s.say
		s.mu.Unlock()
		if say == nil || !say(w, r) {
			files.ServeHTTP(w, r)
		}
	})))
	tb.Cleanup(s.Close)
	return s
}

func (s *site) answer(say func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.say = say
}

// letGo ends what clients go on asking a silent site in the background.
func (s *site) letGo(tb testing.TB, clients ...*marketplace.Client) {
	tb.Helper()
	s.answer(nil)
	s.CloseClientConnections()
	for _, c := range clients {
		_, err := c.List(tb.Context())
		if err != nil && !apperr.Is(err, apperr.Unavailable) && !apperr.Is(err, apperr.Invalid) {
			tb.Error(err)
		}
	}
}

func (s *site) at(c *marketplace.ClientConfig) { c.URL = s.URL + "/market" }

func down(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusBadGateway)
	return true
}

func TestWebServer(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0+build.7", "x")
	s := mustSite(t, m)
	c := m.mustClient(t, t.TempDir(), s.at)
	same(t, "offers", []string{"hello 1.0.0+build.7"}, versions(t, c))
	want := archive(t, "hello", "Hello", "1.0.0+build.7", "x")
	if !bytes.Equal(want, mustRead(t, c, "hello", "1.0.0+build.7")) {
		t.Error("the package changed on its way")
	}
	must(t, m.RotateKey(t.Context(), "root"))
	s.answer(func(w http.ResponseWriter, r *http.Request) bool { // file stores forbid what they lack
		_, err := os.Stat(filepath.Join(m.Dir, filepath.FromSlash(r.URL.Path)))
		if err == nil {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	same(t, "offers", []string{"hello 1.0.0+build.7"}, versions(t, c))
}

func TestOffline(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	s := mustSite(t, m)
	dir := t.TempDir()
	s.answer(down)
	c := m.mustClient(t, dir, s.at)
	_, err := c.List(t.Context())
	refused(t, err, apperr.Unavailable, "The marketplace cannot be reached, and nothing is known of it yet.")
	s.answer(nil)
	versions(t, c)
	for name, away := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"down": down,
		"half there": func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "snapshot.json") && down(w, r)
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			_, err := io.WriteString(w, "{")
			return err == nil
		},
	} {
		_, err := m.Refresh(t.Context())
		must(t, err)
		s.answer(away)
		same(t, name+": offers", []string{"hello 1.0.0"}, versions(t, c))
		same(t, name+": offers to another process", []string{"hello 1.0.0"}, versions(t, m.mustClient(t, dir, s.at)))
	}
	s.answer(down)
	_, err = c.Fetch(t.Context(), "hello", "1.0.0")
	refused(t, err, apperr.Unavailable, "The package of hello 1.0.0 cannot be had from the marketplace.")
	m.pass(7*day + time.Second)
	_, err = c.List(t.Context())
	refused(t, err, apperr.Unavailable, "The marketplace cannot be reached, and what is known of it expired on 28 November 2026, 12:00 UTC.")
	s.answer(nil)
	_, err = m.Refresh(t.Context())
	must(t, err)
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	if n := strings.Count(m.log.String(), "marketplace cannot be reached"); n < 5 {
		t.Errorf("%d warnings:\n%s", n, m.log.String())
	}
}

func TestOfflineWithAnExpiredList(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	f := all(t, m, marketplace.Roles()...)
	f.forge(2, 9, func(targets *metadata.TargetsType) { targets.Expires = m.clock().Add(time.Hour) })
	s := mustSite(t, m)
	c := m.mustClient(t, t.TempDir(), s.at)
	versions(t, c)
	s.answer(down)
	m.pass(2 * time.Hour)
	_, err := c.List(t.Context())
	refused(t, err, apperr.Unavailable, "cannot be reached, and what is known of it has expired.")
}

// TestAnswersCountForAWhile asks often, and once the moment has passed.
func TestAnswersCountForAWhile(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	s := mustSite(t, m)
	c := m.mustClient(t, t.TempDir(), s.at, func(c *marketplace.ClientConfig) { c.Every = 0 })
	versions(t, c)
	asked := s.asked.Load()
	m.mustPublish(t, "1.0.0", "x")
	m.pass(59 * time.Second)
	if got := versions(t, c); got != nil || s.asked.Load() != asked {
		t.Errorf("offers = %v, asked %d times", got, s.asked.Load()-asked)
	}
	m.pass(time.Second)
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	s.answer(down)
	m.pass(time.Minute)
	versions(t, c)
	asked = s.asked.Load()
	versions(t, c)
	if s.asked.Load() != asked {
		t.Error("a server that is down is asked again at once")
	}
	c = m.mustClient(t, t.TempDir(), func(c *marketplace.ClientConfig) { c.Every = 0 })
	versions(t, c)
	m.mustPublish(t, "2.0.0", "x")
	same(t, "offers of a folder", []string{"hello 2.0.0", "hello 1.0.0"}, versions(t, c))
	c = m.mustClient(t, t.TempDir(), func(c *marketplace.ClientConfig) { c.Every = 30 * day })
	versions(t, c)
	m.pass(7*day + time.Second)
	_, err := c.List(t.Context())
	refused(t, err, apperr.Unavailable, "timestamp.json expired")
}

// TestSilentServer never answers: a look and a download take as long as they may,
// and who gives up earlier does not wait.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	s := mustSite(t, m)
	quick := func(c *marketplace.ClientConfig) {
		// The marketplace answers at first, within any time but none.
		c.Timeout, c.DownloadTimeout = 3*time.Second, time.Second
	}
	c := m.mustClient(t, t.TempDir(), s.at, quick)
	s.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".addon") {
			<-r.Context().Done()
		}
		return false
	})
	_, err := c.Fetch(t.Context(), "hello", "1.0.0")
	refused(t, err, apperr.Unavailable, "cannot be had")
	s.answer(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, c))
	c = m.mustClient(t, t.TempDir(), s.at, func(c *marketplace.ClientConfig) { c.Timeout = time.Minute })
	defer s.letGo(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.List(ctx); !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) || apperr.Is(err, apperr.Unavailable) {
		t.Errorf("List = %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	want := archive(t, "hello", "Hello", "1.0.0", "x")
	s := mustSite(t, m)
	dir := t.TempDir()
	clients := []*marketplace.Client{m.mustClient(t, dir, s.at), m.mustClient(t, dir, s.at)}
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			ctx := context.WithoutCancel(t.Context())
			c := clients[i%2]
			if list, err := c.List(ctx); err != nil || len(list) != 1 {
				t.Errorf("List = %v, %v", list, err)
			}
			r, err := c.Fetch(ctx, "hello", "1.0.0")
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) || r.Close() != nil {
				t.Errorf("Fetch brought %d bytes, %v", len(got), err)
			}
		})
	}
	wait.Go(func() {
		if _, err := m.Refresh(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	wait.Wait()
}

// TestWhatIsKept looks at the folder of a host: one file, readable by its owner
// only; a damaged one is said to be, and the root of another marketplace starts
// afresh.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	m, other := mustMarket(t, marketplace.Setup{}), mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	dir := t.TempDir()
	c := m.mustClient(t, dir)
	versions(t, c)
	mustRead(t, c, "hello", "1.0.0")
	files, err := filepath.Glob(filepath.Join(dir, "*", "[^.]*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "trusted.json" {
		t.Fatalf("files = %v, %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	if got := versions(t, other.mustClient(t, dir)); got != nil {
		t.Errorf("another marketplace offers %v", got)
	}
	must(t, os.WriteFile(files[0], []byte("{"), 0o600))
	_, err = c.List(t.Context())
	refused(t, err, apperr.Unavailable, "What this host knows of the marketplace is damaged; remove the file trusted.json, and it learns anew.")
	if !strings.Contains(err.Error(), files[0]) {
		t.Errorf("the log does not name the file: %v", err)
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	text := filepath.Join(t.TempDir(), "text.json")
	must(t, os.WriteFile(text, []byte("no root"), 0o600))
	for _, root := range []string{text, filepath.Join(m.Dir, "metadata", "1.targets.json")} {
		_, err := marketplace.NewClient(marketplace.ClientConfig{URL: m.Dir, Root: root, DataDir: t.TempDir()})
		refused(t, err, apperr.Invalid, root+" is not the root of a marketplace; ask its owner for the file metadata/1.root.json.")
	}
	if _, err := marketplace.NewClient(marketplace.ClientConfig{URL: m.Dir, Root: filepath.Join(m.Dir, "none"), DataDir: t.TempDir()}); err == nil {
		t.Error("a missing root is taken")
	}
	for _, url := range []string{"ftp://x", "https://", "https://user:secret@x", "https://x?a=b", "https://x#a"} {
		_, err := marketplace.NewClient(marketplace.ClientConfig{URL: url, Root: m.RootFile(), DataDir: t.TempDir()})
		if err == nil || !strings.HasPrefix(err.Error(), "a marketplace is a folder or an address such as") {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := m.mustClient(t, t.TempDir(), func(c *marketplace.ClientConfig) { c.URL = filepath.Join(m.Dir, "none") }).List(t.Context())
	refused(t, err, apperr.Unavailable, "cannot be reached, and nothing is known of it yet.")
}

// TestPipeIsNotDownloaded puts a pipe there, which would keep its reader for ever.
func TestPipeIsNotDownloaded(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	o := m.mustPublish(t, "1.0.0", "x")
	path := filepath.Join(m.Dir, "targets", "hello", o.Digest+".1.0.0.addon")
	must(t, os.Remove(path))
	must(t, syscall.Mkfifo(path, 0o600))
	_, err := m.mustClient(t, t.TempDir()).Fetch(t.Context(), "hello", "1.0.0")
	refused(t, err, apperr.Unavailable, "cannot be had")
}

// TestNewerManifestsAreLeftOut offers what only a newer host understands.
func TestNewerManifestsAreLeftOut(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	f := all(t, m, marketplace.Roles()...)
	f.forge(2, 9, func(targets *metadata.TargetsType) {
		odd := *targets.Targets["hello/1.0.0.addon"]
		text := bytes.Replace(*odd.Custom, []byte("summary:"), []byte("newer: 1\\nsummary:"), 1)
		odd.Custom = (*json.RawMessage)(&text)
		targets.Targets["hello/2.0.0.addon"] = &odd
		bare := odd
		bare.Custom = nil
		targets.Targets["hello/3.0.0.addon"] = &bare
		targets.Targets["hello/4.0.0.addon"] = targets.Targets["hello/1.0.0.addon"]
	})
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, m.mustClient(t, t.TempDir())))
	for _, path := range []string{"hello/2.0.0.addon", "hello/3.0.0.addon", "hello/4.0.0.addon"} {
		if !strings.Contains(m.log.String(), path) {
			t.Errorf("%s is not logged:\n%s", path, m.log.String())
		}
	}
}
