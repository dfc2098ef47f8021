package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"os"
	"testing"
)

func TestCredentials(t *testing.T) {
	c, remove, err := newCredentials()
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	conf, err := loadTLS(&peerEnv{cert: c.dir})
	if err != nil {
		t.Fatal(err)
	}
	pair := conf.Certificates[0]
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "127.0.0.1", Roots: c.pool}); err != nil {
		t.Errorf("certificate for 127.0.0.1: %v", err)
	}
	if k, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok || k.Curve != elliptic.P256() {
		t.Errorf("key: got %T, want ECDSA P-256", pair.PrivateKey)
	}
	for name, parse := range map[string]func([]byte) error{
		certFile: func(b []byte) error { _, err := x509.ParseCertificate(b); return err },
		keyFile:  func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
	} {
		text, err := loadBase64(c.dir, name)
		if err != nil {
			t.Fatal(err)
		}
		der, err := base64.StdEncoding.DecodeString(text)
		if err == nil {
			err = parse(der)
		}
		if err != nil {
			t.Errorf("%s in base64: %v: %.40q", name, err, text)
		}
	}
	remove()
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("after remove: got %v, want the directory gone", err)
	}
	if _, err := loadTLS(&peerEnv{cert: c.dir}); err == nil {
		t.Error("loaded a certificate that is gone")
	}
}
