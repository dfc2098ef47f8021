package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// credential is a certificate with its key, in memory and as PEM files. chain are the certificates between it and the root.
type credential struct {
	cert      *x509.Certificate
	key       crypto.Signer
	chain     []*x509.Certificate
	pem, pkey string // file names: the certificate with its chain, the key
}

// issue creates a credential signed by c, or self-signed if c is nil. change modifies the template, which by default is
// valid for 127.0.0.1.
func (c *credential) issue(t *testing.T, name string, key crypto.Signer, change func(x *x509.Certificate)) *credential {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	x := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-2 * time.Hour),
		NotAfter:     now.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(x)
	}
	parent, signer := x, key
	var chain []*x509.Certificate
	if c != nil {
		parent, signer = c.cert, c.key
		if len(c.chain) > 0 || c.cert.Issuer.CommonName != c.cert.Subject.CommonName {
			chain = append([]*x509.Certificate{c.cert}, c.chain...)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, x, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	n := &credential{cert: made, key: key, chain: chain}
	var text strings.Builder
	for _, x := range append([]*x509.Certificate{made}, chain...) {
		text.WriteString(pemOf(x))
	}
	n.pem = file(t, "cert.pem", text.String())
	n.pkey = file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return n
}

func pemOf(x *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}))
}

// authority creates a root CA.
func authority(t *testing.T, name string) *credential {
	t.Helper()
	return (*credential)(nil).issue(t, name, ecKey(t), isCA)
}

func isCA(x *x509.Certificate) {
	x.IsCA, x.BasicConstraintsValid = true, true
	x.KeyUsage, x.ExtKeyUsage, x.IPAddresses = x509.KeyUsageCertSign, nil, nil
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pair returns the credential as crypto/tls needs it.
func (c *credential) pair() stdtls.Certificate {
	p := stdtls.Certificate{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key, Leaf: c.cert}
	for _, x := range c.chain {
		p.Certificate = append(p.Certificate, x.Raw)
	}
	return p
}

// securely returns a policy with the stream types and a trust store lab that holds ca. In the types, SERVER expands to the keys
// of a TLS server with c as its certificate, and CLIENT to those of a client.
func securely(t *testing.T, ca, c *credential, types string) string {
	t.Helper()
	leaf := c.cert.Raw
	for _, x := range c.chain {
		leaf = append(leaf[:len(leaf):len(leaf)], x.Raw...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := json.Marshal([]map[string][]byte{{"ca": ca.cert.Raw}, {"leaf": leaf}, {"leaf_key": key}})
	if err != nil {
		t.Fatal(err)
	}
	types = strings.NewReplacer("SERVER", `"server":true,"endpoint":"127.0.0.1","port":0,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`,
		"CLIENT", `"endpoint":"127.0.0.1","tls":true,"tls_trust_store":"lab","opportunistic":true,"retry":"once"`).Replace(types)
	return fmt.Sprintf(`{"certs":%s,"trust_stores":[{"name":"lab","stack":["ca"]}],
		"retry":[{"once":{"backoff":[10],"conceal":0,"jitterpc":0}}],"s":[%s]}`, certs, types)
}

// secureServers are servers of each type, with and without a required client certificate.
const secureServers = `
	{"web": {SERVER, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"tcp": {SERVER, "protocol": "raw"}},
	{"web_members": {SERVER, "protocol": "h1", "tls_trust_store": "lab"}},
	{"tcp_members": {SERVER, "protocol": "raw", "tls_trust_store": "lab"}}`

// secure is a scene that records the result of each handshake.
type secure struct {
	*scene
	saw []tls.State
}

// secureScene is a runtime in this process that can present certificates and keeps no warm connections: each
// transaction does a handshake.
func secureScene(t *testing.T, doc string, certs ...stdtls.Certificate) *secure {
	t.Helper()
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	s := &secure{scene: &scene{t: t, loop: loop.New(sys, loop.Config{})}}
	s.rt, err = ss.New(ss.Config{Loop: s.loop, Policy: p, PanicOnIllegal: true, ClientCerts: certs, KeepWarm: -1,
		Observe: func(h *ss.Handle, st ss.State, _ ss.Notice) {
			if v, ok := h.TLS(); ok && st == ss.Connected {
				s.saw = append(s.saw, v)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.loop.Close(); err != nil {
			t.Errorf("loop close: %v", err)
		}
	})
	return s
}

// handshakes lists each handshake: its version, and whether it resumed a session.
func (s *secure) handshakes() string {
	var list []string
	for _, v := range s.saw {
		text := stdtls.VersionName(v.Version)
		if v.Resumed {
			text += " resumed"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// dialog is an interactive program.
type dialog struct {
	*process
	in  *os.File
	out output
}

// talk starts a program and keeps its standard input open.
func talk(t *testing.T, path string, args ...string) *dialog {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := &dialog{in: w}
	d.process = start(t, r, &d.out, path, args...)
	r.Close()
	t.Cleanup(func() { w.Close() })
	return d
}

// say writes a line to the program.
func (d *dialog) say(line string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, line+"\n"); err != nil {
		d.t.Fatalf("%s does not read its input: %v\n%s%s", d.cmd.Path, err, &d.out, &d.err)
	}
}

// hear waits until the program has printed text, on either output.
func (d *dialog) hear(text string) {
	d.t.Helper()
	d.hearTimes(1, text)
}

// hearTimes waits until the program has printed text n times.
func (d *dialog) hearTimes(n int, text string) {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if strings.Count(d.out.String()+d.err.String(), text) >= n {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s %q did not print %q %d times within %v\n%s%s", d.cmd.Path, d.cmd.Args[1:], text, n, patience, &d.out, &d.err)
		}
	}
}

// echoed writes a line and waits until it comes back on its own line.
func (d *dialog) echoed(line string) {
	d.t.Helper()
	d.say(line)
	d.hear(line + "\n")
}

// closeInput ends the program's input, which ends the program.
func (d *dialog) closeInput() {
	d.t.Helper()
	d.in.Close()
	select {
	case <-d.over:
	case <-time.After(patience):
		d.stop(syscall.SIGTERM)
		d.t.Errorf("%s did not exit at the end of its input\n%s%s", d.cmd.Path, &d.out, &d.err)
	}
}
