package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

var certCommand = command{
	name: "cert", args: "-o DIR NAME...", brief: "create a CA and a certificate for tests of TLS",
	help: `
Creates a certificate authority (CA), and a certificate for the names, which are DNS names or IP addresses.
Both use ECDSA P-256 keys and are valid for a year. The directory DIR, which is created if necessary, gets
  ca.pem         the certificate of the CA, for clients that trust it
  cert.pem       the certificate, followed by that of the CA
  key.pem        its key, PKCS #8
  fragment.json  the same as part of a policy: "certs" ca, leaf and leaf_key, and the trust store lab
With the fragment in a policy a server uses "server_cert": "leaf", "server_key": "leaf_key", and a client
"tls_trust_store": "lab". Existing files are not overwritten. The key of the CA is not stored: nothing else
can be signed with it.

examples:
  millrace cert -o lab localhost 127.0.0.1 ::1
  curl --cacert lab/ca.pem https://localhost:8443/`,
	run: runCert,
}

// certLife is how long the certificates are valid.
const certLife = 365 * 24 * time.Hour

func runCert(a *app, c *command, args []string) int {
	f := a.flags(c)
	dir := f.String("o", "", "`directory` to write to")
	names, status, ok := a.parse(c, f, args, 100)
	switch {
	case !ok:
		return status
	case *dir == "" || len(names) == 0:
		return a.fail(exitUsage, "cert: needs -o DIR and at least one NAME; see `millrace help cert`")
	}
	ca, err := newTestCA(names, time.Now(), certLife)
	if err != nil {
		return a.fail(exitUsage, "cert: %v", err)
	}
	if err := ca.write(*dir); err != nil {
		return a.fail(exitLocal, "cert: %v", err)
	}
	fmt.Fprintf(a.out, "created %s for %v, valid until %s\n", *dir, names, ca.until.Format(time.DateOnly))
	return exitOK
}

// write writes the files to dir. After an error it removes the files that it has created.
func (l *testCA) write(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err != nil {
			for _, name := range made {
				os.Remove(name)
			}
		}
	}()
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	ca := block("CERTIFICATE", l.ca)
	for _, file := range []struct {
		name string
		mode os.FileMode
		data []byte
	}{
		{"ca.pem", 0o644, ca},
		{"cert.pem", 0o644, append(block("CERTIFICATE", l.leaf), ca...)},
		{"key.pem", 0o600, block("PRIVATE KEY", l.key)},
		{"fragment.json", 0o600, l.fragment()},
	} {
		path := filepath.Join(dir, file.name)
		w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, file.mode)
		if err != nil {
			return err
		}
		made = append(made, path)
		_, err = w.Write(file.data)
		if e := w.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}
