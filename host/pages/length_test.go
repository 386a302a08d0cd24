package pages_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/pages"
)

// TestOneLength: however an add-on says how long its answer is, a proxy reads one
// length or none, and so never takes the next answer for a part of this one.
func TestOneLength(t *testing.T) {
	t.Parallel()
	for _, said := range [][]string{{"2"}, {"2", "200"}, {"2", "2"}, {"200", "2"}, {"+2"}, {"02"}, {"2, 200"}, {"-2"}, {"0x2"}, {"99999999999999999999"}, {""}} {
		t.Run(fmt.Sprint(said), func(t *testing.T) {
			t.Parallel()
			for _, kind := range []string{"text/html", "text/csv"} {
				header := http.Header{"Content-Type": {kind}, "Content-Length": said}
				h, _ := MustHandler(t, answer(200, header, "hi"), dana("staff:invite"), func(c *pages.Config) { c.BaseURL, c.PortalBaseURL = "http://x.example", "http://x.example" })
				for path, handler := range map[string]http.Handler{"/portal/northwind/": h.Public(), "/admin/addons/demo/": h.Staff()} {
					head, body := mustAnswer(t, handler, path)
					if n := strings.Count(head, "Content-Length:"); n > 1 || n == 1 && !strings.Contains(head, "Content-Length: "+fmt.Sprint(len(body))+"\r\n") || !strings.Contains(body, "hi") {
						t.Errorf("%s as %s: %q with\n%s", path, kind, body, head)
					}
				}
			}
		})
	}
}

// mustAnswer returns an answer as it goes over the wire, the body without its
// chunks.
func mustAnswer(tb testing.TB, h http.Handler, path string) (head, body string) {
	tb.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n", path); err != nil {
		tb.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		tb.Fatal(err)
	}
	head, _, _ = strings.Cut(string(raw), "\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(raw))), nil)
	if err != nil {
		tb.Errorf("%v:\n%s", err, raw)
		return head, ""
	}
	defer func() { _ = answer.Body.Close() }()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Errorf("%v:\n%s", err, raw)
	}
	return head + "\r\n", string(got)
}
