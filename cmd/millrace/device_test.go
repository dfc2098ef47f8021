package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	stdtls "crypto/tls"
)

// caFiles runs `millrace cert` and returns its directory.
func caFiles(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	if err := makeTestCA(t, names...).write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// demanding is a net/http server that accepts only clients of an authority, and answers with their names.
func demanding(t *testing.T, clientCA string) (url, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	text, err := os.ReadFile(clientCA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	s.TLS = &stdtls.Config{ClientAuth: stdtls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func TestFetchShowsAClientCertificate(t *testing.T) {
	device, stranger := caFiles(t, "device.example"), caFiles(t, "stranger.example")
	file := func(dir, name string) string { return filepath.Join(dir, name) }
	url, ca := demanding(t, file(device, "ca.pem"))
	cert := []string{"--client-cert", file(device, "cert.pem"), "--client-key", file(device, "key.pem")}
	fetch := func(more ...string) result {
		return run(append([]string{"fetch", url, "--ca", ca, "--timeout", "5s"}, more...)...)
	}
	fetch(cert...).expect(t, exitOK, "hello device.example")
	fetch(append(cert, "--http2")...).expect(t, exitOK, "hello device.example")
	run("fetch", url, "--ca", ca, "--timeout", "500ms").expect(t, exitUnreachable, "certificate_required")
	run("fetch", url, "--ca", ca, "--timeout", "500ms", "--client-cert", file(stranger, "cert.pem"), "--client-key", file(stranger, "key.pem")).
		expect(t, exitUnreachable, "alert")
	fetch("--client-cert", file(device, "cert.pem"), "--client-key", file(stranger, "key.pem")).expect(t, exitUsage, "does not match certificate")
	run(append([]string{"fetch", "http://127.0.0.1:1/"}, cert...)...).expect(t, exitUsage, "for https and wss")

	// With a policy: by index, or from system blobs.
	roots, err := readRoots(ca)
	if err != nil {
		t.Fatal(err)
	}
	doc := func(index int) string {
		d, err := trusting(fmt.Appendf(nil, `{"s":[{"get":{"endpoint":"127.0.0.1","port":%s,"protocol":"h1","client_cert":%d,"opportunistic":true}}]}`,
			port(url), index), roots)
		if err != nil {
			t.Fatal(err)
		}
		return write(t, "policy.json", string(d))
	}
	typed := func(index int, more ...string) result {
		return run(append([]string{"fetch", "--policy", doc(index), "--stream", "get", "--timeout", "500ms"}, more...)...)
	}
	other := []string{"--client-cert", file(stranger, "cert.pem"), "--client-key", file(stranger, "key.pem")}
	typed(1, append(other, cert...)...).expect(t, exitOK, "hello device.example")
	typed(0, append(other, cert...)...).expect(t, exitUnreachable, "alert")
	typed(0, "--blob", "CLIENT_CERT_DER=@"+file(device, "cert.pem"), "--blob", "CLIENT_KEY_DER:0=@"+file(device, "key.pem")).
		expect(t, exitOK, "hello device.example")
	typed(0).expect(t, exitUsage, "client_cert 0")
}

func TestFetchGivesBlobs(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "auth %q serial %q version %q", r.Header.Get("Authorization"), r.Header.Get("X-Serial"), r.Header.Get("X-Version"))
	}))
	defer s.Close()
	p := write(t, "p.json", `{"s":[{"get":{"endpoint":"127.0.0.1","port":`+port(s.URL)+`,"protocol":"h1","opportunistic":true,
		"http_auth_header":"authorization","http_auth_preamble":"Bearer ","http_dsn_header":"x-serial","http_fwv_header":"x-version"}}]}`)
	token := write(t, "token", "secret\n")
	fetch := func(more ...string) result {
		return run(append([]string{"fetch", "--policy", p, "--stream", "get"}, more...)...)
	}
	fetch("--blob", "AUTH=@"+token, "--blob", "device_serial:0=17=x", "--blob", "FW_VERSION=1.2").
		expect(t, exitOK, `auth "Bearer secret" serial "17=x" version "1.2"`)
	fetch("--blob", "AUTH=@"+token).expect(t, exitUsage, "DEVICE_SERIAL")
	fetch("--blob", "AUTH").expect(t, exitUsage, "NAME=value")
	fetch("--blob", "AUTH:x=1").expect(t, exitUsage, "invalid index")
	fetch("--blob", "AUTH=").expect(t, exitUsage, "empty")
	fetch("--blob", "SERIAL=1").expect(t, exitUsage, `unknown system blob "SERIAL"`, "DEVICE_SERIAL, FW_VERSION")
	run("fetch", s.URL, "--blob", "AUTH=x").expect(t, exitUsage, "needs --policy")
	run("help", "fetch").expect(t, exitOK, "EXT_AUTH4")
}

func TestFetchKeepsCookies(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/login":
				w.Header().Add("Set-Cookie", "who=me; Max-Age=1000")
				w.Header().Add("Set-Cookie", "session=gone")
			case "/logout":
				w.Header().Add("Set-Cookie", "who=; Max-Age=0")
			}
			fmt.Fprintf(w, "sent %q", r.Header.Get("Cookie"))
		}))
		s.EnableHTTP2 = two
		s.StartTLS()
		defer s.Close()
		ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
		dir := t.TempDir()
		file := filepath.Join(dir, "cookies.txt")
		fetch := func(path string, more ...string) result {
			args := append([]string{"fetch", s.URL + path, "--ca", ca, "--cookies", file}, more...)
			if two {
				args = append(args, "--http2")
			}
			return run(args...)
		}
		fetch("/", "-v").expect(t, exitOK, `sent ""`)
		fetch("/login").expect(t, exitOK, `sent ""`)
		if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 || names(t, dir) != "cookies.txt" {
			t.Fatalf("the file: got %v, %v, other files %q; want mode 0600 and no other file", st, err, names(t, dir))
		}
		fetch("/").expect(t, exitOK, `sent "who=me"`)
		fetch("/logout").expect(t, exitOK, `sent "who=me"`)
		fetch("/").expect(t, exitOK, `sent ""`)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; Max-Age=1000")
	}))
	defer s.Close()
	p := write(t, "p.json", `{"s":[{"get":{"endpoint":"127.0.0.1","port":`+port(s.URL)+`,"protocol":"h1","opportunistic":true,"http_cookies":true}}]}`)
	none := filepath.Join(t.TempDir(), "none", "cookies.txt")
	run("fetch", "--policy", p, "--stream", "get", "--cookies", none).expect(t, exitLocal, "--cookies: ", "no such file")
	file := filepath.Join(t.TempDir(), "cookies.txt")
	run("fetch", "--policy", p, "--stream", "get", "--cookies", file).expect(t, exitOK)
	if b, err := os.ReadFile(file); !strings.Contains(string(b), "127.0.0.1") {
		t.Errorf("the file holds %q, %v; want a cookie of 127.0.0.1", b, err)
	}
}

func TestServeDemandsClientCertificates(t *testing.T) {
	device, stranger := caFiles(t, "device.example"), caFiles(t, "stranger.example")
	file := func(dir, name string) string { return filepath.Join(dir, name) }
	l := makeTestCA(t, "127.0.0.1")
	ca := caFile(t, l)
	p := caPolicy(t, l, tlsServers)
	s := serve(t, "--policy", p, "--stream", "web", "--reply", "come in", "--client-ca", file(device, "ca.pem"), "-v")
	fetch := func(dir string) result {
		args := []string{"fetch", "https://" + s.at + "/", "--ca", ca, "--timeout", "1s"}
		if dir != "" {
			args = append(args, "--client-cert", file(dir, "cert.pem"), "--client-key", file(dir, "key.pem"))
		}
		return run(args...)
	}
	try := func() {
		t.Helper()
		fetch(device).expect(t, exitOK, "come in")
		if r := fetch(""); r.status == exitOK {
			t.Errorf("a client without a certificate got %q", r.out)
		}
		if r := fetch(stranger); r.status == exitOK {
			t.Errorf("a client of an unknown authority got %q", r.out)
		}
	}
	try()
	s.hangUp()
	poll(t, "the certificate to be read again", func() bool { return strings.Contains(s.err.String(), "certificate reloaded") })
	try()
}
