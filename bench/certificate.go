package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// credentials are the certificate and key with which every server of a run answers: ECDSA P-256, signed
// by itself, in a directory of files, since that is what nginx wants and what a child can be told.
type credentials struct {
	dir  string
	pool *x509.CertPool // trusts it
}

// The files of credentials.
const (
	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// validity covers a run on a machine whose clock is a little off.
const validity = 24 * time.Hour

// newCredentials makes a certificate for 127.0.0.1 in a directory of its own, which remove deletes.
func newCredentials() (c *credentials, remove func(), err error) {
	cert, key, err := newCertificate(time.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("bench: make certificate: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-cert-")
	if err != nil {
		return nil, nil, fmt.Errorf("bench: make certificate: %w", err)
	}
	remove = func() { os.RemoveAll(dir) }
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			remove()
			return nil, nil, fmt.Errorf("bench: make certificate: %w", err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("bench: make certificate: %w", err)
	}
	c = &credentials{dir: dir, pool: x509.NewCertPool()}
	c.pool.AddCert(parsed)
	return c, remove, nil
}

// newCertificate returns a certificate and its PKCS #8 key in DER.
func newCertificate(now time.Time) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: now.Add(-validity), NotAfter: now.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if cert, err = x509.CreateCertificate(rand.Reader, t, t, &k.PublicKey, k); err != nil {
		return nil, nil, err
	}
	key, err = x509.MarshalPKCS8PrivateKey(k)
	return cert, key, err
}

// loadTLS is what a server on crypto/tls is configured with: its certificate, the protocol and nothing else,
// so that versions, suites, groups and tickets are the library's.
func loadTLS(e *peerEnv) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(e.cert, certFile), filepath.Join(e.cert, keyFile))
	if err != nil {
		return nil, fmt.Errorf("bench: load certificate: %w", err)
	}
	protocol := "http/1.1"
	if e.kind == kindH2 {
		protocol = "h2"
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{protocol}}, nil
}

// loadBase64 reads one of the files as policies want it: DER in base64.
func loadBase64(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("bench: load certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return "", fmt.Errorf("bench: load certificate: %s: no PEM block", name)
	}
	return base64.StdEncoding.EncodeToString(block.Bytes), nil
}
