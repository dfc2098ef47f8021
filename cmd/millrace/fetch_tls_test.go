package main

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
)

// caPolicy returns a policy with a certificate for 127.0.0.1, and stream types in which LAB is replaced by the keys of a
// TLS server.
func caPolicy(t *testing.T, l *testCA, types string) string {
	t.Helper()
	doc, err := extended([]byte(`{"s":[`+strings.ReplaceAll(types, "LAB", `"tls":true,"server_cert":"leaf","server_key":"leaf_key"`)+`]}`),
		l.fragment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "policy.json", string(doc))
}

func makeTestCA(t *testing.T, names ...string) *testCA {
	t.Helper()
	l, err := newTestCA(names, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// caFile writes the certificate of the CA as PEM, between two parts that are not certificates.
func caFile(t *testing.T, l *testCA) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("a lab of our own\n")
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: l.ca})
	pem.Encode(&b, &pem.Block{Type: "X509 CRL", Bytes: []byte("none")})
	return write(t, "ca.pem", b.String())
}

const tlsServers = `
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", LAB, "metadata": [{"mime": "content-type:"}]}},
	{"tcp": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw", LAB}}`

func TestFetchHTTPS(t *testing.T) {
	l := makeTestCA(t, "127.0.0.1")
	ca := caFile(t, l)
	s := serve(t, "--policy", caPolicy(t, l, tlsServers), "--stream", "web", "--echo")
	r := run("fetch", "https://"+s.at+"/", "--ca", ca, "--data", "over TLS", "-v")
	r.expect(t, exitOK, `msg=tls version="TLS 1.3" suite=TLS_`, "group=X25519MLKEM768", "alpn=http/1.1", "resumed=false", `chain="CN=127.0.0.1`)
	if r.out != "over TLS" {
		t.Errorf("got %q, want what was sent", r.out)
	}
	if i, j := strings.Index(r.err, "msg=LWSSSCS_CONNECTED"), strings.Index(r.err, "msg=tls"); i < 0 || j < i || strings.Count(r.err, "msg=tls") != 1 {
		t.Errorf("the log must have one handshake, with CONNECTED:\n%s", r.err)
	}
	run("fetch", "https://"+s.at+"/", "--data", "x").
		expect(t, exitUnreachable, "unreachable: tls: handshake: 127.0.0.1: certificate ", "is signed by no authority of the trust store", "trust store of the system")
	other := caFile(t, makeTestCA(t, "127.0.0.1"))
	run("fetch", "https://"+s.at+"/", "--ca", other, "--data", "x", "--timeout", "200ms").
		expect(t, exitUnreachable, "timed out: tls: handshake", `certificate "CN=127.0.0.1" (number 1 of the peer's chain, serial `, "judged by trust store --ca")
	run("fetch", "https://localhost:"+port(s.at)+"/", "--ca", ca, "--data", "x", "--timeout", "200ms").
		expect(t, exitUnreachable, `is not for "localhost"`)
	run("fetch", "https://"+s.at+"/", "--ca", write(t, "empty.pem", "nothing")).expect(t, exitUsage, "no PEM certificate")
	run("fetch", "https://"+s.at+"/", "--ca", write(t, "bad.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no")}))), "--data", "x").
		expect(t, exitUsage, "malformed certificate")
}

// The server may be another implementation, with TLS 1.2, or without TLS.
func TestFetchHTTPSFromNetHTTP(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("hello")) }))
	defer s.Close()
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	if r := run("fetch", s.URL, "--ca", ca, "-v"); r.status != exitOK || r.out != "hello" || !strings.Contains(r.err, `chain="O=Acme Co"`) {
		t.Errorf("status %d, %q; want hello\n%s", r.status, r.out, r.err)
	}
	run("fetch", "https://"+web(t), "--ca", ca, "--timeout", "200ms").expect(t, exitUnreachable, "peer does not speak TLS")
}

// A raw stream over TLS moves more than any buffer on its path.
func TestFetchRawTLS(t *testing.T) {
	l := makeTestCA(t, "127.0.0.1")
	servers := caPolicy(t, l, tlsServers)
	s := serve(t, "--policy", servers, "--stream", "tcp", "--echo")
	big := string(pattern(3<<20, 12))
	p := caPolicy(t, l, strings.ReplaceAll(`{"tcp": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "raw", "opportunistic": true, "tls": true, "tls_trust_store": "lab"}}`,
		"PORT", port(s.at)))
	r := run("fetch", "--policy", p, "--stream", "tcp", "--data", "@"+write(t, "data", big), "--bytes", "3145728", "-v")
	if r.status != exitOK || r.out != big {
		t.Errorf("status %d and %d bytes, want 0 and the %d that were sent\n%s", r.status, len(r.out), len(big), r.err)
	}
	run("fetch", "--policy", p, "--stream", "tcp", "--ca", p).expect(t, exitUsage, "--ca needs a URL")
	run("fetch", "http://"+s.at, "--ca", p).expect(t, exitUsage, "--ca is for https")
}

func TestTrusting(t *testing.T) {
	a, b := makeTestCA(t, "a"), makeTestCA(t, "b")
	o := fetchFlags{targets: []target{{secure: true}}}
	doc, err := o.secured(urlPolicy)
	if err != nil {
		t.Fatal(err)
	}
	doc, err = trusting(doc, [][]byte{a.ca, b.ca})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range urlTypes {
		s := p.Stream(name)
		if !s.TLS || s.TrustStore == nil || len(s.TrustStore.Stack) != 2 || !bytes.Equal(s.TrustStore.Stack[1].DER, b.ca) {
			t.Errorf("%s: tls %v, trust store %+v; want both authorities in it", name, s.TLS, s.TrustStore)
		}
	}
	for _, bad := range [][2]string{{"{", "{}"}, {"{}", "["}, {`{"s":[{"get":7}]}`, "{}"}} {
		if _, err := extended([]byte(bad[0]), []byte(bad[1]), nil); err == nil {
			t.Errorf("%s with %s: got no error", bad[0], bad[1])
		}
	}
}

// SIGHUP loads the certificate of the policy file, and keeps the present one after an error.
func TestServeReloadsCertificate(t *testing.T) {
	before, after := makeTestCA(t, "127.0.0.1"), makeTestCA(t, "127.0.0.1")
	file := caPolicy(t, before, tlsServers)
	s := serve(t, "--policy", file, "--stream", "web", "--reply", "hello")
	get := func(l *testCA, status int) {
		t.Helper()
		patience := "20s"
		if status != exitOK {
			patience = "300ms" // else it is tried again
		}
		run("fetch", "https://"+s.at+"/", "--ca", caFile(t, l), "--timeout", patience).expect(t, status)
	}
	hup := func(text, says string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.hangUp()
		poll(t, "the log to contain "+says, func() bool { return strings.Contains(s.err.String(), says) })
	}
	get(before, exitOK)
	hup("{", "is invalid")
	hup(`{"s":[{"web":{"server":true,"port":0}}]}`, "has no stream type")
	get(before, exitOK)
	text, err := os.ReadFile(caPolicy(t, after, tlsServers))
	if err != nil {
		t.Fatal(err)
	}
	hup(string(text), "certificate reloaded")
	get(after, exitOK)
	get(before, exitUnreachable)
}

// serve and fetch accept the files of `millrace cert`.
func TestCertServeFetch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	run("cert", "-o", dir, "127.0.0.1").expect(t, exitOK)
	fragment, err := os.ReadFile(filepath.Join(dir, "fragment.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := extended([]byte(`{"s":[`+strings.ReplaceAll(tlsServers, "LAB", `"tls":true,"server_cert":"leaf","server_key":"leaf_key"`)+`]}`),
		fragment, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--policy", write(t, "p.json", string(doc)), "--stream", "web", "--reply", "hello")
	run("fetch", "https://"+s.at, "--ca", filepath.Join(dir, "ca.pem")).expect(t, exitOK, "hello")
}
