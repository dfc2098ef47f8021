package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

func TestParseCertificate(t *testing.T) {
	c := example()
	leaf := c.Certificate[0]
	key, _ := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	sec1, _ := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	text := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	chain := cat(leaf, testCA().cert.Raw)
	_, wrong, _ := ed25519.GenerateKey(rand.Reader)
	wrongDER, _ := x509.MarshalPKCS8PrivateKey(wrong)
	for _, test := range []struct {
		name       string
		chain, key []byte
		n          int
		want       string
	}{
		{"DER", leaf, key, 1, ""},
		{"DER, two certificates", chain, sec1, 2, ""},
		{"PEM", cat(text("CERTIFICATE", leaf), text("CERTIFICATE", testCA().cert.Raw)), text("PRIVATE KEY", key), 2, ""},
		{"PEM, SEC 1 after parameters", text("CERTIFICATE", leaf), cat(text("EC PARAMETERS", []byte{5}), text("EC PRIVATE KEY", sec1)), 1, ""},
		{"one file for both", cat(text("PRIVATE KEY", key), text("CERTIFICATE", leaf)), cat(text("PRIVATE KEY", key), text("CERTIFICATE", leaf)), 1, ""},
		{"another key", leaf, wrongDER, 0, "does not match certificate"},
		{"no key", leaf, nil, 0, "tls: parse key: "},
		{"nothing", nil, key, 0, "no certificate found"},
		{"garbage", []byte("garbage"), key, 0, "tls: parse certificate: "},
		{"PEM of another type", text("PUBLIC KEY", leaf), key, 0, "without a block of type CERTIFICATE"},
		{"PEM without a key", leaf, text("CERTIFICATE", leaf), 0, "without a block of type PRIVATE KEY"},
	} {
		got, err := ParseCertificate(test.chain, test.key)
		switch {
		case test.want != "":
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
			}
		case err != nil || len(got.Certificate) != test.n || !bytes.Equal(got.Certificate[0], leaf):
			t.Errorf("%s: got %d certificates, %v; want %d", test.name, len(got.Certificate), err, test.n)
		}
	}
}

func TestParseKeyKinds(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rsa8, _ := x509.MarshalPKCS8PrivateKey(r)
	ed8, _ := x509.MarshalPKCS8PrivateKey(ed)
	for name, der := range map[string][]byte{"PKCS #1": x509.MarshalPKCS1PrivateKey(r), "RSA PKCS #8": rsa8, "Ed25519": ed8} {
		if _, err := parseKey(der); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	self := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, self, self, ed.Public(), ed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseCertificate(der, ed8); err != nil {
		t.Errorf("Ed25519 certificate: %v", err)
	}
}
