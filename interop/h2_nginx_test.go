package interop

import (
	"strings"
	"testing"
)

// nginx as a reverse proxy that speaks HTTP/2 to our server: its gRPC module forwards any request as HTTP/2, in clear and over
// TLS, and keeps the connections.
func TestNginxForwardsOverHTTP2(t *testing.T) {
	body := pattern(3<<20, 66)
	name := file(t, "body", body)
	overBoth(t, func(t *testing.T, s *h2Server) {
		scheme := "grpc"
		if s.secure {
			scheme = "grpcs"
		}
		n := startNginx(t, "upstream ours { server "+s.at+"; keepalive 4; }", "location / { grpc_pass "+scheme+"://ours; }")
		for range 3 {
			same(t, "a POST", curl(t, "--data-binary", "@"+name, n.url("/")).out, body)
			same(t, "a short POST", curl(t, "-d", "hello", n.url("/")).out, "hello")
			same(t, "a GET", curl(t, "-w", "%{http_code}", n.url("/")).out, "200")
		}
		r := curl(t, "-Z", "-d", "hello", n.url("/1"), n.url("/2"), n.url("/3"), n.url("/4"), n.url("/5"), n.url("/6"))
		same(t, "six at a time", r.out, strings.Repeat("hello", 6))
	}, "--echo")
}

// `millrace fetch` against nginx: ALPN over TLS, prior knowledge in clear, and HTTP/1.1 where nginx has no HTTP/2.
func TestFetchFromNginxHTTP2(t *testing.T) {
	body := pattern(3<<20, 67)
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	clear, secure, old := freePort(t), freePort(t), freePort(t)
	n := startNginx(t, `server { listen 127.0.0.1:`+old+` ssl; ssl_certificate `+leaf.pem+`; ssl_certificate_key `+leaf.pkey+`; return 200 "$server_protocol"; }`,
		`listen 127.0.0.1:`+clear+` http2; listen 127.0.0.1:`+secure+` ssl http2;
		ssl_certificate `+leaf.pem+`; ssl_certificate_key `+leaf.pkey+`;
		location /proto { return 200 "$server_protocol"; }
		location /refused { return 403 "go away\n"; }`,
		"file", body)
	for _, c := range []struct {
		name, url string
		status    int
		out       string
	}{
		{"a file in clear", "http://127.0.0.1:" + clear + "/file", 0, body},
		{"a file over TLS", "https://127.0.0.1:" + secure + "/file", 0, body},
		{"the protocol in clear", "http://127.0.0.1:" + clear + "/proto", 0, "HTTP/2.0"},
		{"the protocol over TLS", "https://127.0.0.1:" + secure + "/proto", 0, "HTTP/2.0"},
		{"the protocol of a server without HTTP/2", "https://127.0.0.1:" + old + "/proto", 0, "HTTP/1.1"},
		{"403", "http://127.0.0.1:" + clear + "/refused", 1, "go away\n"},
	} {
		args := []string{"fetch", "--http2", c.url}
		if strings.HasPrefix(c.url, "https:") {
			args = append(args, "--ca", ca.pem)
		}
		r := finish(t, nil, millrace, args...)
		same(t, c.name, r.out, c.out)
		if r.status != c.status {
			t.Errorf("%s: status %d, want %d\n%s", c.name, r.status, c.status, r.err)
		}
	}
	n.down()
}
