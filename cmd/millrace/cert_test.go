package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
)

func TestTestCA(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	l, err := newTestCA([]string{"device.example", "127.0.0.1", "::1"}, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(l.leaf)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(l.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, c := range []struct {
		name string
		at   time.Duration
		ok   bool
	}{
		{"device.example", 0, true}, {"127.0.0.1", 0, true}, {"::1", 0, true},
		{"other.example", 0, false}, {"127.0.0.2", 0, false},
		{"device.example", 2 * time.Hour, false}, {"device.example", -2 * time.Hour, false},
	} {
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: c.name, Roots: roots, CurrentTime: now.Add(c.at)})
		if (err == nil) != c.ok {
			t.Errorf("%s, %v later: got %v, want success %v", c.name, c.at, err, c.ok)
		}
	}
	for _, bad := range []string{"", "two words", "http://x"} {
		if _, err := newTestCA([]string{bad}, now, time.Hour); err == nil {
			t.Errorf("name %q: got no error", bad)
		}
	}
}

func TestCertWritesFilesOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	run("cert", "-o", dir, "localhost", "127.0.0.1").expect(t, exitOK, "valid until")
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Error(err)
	}
	doc, err := os.ReadFile(filepath.Join(dir, "fragment.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(doc)
	if err != nil {
		t.Fatalf("parse fragment.json: %v", err)
	}
	if len(p.Certs) != 3 || len(p.TrustStores) != 1 || p.TrustStores[0].Name != "lab" || p.Certs[1].Name != "leaf" || p.Certs[2].Name != "leaf_key" {
		t.Errorf("got certs %v, trust stores %v", p.Certs, p.TrustStores)
	}
	if st, err := os.Stat(filepath.Join(dir, "key.pem")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key.pem: got mode %v, %v, want 0600", st.Mode(), err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	run("cert", "-o", dir, "localhost").expect(t, exitLocal, "cert.pem", "exists")
	if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err == nil {
		t.Error("ca.pem exists after a failed run")
	}
	run("cert", "localhost").expect(t, exitUsage, "-o DIR")
}
