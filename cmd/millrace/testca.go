package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// testCA is a certificate authority and a certificate that it has signed, for tests of TLS. All are DER.
type testCA struct {
	ca, leaf, key []byte
	until         time.Time
}

// clockSlack is how far behind a peer's clock may be for a new certificate to be valid there.
const clockSlack = time.Hour

// newTestCA creates a testCA for names, DNS names or IP addresses, valid from now for life.
func newTestCA(names []string, now time.Time, life time.Duration) (*testCA, error) {
	from, until := now.Add(-clockSlack), now.Add(life)
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Millrace lab CA"},
		NotBefore:             from,
		NotAfter:              until,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	l := &testCA{until: until}
	if l.ca, err = sign(ca, ca, caKey, caKey); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotBefore:   from,
		NotAfter:    until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if a, err := netip.ParseAddr(name); err == nil {
			leaf.IPAddresses = append(leaf.IPAddresses, a.Unmap().AsSlice())
		} else if name == "" || strings.ContainsAny(name, " \t:/\\@") {
			return nil, fmt.Errorf("%q is neither a DNS name nor an IP address", name)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	if l.leaf, err = sign(leaf, ca, key, caKey); err != nil {
		return nil, err
	}
	l.key, err = x509.MarshalPKCS8PrivateKey(key)
	return l, err
}

// sign creates the certificate of c with a random serial number (RFC 5280 s.4.1.2.2).
func sign(c, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial.Add(serial, big.NewInt(1))
	return x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
}

// fragment returns the certificates as part of a policy: certs ca, leaf and leaf_key, and the trust store lab.
func (l *testCA) fragment() []byte {
	type named map[string]any
	b, err := json.MarshalIndent(map[string]any{
		"certs":        []named{{"ca": l.ca}, {"leaf": l.leaf}, {"leaf_key": l.key}},
		"trust_stores": []named{{"name": "lab", "stack": []string{"ca"}}},
	}, "", "  ")
	if err != nil {
		panic(err) // byte slices and strings always have a JSON form
	}
	return append(b, '\n')
}
