package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

var certCommand = command{
	name: "cert", args: "-o DIR NAME...", brief: "make a CA, and a certificate for the names, to try TLS with",
	help: `
Makes a certificate authority, and a certificate of it for the names, which are DNS names or IP addresses.
Both have ECDSA P-256 keys and are good for a year. DIR, which is made if it is not there, gets
  ca.pem         the authority's certificate, for clients that are to trust it
  cert.pem       the certificate, with the authority's behind it
  key.pem        its key, PKCS #8
  fragment.json  the same as a policy fragment: "certs" ca, leaf and leaf_key, and the trust store lab
With the fragment in a policy a server says "server_cert": "leaf", "server_key": "leaf_key", and a client
"tls_trust_store": "lab". Files that are there already are not overwritten. The authority's key is thrown
away: nothing else can be signed with it.

examples:
  millrace cert -o lab localhost 127.0.0.1 ::1
  curl --cacert lab/ca.pem https://localhost:8443/`,
	run: runCert,
}

// certLife is how long the certificates are good.
const certLife = 365 * 24 * time.Hour

func runCert(a *app, c *command, args []string) int {
	f := a.flags(c)
	dir := f.String("o", "", "`directory` to write to")
	names, status, ok := a.parse(c, f, args, 100)
	switch {
	case !ok:
		return status
	case *dir == "" || len(names) == 0:
		return a.fail(exitUsage, "cert: say -o DIR and at least one NAME; see `millrace help cert`")
	}
	lab, err := newLab(names, time.Now(), certLife)
	if err != nil {
		return a.fail(exitUsage, "cert: %v", err)
	}
	if err := lab.write(*dir); err != nil {
		return a.fail(exitLocal, "cert: %v", err)
	}
	fmt.Fprintf(a.out, "made %s for %v, good until %s\n", *dir, names, lab.until.Format(time.DateOnly))
	return exitOK
}

// write puts the files into dir. All or none: what was written before a failure is taken away.
func (l *lab) write(dir string) (err error) {
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
