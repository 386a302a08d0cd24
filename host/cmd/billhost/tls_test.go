package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mustCertificate writes a certificate for 127.0.0.1 and its key.
func mustCertificate(tb testing.TB) (cert, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return cert, key
}

// TestOnlyRecentTLS: the listener speaks TLS 1.3, or 1.2 with forward secrecy and
// authenticated encryption, and nothing else.
func TestOnlyRecentTLS(t *testing.T) {
	t.Parallel()
	s := &server{}
	s.config.TLSCertFile, s.config.TLSKeyFile = mustCertificate(t)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.listenAndServe(srv) }()
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	}()
	dial := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true // which certificate it is, is not asked here
		conn, err := tls.Dial("tcp", s.listener.Addr().String(), c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	if state, err := dial(&tls.Config{}); err != nil || state.Version != tls.VersionTLS13 {
		t.Errorf("anything: version %x, %v", state.Version, err)
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := dial(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("version %x is spoken", version)
		}
	}
	served := 0
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		_, err := dial(&tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		strong := strings.HasPrefix(suite.Name, "TLS_ECDHE_ECDSA_") && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_POLY1305_"))
		if strong != (err == nil) {
			t.Errorf("%s: %v", suite.Name, err)
		}
		if err == nil {
			served++
		}
	}
	if served != 3 {
		t.Errorf("%d suites of TLS 1.2", served)
	}
}

// TestTraceIsRefused: no address of the platform, of its files and of add-ons
// answers TRACE with what was sent.
func TestTraceIsRefused(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	session, _ := s.mustOwner(t)
	for _, e := range s.everywhere() {
		res := s.ask(t.Context(), http.MethodTrace, e[1], e[2], session)
		var body strings.Builder
		if err := res.Write(&body); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode < 300 || res.StatusCode >= 500 || strings.Contains(body.String(), session.Value) {
			t.Errorf("TRACE %s%s: %s", e[1], e[2], res.Status)
		}
	}
}
