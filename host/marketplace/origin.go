package marketplace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// origin is where a marketplace's files are. A file that is not there is
// fs.ErrNotExist.
type origin interface {
	open(ctx context.Context, path string) (io.ReadCloser, error)
}

// originOf understands a folder and an address.
func originOf(where string, client *http.Client) (origin, error) {
	if !strings.Contains(where, "://") {
		dir, err := filepath.Abs(where)
		if err != nil {
			return nil, fmt.Errorf("find marketplace: %w", err)
		}
		return diskOrigin{dir}, nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("a marketplace is a folder or an address such as https://addons.example.com/market, without user, query or fragment")
	}
	if client == nil {
		client = newHTTPClient()
	}
	return webOrigin{u, client}, nil
}

// diskOrigin is a marketplace on this machine's disks.
type diskOrigin struct{ dir string }

func (f diskOrigin) open(_ context.Context, path string) (_ io.ReadCloser, err error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, unreachable{errors.New("there is no such folder")}
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Stat(filepath.FromSlash(path))
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return nil, err
	}
	return root.Open(filepath.FromSlash(path))
}

// webOrigin is a marketplace behind a web server.
type webOrigin struct {
	base   *url.URL
	client *http.Client
}

func (s webOrigin) open(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(strings.Split(path, "/")...).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, unreachable{err}
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return answer.Body, nil
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone: // file stores forbid what they lack
		err = fs.ErrNotExist
	default:
		err = unreachable{fmt.Errorf("%s answers %s", path, answer.Status)}
	}
	return nil, errors.Join(err, answer.Body.Close())
}

// unreachable means that a marketplace cannot be asked, not that it is wrong.
type unreachable struct{ cause error }

func (u unreachable) Error() string { return u.cause.Error() }
func (u unreachable) Unwrap() error { return u.cause }

// newHTTPClient is patient with slow networks, not with silent servers. It
// follows few redirects and never one from https to http.
func newHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
			IdleConnTimeout: time.Minute, MaxIdleConns: 4, MaxResponseHeaderBytes: 64 << 10,
			DisableCompression: true,
		},
		CheckRedirect: checkRedirect,
	}
}

func checkRedirect(to *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("it redirects too often")
	}
	if to.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
		return errors.New("it redirects from https to http")
	}
	return nil
}
