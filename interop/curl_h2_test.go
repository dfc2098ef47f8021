package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// overBoth runs a test against `millrace serve` in clear and over TLS.
func overBoth(t *testing.T, f func(t *testing.T, s *h2Server), args ...string) {
	for _, secure := range []bool{false, true} {
		t.Run(wire(secure), func(t *testing.T) {
			s := serveH2(t, secure, args...)
			f(t, s)
			if t.Failed() {
				t.Logf("millrace serve: %s", &s.err)
			}
		})
	}
}

// curl2 runs curl against s over HTTP/2: by ALPN, or in clear with prior knowledge.
func (s *h2Server) curl2(t *testing.T, args ...string) ran {
	t.Helper()
	return curl(t, append(s.how(), args...)...)
}

func (s *h2Server) how() []string {
	if s.secure {
		return []string{"--http2", "--cacert", s.ca.pem}
	}
	return []string{"--http2-prior-knowledge"}
}

// reuses reports whether curl can do several transfers on one connection. curl of Debian 12 (7.88) cannot in clear: the
// second transfer ends with "Error in the HTTP2 framing layer", against nghttpd too.
func (s *h2Server) reuses() bool { return s.secure }

// transferInfo is what curl prints about each transfer.
const transferInfo = "new connections %{num_connects}, status %{http_code}, type %{content_type}, HTTP/%{http_version}\n"

func TestCurlHTTP2(t *testing.T) {
	overBoth(t, func(t *testing.T, s *h2Server) {
		const first = "hello\nnew connections 1, status 200, type text/plain, HTTP/2\n"
		next := strings.Replace(first, "1", "0", 1)
		same(t, "a GET", s.curl2(t, "-w", transferInfo, s.url).out, first)
		r := s.curl2(t, "-I", "-w", "%{size_download}\n", s.url)
		if !strings.Contains(r.out, "content-length: 6\r\n") || !strings.HasSuffix(r.out, "\r\n0\n") {
			t.Errorf("HEAD: got %q, want content-length: 6 and no body", r.out)
		}
		if s.reuses() {
			same(t, "three GETs", s.curl2(t, "-w", transferInfo, s.url, s.url+"/a", s.url+"/b?c").out, first+next+next)
			same(t, "two POSTs", s.curl2(t, "-w", "%{num_connects} ", "-d", "x", s.url, s.url).out, "hello\n1 hello\n0 ")
			same(t, "two HEADs", s.curl2(t, "-I", "-o", os.DevNull, "-o", os.DevNull, "-w", "%{num_connects} ", s.url, s.url).out, "1 0 ")
			var urls []string
			for i := range 200 {
				urls = append(urls, fmt.Sprintf("%s/%d", s.url, i))
			}
			r = s.curl2(t, append([]string{"-Z", "--parallel-max", "100"}, urls...)...)
			same(t, "200 GETs, as many at a time as go", r.out, strings.Repeat("hello\n", 200))
		}

		// One port serves both protocols, whichever the client uses first. RFC 9113 s.3.1 makes Upgrade: h2c obsolete.
		r = curl(t, "--http1.1", "--cacert", s.ca.pem, "-w", transferInfo, s.url)
		same(t, "HTTP/1.1", r.out, strings.Replace(first, "HTTP/2", "HTTP/1.1", 1))
		if !s.secure {
			r = curl(t, "--http2", "-v", "-w", transferInfo, s.url)
			same(t, "with Upgrade: h2c", r.out, strings.Replace(first, "HTTP/2", "HTTP/1.1", 1))
			if !strings.Contains(r.err, "> Upgrade: h2c") {
				t.Errorf("curl did not ask for the upgrade:\n%s", r.err)
			}
		}
	}, "--reply", "hello\n", "--type", "text/plain")
}

func TestCurlHTTP2Bodies(t *testing.T) {
	body := pattern(bigSize+17, 61)
	name := file(t, "body", body)
	overBoth(t, func(t *testing.T, s *h2Server) {
		for _, c := range []struct {
			name string
			args []string
			head string // what curl -v prints of our responses
		}{
			{"POST", []string{"--data-binary", "@" + name}, "< HTTP/2 200"},
			{"PUT", []string{"-T", name}, "< HTTP/2 200"},
			{"no length", []string{"-H", "Content-Length:", "--data-binary", "@" + name}, "< HTTP/2 200"},
			{"Expect", []string{"-H", "Expect: 100-continue", "--data-binary", "@" + name}, "< HTTP/2 100"},
		} {
			out := filepath.Join(t.TempDir(), "out")
			r := s.curl2(t, append(c.args, "-v", "-o", out, s.url)...)
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			same(t, c.name, string(b), body)
			if !strings.Contains(r.err, c.head) {
				t.Errorf("%s: curl -v printed no %q", c.name, c.head)
			}
		}
		same(t, "no body", s.curl2(t, "-d", "", s.url).out, "")
	}, "--echo", "--type", "application/octet-stream")
	overBoth(t, func(t *testing.T, s *h2Server) {
		same(t, "a file", s.curl2(t, s.url).out, body)
		same(t, "a file, slowly", s.curl2(t, "--limit-rate", "20M", s.url).out, body)
	}, "--file", name)
	overBoth(t, func(t *testing.T, s *h2Server) {
		args, want := []string{"-H", "Expect: 100-continue", "--data-binary", "@" + name, "-w", "%{num_connects} %{http_code}\n", s.url}, "thanks\n1 200\n"
		if s.reuses() {
			args, want = append(args, s.url), want+"thanks\n0 200\n"
		}
		same(t, "uploads to who only answers", s.curl2(t, args...).out, want)
	}, "--reply", "thanks\n")
}

// A bad request fails alone; its connection stays open.
func TestCurlHTTP2BadRequests(t *testing.T) {
	s := serveH2(t, true, "--reply", "hello\n")
	show := []string{"-sS", "-w", "%{num_connects} %{http_code}\n", s.url}
	next := append([]string{"--next"}, append(s.how(), show...)...)
	r := s.curl2(t, append(append([]string{"-H", "x-long: " + strings.Repeat("x", 17000)}, show...), next...)...)
	same(t, "a header section too long, and a request behind it", r.out, "1 431\nhello\n0 200\n")
}
