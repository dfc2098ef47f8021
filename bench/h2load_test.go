package main

import (
	"strings"
	"testing"
)

// h2loadReport is the output of h2load of nghttp2 1.52, without its progress lines.
const h2loadReport = `starting benchmark...
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.01s, 302368.50 req/s, 20.19MB/s
requests: 302368 total, 302624 started, 302368 done, 302368 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 302368 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 20.19MB (21166256) total, 8.94MB (9373416) headers (space savings 47.46%), 6.06MB (6349728) data
`

func TestParseH2load(t *testing.T) {
	r, err := parseH2load(h2loadReport)
	if want := (h2loaded{done: 302368, rate: 302368.5, bytes: 21166256}); err != nil || r != want {
		t.Errorf("got %+v, %v\nwant %+v", r, err, want)
	}
	for _, c := range []struct{ name, old, new, wantErr string }{
		{"HTTP/1.1", "protocol: h2", "protocol: http/1.1", "http/1.1"},
		{"another cipher suite", "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "AES_256"},
		{"responses other than 2xx", "302368 succeeded, 0 failed", "302367 succeeded, 1 failed", "1 failed"},
		{"nothing done", "302368 done, 302368 succeeded", "0 done, 0 succeeded", "0 responses"},
		{"another report", "req/s", "requests", "no figures"},
	} {
		if _, err := parseH2load(strings.Replace(h2loadReport, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.wantErr) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.wantErr)
		}
	}
}
