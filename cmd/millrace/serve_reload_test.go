package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	stdtls "crypto/tls"
)

// certFiles runs `millrace cert` for a name, and returns its directory.
func certFiles(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	run("cert", "-o", dir, name).expect(t, exitOK)
	return dir
}

const tlsWithoutCert = `{"s":[{"web":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h1","tls":true}},
	{"plain":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h1"}}]}`

// Certificates from files: several, selected by name, and reloaded at SIGHUP.
func TestServeCertificateFiles(t *testing.T) {
	a, b := certFiles(t, "a.test"), certFiles(t, "b.test")
	cert, key := filepath.Join(a, "cert.pem"), filepath.Join(a, "key.pem")
	s := serve(t, "--policy", write(t, "p.json", tlsWithoutCert), "--stream", "web", "--reply", "hello",
		"--cert", cert, "--key", key, "--cert", filepath.Join(b, "cert.pem"), "--key", filepath.Join(b, "key.pem"))
	shown := func(name, dir string) error {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		c, err := stdtls.Dial("tcp", s.at, &stdtls.Config{ServerName: name, RootCAs: pool})
		if err == nil {
			c.Close()
		}
		return err
	}
	for name, dir := range map[string]string{"a.test": a, "b.test": b} {
		if err := shown(name, dir); err != nil {
			t.Errorf("asked for %s: %v", name, err)
		}
	}
	replace := func(from string) {
		t.Helper()
		for _, name := range []string{"cert.pem", "key.pem"} {
			text, err := os.ReadFile(filepath.Join(from, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(a, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	poll(t, "the log of the failed reload", func() bool { return strings.Contains(s.err.String(), "the present certificate stays") })
	if err := shown("a.test", a); err != nil {
		t.Errorf("after a failed reload: %v", err)
	}
	c := certFiles(t, "c.test")
	replace(c)
	s.hangUp()
	poll(t, "the log to say reloaded twice", func() bool { return strings.Count(s.err.String(), "certificate reloaded") == 2 })
	if err := shown("c.test", c); err != nil {
		t.Errorf("after the reload: %v", err)
	}
	if err := shown("b.test", b); err != nil {
		t.Errorf("after the reload: %v", err)
	}
}

func TestServeCertificateMistakes(t *testing.T) {
	a, b := certFiles(t, "a.test"), certFiles(t, "b.test")
	p := write(t, "p.json", tlsWithoutCert)
	cert, key := filepath.Join(a, "cert.pem"), filepath.Join(a, "key.pem")
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--stream", "web", "--cert", cert}, exitUsage, "every certificate needs its key"},
		{[]string{"--stream", "plain", "--cert", cert, "--key", key}, exitUsage, `no "tls": true`},
		{[]string{"--stream", "web", "--cert", cert, "--key", filepath.Join(b, "key.pem")}, exitUsage, "does not match certificate"},
		{[]string{"--stream", "web", "--cert", filepath.Join(a, "nope"), "--key", key}, exitLocal, "no such file"},
		{[]string{"--stream", "web"}, exitUsage, `needs "server_cert" and "server_key"`},
	} {
		run(append([]string{"serve", "--policy", p, "--reply", "x"}, c.args...)...).expect(t, c.status, c.says)
	}
}

// In clear text SIGHUP logs that there is nothing to reload.
func TestHangUpWithoutTLS(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--reply", "hello")
	s.hangUp()
	poll(t, "the log of SIGHUP", func() bool { return strings.Contains(s.err.String(), "nothing to reload") })
	run("fetch", "http://"+s.at).expect(t, exitOK, "hello")
}
