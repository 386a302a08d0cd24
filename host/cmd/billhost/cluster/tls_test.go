package cluster_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// mustImpostor listens like a PostgreSQL. Asked for TLS it answers S and shows a
// certificate that nobody trusts, or answers N: it has none.
func mustImpostor(t *testing.T, answer string) (dsn string) {
	t.Helper()
	certs := httptest.NewTLSServer(nil)
	config := &tls.Config{Certificates: certs.TLS.Certificates, MinVersion: tls.VersionTLS12}
	certs.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			go func() {
				defer c.Close()
				request := make([]byte, 8) // for TLS
				if _, err := io.ReadFull(c, request); err != nil {
					return
				}
				if _, err := c.Write([]byte(answer)); err != nil || answer == "N" {
					return
				}
				if tls.Server(c, config).Handshake() == nil {
					t.Error("billhost trusts an impostor")
				}
			}()
		}
	}()
	return "postgres://postgres@" + l.Addr().String() + "/postgres?sslmode=verify-full"
}

// TestDatabaseThatIsNotSecure: where the connection is to be secure and is not,
// billhost does not start, and says why.
func TestDatabaseThatIsNotSecure(t *testing.T) {
	t.Parallel()
	c := newCluster(t, dbtest.Postgres(t), t.TempDir())
	c.prepare()
	impostor := mustImpostor(t, "S")
	for _, tt := range []struct{ variable, url, want string }{
		{"DATABASE_URL", impostor, "tls: failed to verify certificate"},
		{"DATABASE_DIRECT_URL", impostor, "tls: failed to verify certificate"},
		{"DATABASE_URL", mustImpostor(t, "N"), "SSL is not enabled on the server"},
	} {
		n := c.begin([]string{"serve"}, tt.variable+"="+tt.url)
		hosttest.Until(t, "it ends", func() bool {
			select {
			case <-n.ended:
				return true
			default:
				return false
			}
		})
		if text := n.text(); !strings.Contains(text, "The database cannot be reached") || !strings.Contains(text, tt.want) {
			t.Errorf("%s=%s: it printed, want %q:\n%s", tt.variable, tt.url, tt.want, text)
		}
	}
}
