package serve_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"
)

// mustStranger returns a certificate that the add-on does not know.
func mustStranger(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestStrangersAreRefused: who reaches an add-on's socket without the certificate of
// the host that started it gets no answer: with another certificate, without any, in
// plain text. The add-on's own key is strong.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	p := mustLaunch(t, "plain")
	at := p.client.ReattachConfig().Addr
	answer := func(conn net.Conn) (int, error) {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // refused perhaps before it is written
		return conn.Read(make([]byte, 64))
	}
	for name, certificates := range map[string][]tls.Certificate{"another certificate": {mustStranger(t)}, "none": nil} {
		raw, err := net.Dial(at.Network(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Certificates: certificates, NextProtos: []string{"h2"}})
		if n, err := answer(conn); err == nil || n > 0 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		own := conn.ConnectionState().PeerCertificates
		if len(own) == 0 {
			t.Fatalf("%s: the add-on shows no certificate", name)
		}
		if key, ok := own[0].PublicKey.(*ecdsa.PublicKey); !ok || key.Curve.Params().BitSize < 256 {
			t.Errorf("the add-on's key: %T", own[0].PublicKey)
		}
		_ = conn.Close() // the other side has closed it
	}
	raw, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	buf := make([]byte, 64)
	if err := raw.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = raw.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) // refused perhaps before it is written
	if n, _ := raw.Read(buf); n > 0 && buf[0] != 0x15 {
		t.Errorf("plain text is answered with %q", buf[:n])
	}
	if err := p.start(t); err != nil {
		t.Errorf("its host, after that: %v", err)
	}
}
