package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

func TestServeReply(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--reply", "hello", "--type", "text/plain")
	client := httpClient(t)
	for _, c := range []struct {
		method, body, want string
	}{
		{"GET", "", "hello"}, {"HEAD", "", ""}, {"POST", "some body", "hello"}, {"PUT", strings.Repeat("x", 1<<20), "hello"},
		{"DELETE", "", "hello"},
	} {
		a, b := ask(t, client, c.method, "http://"+s.at+"/", strings.NewReader(c.body))
		if a.StatusCode != 200 || string(b) != c.want || a.ContentLength != 5 || a.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: status %d, length %d, type %q, body %q; want 200, 5, text/plain and %q", c.method, a.StatusCode,
				a.ContentLength, a.Header.Get("Content-Type"), b, c.want)
		}
	}
}

func TestServeFile(t *testing.T) {
	for _, n := range []int{0, 1, pieceSize, 3*pieceSize + 17} {
		want := pattern(n, 3)
		file := write(t, "content", string(want))
		policy := write(t, "p.json", servePolicy)
		web := serve(t, "--policy", policy, "--stream", "web", "--file", file)
		client := httpClient(t)
		for range 3 {
			if _, b := ask(t, client, "GET", "http://"+web.at+"/", nil); !bytes.Equal(b, want) {
				t.Errorf("a file of %d bytes came as %d bytes over h1, or as others", n, len(b))
			}
		}
		tcp := serve(t, "--policy", policy, "--stream", "tcp", "--file", file)
		c, err := net.Dial("tcp", tcp.at)
		if err != nil {
			t.Fatal(err)
		}
		// The peer closes its direction before the answer is complete.
		c.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		c.Close()
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("a file of %d bytes came as %d bytes over raw (%v), or as others", n, len(b), err)
		}
	}
}

// A file that is truncated while it is served ends the connection, so that a part does not look complete.
func TestServeFileThatShrinks(t *testing.T) {
	file := write(t, "content", strings.Repeat("x", 4*pieceSize))
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--file", file)
	if err := os.Truncate(file, pieceSize+1); err != nil {
		t.Fatal(err)
	}
	a, err := httpClient(t).Get("http://" + s.at + "/")
	if err == nil {
		defer a.Body.Close()
		var n int64
		n, err = io.Copy(io.Discard, a.Body)
		if err == nil {
			t.Errorf("the answer ended in order after %d bytes of %d, want an error", n, a.ContentLength)
		}
	}
	poll(t, "the log to name the file", func() bool { return strings.Contains(s.err.String(), "was truncated") })
}
