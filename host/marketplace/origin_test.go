package marketplace_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	s := mustSite(t, m)
	endless := func(suffix string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			for strings.HasSuffix(r.URL.Path, suffix) {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
			return false
		}
	}
	c := m.mustClient(t, t.TempDir(), s.at)
	for suffix, says := range map[string]string{
		"2.root.json": "2.root.json is longer than the 524288 bytes", "timestamp.json": "timestamp.json is longer than the 16384 bytes",
		"snapshot.json": "2.snapshot.json is longer than the", "targets.json": "2.targets.json is longer than the",
	} {
		s.answer(endless(suffix))
		_, err := c.List(t.Context())
		refused(t, err, apperr.Unavailable, says)
	}
	s.answer(endless(".addon"))
	_, err := c.Fetch(t.Context(), "hello", "1.0.0")
	refused(t, err, apperr.Invalid, "it is not the one that the marketplace signed (it is longer)")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", "x")
	plain := mustSite(t, m)
	hops := func(n string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left := strings.Trim(r.URL.Query().Get("hops"), " ")
			if left == "" {
				left = n
			}
			if left = left[1:]; left == "" {
				http.Redirect(w, r, plain.URL+"/market"+r.URL.Path, http.StatusFound)
				return
			}
			http.Redirect(w, r, r.URL.Path+"?hops="+left, http.StatusFound)
		}))
		t.Cleanup(s.Close)
		return s
	}
	at := func(url string) func(*marketplace.ClientConfig) {
		return func(c *marketplace.ClientConfig) { c.URL = url }
	}
	same(t, "offers", []string{"hello 1.0.0"}, versions(t, m.mustClient(t, t.TempDir(), at(hops("xxxxx").URL))))
	_, err := m.mustClient(t, t.TempDir(), at(hops("xxxxxx").URL)).List(t.Context())
	refused(t, err, apperr.Unavailable, "cannot be reached")
	if !strings.Contains(err.Error(), "it redirects too often") {
		t.Error(err)
	}
}

func TestRedirectToPlainHTTP(t *testing.T) {
	t.Parallel()
	from := httptest.NewRequest(http.MethodGet, "https://addons.example.com/x", nil)
	for to, want := range map[string]string{
		"https://other.example.com/x": "", "http://addons.example.com/x": "it redirects from https to http",
	} {
		err := marketplace.CheckRedirect(httptest.NewRequest(http.MethodGet, to, nil), []*http.Request{from})
		if got := errText(err); got != want {
			t.Errorf("redirect to %s: %q, want %q", to, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
