package interop

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// nghttp with all options that change the request.
func TestNghttp(t *testing.T) {
	nghttp := need(t, "nghttp", "nghttp2-client")
	body := pattern(300_000, 62)
	name := file(t, "body", body)
	overBoth(t, func(t *testing.T, s *h2Server) {
		for _, c := range [][]string{
			nil,
			{"--trailer", "x-sum: 1"},
			{"--expect-continue"},
			{"--padding", "200"},
			{"--window-bits", "8", "--connection-window-bits", "10"},
			{"--weight", "256"},
			{"--header-table-size", "0", "--encoder-header-table-size", "0"},
		} {
			r := finish(t, nil, nghttp, append(c, "--data", name, s.url)...)
			if r.status != 0 {
				t.Errorf("nghttp %q: status %d: %s", c, r.status, r.err)
			}
			same(t, fmt.Sprintf("nghttp %q", c), r.out, body)
		}
	}, "--echo")
	overBoth(t, func(t *testing.T, s *h2Server) {
		r := finish(t, nil, nghttp, "--multiply", "100", s.url+"/a", s.url+"/b")
		same(t, "200 requests", r.out, strings.Repeat("hello\n", 200))
		r = finish(t, nil, nghttp, "-nv", s.url)
		for _, want := range []string{"recv SETTINGS frame", "SETTINGS_MAX_CONCURRENT_STREAMS(0x03):128", "SETTINGS_ENABLE_CONNECT_PROTOCOL(0x08):1", ":status: 200", "content-length: 6"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("nghttp -v printed no %q\n%s", want, r.out)
			}
		}
		// A block of several frames exceeds our limit of fields: the request gets a response, and the connection stays open.
		r = finish(t, nil, nghttp, "-nv", "--continuation", s.url)
		if strings.Count(r.out, ":status: 431") != 1 || strings.Contains(r.out, "recv GOAWAY") {
			t.Errorf("nghttp --continuation: want status 431 and no GOAWAY\n%.3000s", r.out)
		}
		if !s.secure {
			if r = finish(t, nil, nghttp, "--upgrade", s.url); strings.Contains(r.out, "hello") || !strings.Contains(r.err+r.out, "HTTP Upgrade failed") {
				t.Errorf("nghttp --upgrade: got %q, %q; want no HTTP/2 by Upgrade", r.out, r.err)
			}
		}
	}, "--reply", "hello\n")
}

func TestH2load(t *testing.T) {
	h2load := need(t, "h2load", "nghttp2-client")
	load := func(t *testing.T, s *h2Server, n int, args ...string) {
		t.Helper()
		r := finish(t, nil, h2load, append(args, "-n", fmt.Sprint(n), s.url)...)
		want := fmt.Sprintf(`requests: %[1]d total, %[1]d started, %[1]d done, %[1]d succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: %[1]d 2xx`, n)
		if r.status != 0 || !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("h2load %q: status %d; want %q\n%s%s", args, r.status, want, r.out, r.err)
		}
	}
	overBoth(t, func(t *testing.T, s *h2Server) {
		load(t, s, 20000, "-c", "8", "-m", "32")
		load(t, s, 2000, "-c", "100", "-m", "1")
		load(t, s, 5000, "-c", "1", "-m", "128")
		load(t, s, 5000, "-c", "4", "-m", "200") // above the limit that we announce, which h2load obeys
		load(t, s, 2000, "-c", "8", "-m", "32", "--h1")
	}, "--reply", "hello\n")
	upload := file(t, "body", pattern(20_000, 63))
	overBoth(t, func(t *testing.T, s *h2Server) {
		load(t, s, 3000, "-c", "8", "-m", "32", "-d", upload)
		load(t, s, 300, "-c", "2", "-m", "16", "-d", upload, "-w", "10", "-W", "12") // windows of 1 and 4 KiB
	}, "--echo")
}
