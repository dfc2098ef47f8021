package main

import (
	"bytes"
	stdtls "crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const h2Servers = `
	{"clear": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", "metadata": [{"mime": "content-type:"}]}},
	{"secure": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", LAB, "metadata": [{"mime": "content-type:"}]}}`

// oneProtocol returns a net/http client for one protocol.
func oneProtocol(t *testing.T, l *testCA, h2 bool) *http.Client {
	t.Helper()
	ca, err := x509.ParseCertificate(l.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	p.SetUnencryptedHTTP2(h2)
	c := &http.Client{Transport: &http.Transport{Protocols: &p, TLSClientConfig: &stdtls.Config{RootCAs: roots}}, Timeout: 30 * time.Second}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// One port serves both protocols, in clear text and over TLS: reply and echo answer GET and POST with 200.
func TestServeBothProtocols(t *testing.T) {
	l := makeTestCA(t, "127.0.0.1")
	file := caPolicy(t, l, h2Servers)
	for _, c := range []struct{ stream, scheme string }{{"clear", "http"}, {"secure", "https"}} {
		reply := serve(t, "--policy", file, "--stream", c.stream, "--reply", "hello", "--type", "text/plain")
		echo := serve(t, "--policy", file, "--stream", c.stream, "--echo", "--type", "text/x")
		for proto, client := range map[string]*http.Client{"HTTP/1.1": oneProtocol(t, l, false), "HTTP/2.0": oneProtocol(t, l, true)} {
			for _, method := range []string{"GET", "POST", "HEAD"} {
				want := "hello"
				if method == "HEAD" {
					want = ""
				}
				a, b := ask(t, client, method, c.scheme+"://"+reply.at+"/", strings.NewReader(strings.Repeat("x", len(method)-3)))
				if a.StatusCode != 200 || a.Proto != proto || string(b) != want || a.ContentLength != 5 || a.Header.Get("Content-Type") != "text/plain" {
					t.Errorf("reply to %s over %s, %s: %s %d, length %d, type %q, body %q; want 200, 5, text/plain and %q", method, proto, c.scheme,
						a.Proto, a.StatusCode, a.ContentLength, a.Header.Get("Content-Type"), b, want)
				}
			}
			for _, n := range []int{0, 1, echoHigh, 3 << 20} {
				want := pattern(n, 5)
				for name, body := range map[string]io.Reader{"known": bytes.NewReader(want), "unknown": io.MultiReader(bytes.NewReader(want))} {
					a, b := ask(t, client, "POST", c.scheme+"://"+echo.at+"/", body)
					if a.StatusCode != 200 || a.Proto != proto || !bytes.Equal(b, want) {
						t.Errorf("echo of %d bytes of %s length over %s, %s: %s %d and %d bytes, want 200 and the same", n, name, proto, c.scheme,
							a.Proto, a.StatusCode, len(b))
					}
				}
			}
			if a, b := ask(t, client, "GET", c.scheme+"://"+echo.at+"/", nil); a.StatusCode != 200 || a.Proto != proto || len(b) != 0 {
				t.Errorf("echo of a GET over %s, %s: %s %d and %d bytes, want 200 and none", proto, c.scheme, a.Proto, a.StatusCode, len(b))
			}
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					want := pattern(50_000, 9)
					a, err := client.Post(c.scheme+"://"+echo.at+"/", "text/x", bytes.NewReader(want))
					if err != nil {
						t.Errorf("forty echoes at a time over %s, %s: %v", proto, c.scheme, err)
						return
					}
					defer a.Body.Close()
					if b, err := io.ReadAll(a.Body); err != nil || !bytes.Equal(b, want) {
						t.Errorf("forty echoes at a time over %s, %s: %d bytes (%v), want the same back", proto, c.scheme, len(b), err)
					}
				})
			}
			wg.Wait()
		}
	}
}
