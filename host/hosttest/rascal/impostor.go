package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// impostor names one certificate in the handshake and shows another on its socket,
// as a process does that has come between host and add-on. It returns only when it
// cannot.
func impostor() error {
	named, err := certificate()
	if err != nil {
		return err
	}
	shown, err := certificate()
	if err != nil {
		return err
	}
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "impostor.sock")
	listener, err := tls.Listen("unix", path, &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	fmt.Printf("1|%d|unix|%s|grpc|%s\n", wire.Version, path, base64.RawStdEncoding.EncodeToString(named.Certificate[0]))
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go shake(c)
	}
}

// shake is where the host is to hang up.
func shake(c net.Conn) {
	defer func() { _ = c.Close() }() // the host has hung up
	if secured, ok := c.(*tls.Conn); ok && secured.Handshake() == nil {
		_, _ = c.Read(make([]byte, 1)) // the host talks to an impostor, and its test fails
	}
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
}
