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

// credentials are the certificate and key that every server of a run uses: ECDSA P-256, self-signed, in a directory of files,
// since nginx and the child processes read files.
type credentials struct {
	dir  string
	pool *x509.CertPool // trusts the certificate
}

// The files of credentials.
const (
	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// validity allows for a machine whose clock is slightly wrong.
const validity = 24 * time.Hour

// newCredentials creates a certificate for 127.0.0.1 in a new directory, which remove deletes.
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

// loadTLS returns the configuration of a crypto/tls server: only the certificate and the protocol are set,
// so that versions, suites, groups and tickets are the library's defaults.
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

// loadBase64 reads one of the files in the form that policies need: DER in base64.
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
