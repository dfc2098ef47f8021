package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
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

// A client that sends and does not read is stopped after a bounded number of bytes, and loses none.
func TestEchoIsBounded(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--echo")
	c, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.(*net.TCPConn).SetWriteBuffer(64 << 10)
	// Loopback sockets take several megabytes at most; the rest has to wait for us to read.
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
		t.Fatalf("the echo took %d bytes from a client that reads nothing, want it to stop", n)
	}
	t.Logf("the echo stopped after %d bytes", n)
	go func() { c.(*net.TCPConn).CloseWrite() }()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent[:n]) {
		t.Errorf("%d bytes came back (%v), want the %d that were sent", len(got), err, n)
	}
}
