package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// curl runs curl and fails the test unless its exit status is 0.
func curl(t *testing.T, args ...string) ran {
	t.Helper()
	r := finish(t, nil, need(t, "curl", "curl"), append([]string{"-sS", "--max-time", "25"}, args...)...)
	if r.status != 0 {
		t.Errorf("curl %q: status %d\n%s", args, r.status, r.err)
	}
	return r
}

const bigSize = 10 << 20

func TestCurlKeepsTheConnection(t *testing.T) {
	_, at := serve(t, servers, "web", "--reply", "hello\n", "--type", "text/plain")
	url := "http://" + at + "/"
	r := curl(t, "-v", "-w", "new connections %{num_connects}, status %{http_code}, type %{content_type}\n", url, url+"a", url+"b?c")
	const first, next = "hello\nnew connections 1, status 200, type text/plain\n", "hello\nnew connections 0, status 200, type text/plain\n"
	same(t, "three GETs", r.out, first+next+next)
	if !strings.Contains(r.err, "< HTTP/1.1 200 OK\r\n") {
		t.Errorf("curl -v printed no \"HTTP/1.1 200 OK\":\n%s", r.err)
	}
	r = curl(t, "-w", "%{num_connects} ", "-d", "x", url, url)
	same(t, "two POSTs", r.out, "hello\n1 hello\n0 ")
	r = curl(t, "-H", "Connection: close", "-w", "%{num_connects} ", url, url)
	same(t, "two GETs with Connection: close", r.out, "hello\n1 hello\n1 ")
}

func TestCurlHead(t *testing.T) {
	_, at := serve(t, servers, "web", "--reply", "hello\n")
	r := curl(t, "-I", "-w", "%{num_connects} %{size_download}", "http://"+at+"/", "http://"+at+"/")
	if strings.Count(r.out, "Content-Length: 6\r\n") != 2 || !strings.HasSuffix(r.out, "0 0") {
		t.Errorf("two HEADs: got %q, want Content-Length: 6 twice, no body, on one connection", r.out)
	}
}

func TestCurlUploads(t *testing.T) {
	s, at := serve(t, servers, "web", "--echo", "--type", "application/octet-stream")
	body := pattern(bigSize, 1)
	data := "@" + file(t, "body", body)
	for _, c := range []struct {
		name string
		args []string
		head string // what curl -v prints of our responses
	}{
		{"Content-Length", []string{"--data-binary", data}, "< HTTP/1.1 200"},
		{"chunked", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", data}, "< Transfer-Encoding: chunked"},
		{"PUT", []string{"-T", data[1:]}, "< HTTP/1.1 200"},
		{"Expect", []string{"-H", "Expect: 100-continue", "--data-binary", data}, "< HTTP/1.1 100 Continue"},
		{"Expect, chunked", []string{"-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked", "--data-binary", data}, "< HTTP/1.1 100 Continue"},
		{"HTTP/1.0", []string{"-0", "--data-binary", data}, "< HTTP/1."},
		{"multipart", []string{"-F", "file=" + data}, "< HTTP/1.1 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			r := curl(t, append(c.args, "-v", "-o", out, "http://"+at+"/")...)
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			got := string(b)
			if c.name == "multipart" { // curl wraps the body in a multipart envelope
				if i := strings.Index(got, "\r\n\r\n"); i >= 0 && len(got) > i+4+bigSize {
					got = got[i+4:][:bigSize]
				}
			}
			same(t, c.name, got, body)
			if !strings.Contains(r.err, c.head) {
				t.Errorf("curl -v printed no %q", c.head)
			}
		})
	}
	if t.Failed() {
		t.Logf("millrace serve: %s", &s.err)
	}
}

// A server that only answers reads the body first, so the connection can serve the next request.
func TestCurlExpectsAnswerAfterBody(t *testing.T) {
	_, at := serve(t, servers, "web", "--reply", "thanks\n")
	body := file(t, "body", pattern(bigSize, 2))
	r := curl(t, "-H", "Expect: 100-continue", "--data-binary", "@"+body, "-w", "%{num_connects} %{http_code}\n", "http://"+at+"/", "http://"+at+"/")
	same(t, "two uploads", r.out, "thanks\n1 200\nthanks\n0 200\n")
}

func TestCurlDownloads(t *testing.T) {
	body := pattern(bigSize+17, 3)
	_, at := serve(t, servers, "web", "--file", file(t, "body", body))
	same(t, "a file over HTTP/1.1", curl(t, "http://"+at+"/").out, body)
	same(t, "a file over HTTP/1.0", curl(t, "-0", "http://"+at+"/").out, body)
}

func TestCurlHTTP10(t *testing.T) {
	_, at := serve(t, servers, "web", "--reply", "hello\n")
	r := curl(t, "-0", "-w", "%{num_connects}\n", "http://"+at+"/", "http://"+at+"/")
	same(t, "two GETs of HTTP/1.0", r.out, "hello\n1\nhello\n1\n")
	r = curl(t, "-0", "-H", "Connection: keep-alive", "-w", "%{http_code}\n", "http://"+at+"/")
	same(t, "a GET of HTTP/1.0 with keep-alive", r.out, "hello\n200\n")
}

func TestCurlUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	_, at := serve(t, fmt.Sprintf(`{"s":[{"web":{"server":true,"endpoint":"+%s"}}]}`, path), "web", "--reply", "hello\n")
	if at != "unix:"+path {
		t.Errorf("listens on %q, want %q", at, "unix:"+path)
	}
	same(t, "over a Unix socket", curl(t, "--unix-socket", path, "http://localhost/", "http://localhost/").out, "hello\nhello\n")

	name := fmt.Sprintf("millrace-interop-%d", os.Getpid())
	serve(t, fmt.Sprintf(`{"s":[{"web":{"server":true,"endpoint":"+@%s"}}]}`, name), "web", "--reply", "hello\n")
	same(t, "over an abstract socket", curl(t, "--abstract-unix-socket", name, "http://localhost/").out, "hello\n")
}

// Our server itself answers invalid HTTP.
func TestCurlBadRequests(t *testing.T) {
	_, at := serve(t, servers, "web", "--reply", "hello\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-H", "Transfer-Encoding: chunked", "-H", "Content-Length: 3", "-d", "abc"}, "400"},
		{[]string{"-H", "Transfer-Encoding: gzip"}, "400"}, // RFC 9112 s.6.3: chunked must come last
		{[]string{"-H", "Transfer-Encoding: gzip, chunked"}, "501"},
		{[]string{"-H", "X-Long: " + strings.Repeat("x", 20000)}, "431"},
		{[]string{"-H", "Host:"}, "400"},
	} {
		r := curl(t, append(c.args, "-o", os.DevNull, "-w", "%{http_code}", "http://"+at+"/")...)
		if r.out != c.want {
			t.Errorf("curl %.60q: status %s, want %s", c.args, r.out, c.want)
		}
	}
	r := curl(t, "-o", os.DevNull, "-w", "%{http_code}", "http://"+at+"/"+strings.Repeat("x", 9000))
	if r.out != "414" {
		t.Errorf("a target of 9,000 bytes: status %s, want 414", r.out)
	}
}
