package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestServeEcho(t *testing.T) {
	policy := write(t, "p.json", servePolicy)
	s := serve(t, "--policy", policy, "--stream", "web", "--echo", "--type", "text/x")
	client := httpClient(t)
	for _, n := range []int{0, 1, echoHigh, 5 << 20} {
		want := pattern(n, 5)
		for name, body := range map[string]io.Reader{
			"known length":   bytes.NewReader(want),
			"unknown length": io.MultiReader(bytes.NewReader(want)),
		} {
			a, b := ask(t, client, "POST", "http://"+s.at+"/", body)
			if a.StatusCode != 200 || !bytes.Equal(b, want) || a.Header.Get("Content-Type") != "text/x" {
				t.Errorf("%d bytes of %s: status %d, type %q, %d bytes back; want 200, text/x and the same", n, name,
					a.StatusCode, a.Header.Get("Content-Type"), len(b))
			}
		}
	}
	if a, b := ask(t, client, "GET", "http://"+s.at+"/", nil); a.StatusCode != 200 || len(b) != 0 {
		t.Errorf("GET: status %d and %d bytes, want 200 and none", a.StatusCode, len(b))
	}
}

// A client that sends and does not read is stopped after a bounded number of bytes, and no byte is lost.
func TestEchoIsBounded(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--echo")
	c, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.(*net.TCPConn).SetWriteBuffer(64 << 10)
	// Loopback sockets buffer several megabytes; the rest waits until the test reads.
	const limit = 64 << 20
	sent := pattern(limit, 9)
	n := 0
	for n < limit {
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		k, err := c.Write(sent[n:min(n+1<<20, limit)])
		n += k
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n == limit {
		t.Fatalf("the echo read %d bytes from a client that does not read, want it to stop", n)
	}
	t.Logf("the echo stopped after %d bytes", n)
	go func() { c.(*net.TCPConn).CloseWrite() }()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent[:n]) {
		t.Errorf("%d bytes came back (%v), want the %d that were sent", len(got), err, n)
	}
}

// TestServeEchoParts checks that the echo of a multipart body (http_multipart_ss_in) is the contents of its parts, for
// any number of parts, empty ones included; the connection serves the next request.
func TestServeEchoParts(t *testing.T) {
	policy := write(t, "p.json", `{"s":[{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "http_multipart_ss_in": true}}]}`)
	s := serve(t, "--policy", policy, "--stream", "web", "--echo")
	client := httpClient(t)
	for _, c := range []struct{ name, body, want string }{
		{"no part", "--B--\r\n", ""},
		{"an empty part", "--B\r\n\r\n\r\n--B--\r\n", ""},
		{"an empty part with its length", "--B\r\nContent-Length: 0\r\n\r\n\r\n--B--\r\n", ""},
		{"one part", "--B\r\n\r\none\r\n--B--\r\n", "one"},
		{"several, some empty", "--B\r\n\r\none\r\n--B\r\n\r\n\r\n--B\r\nContent-Length: 3\r\n\r\ntwo\r\n--B\r\n\r\n\r\n--B--\r\n", "onetwo"},
		{"large ones", "--B\r\n\r\n" + string(pattern(1<<20, 3)) + "\r\n--B\r\n\r\n" + string(pattern(1<<20, 4)) + "\r\n--B--\r\n", string(pattern(1<<20, 3)) + string(pattern(1<<20, 4))},
	} {
		for range 2 {
			q, err := http.NewRequest("POST", "http://"+s.at+"/", io.MultiReader(strings.NewReader(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Content-Type", "multipart/mixed; boundary=B")
			a, err := client.Do(q)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got, err := io.ReadAll(a.Body)
			a.Body.Close()
			if a.StatusCode != 200 || string(got) != c.want || err != nil {
				t.Errorf("%s: status %d, %d bytes back (%v), want 200 and %d", c.name, a.StatusCode, len(got), err, len(c.want))
			}
		}
	}
}
