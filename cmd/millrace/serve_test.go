package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const servePolicy = `{"s":[
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"tcp": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}}]}`

// ask makes one request with net/http on a client of its own.
func ask(t *testing.T, client *http.Client, method, url string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	q, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: read the answer: %v after %d bytes", method, url, err, len(b))
	}
	return a, b
}

func httpClient(t *testing.T) *http.Client {
	c := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

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
		// The peer has nothing to say, and says so before the answer is out.
		c.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		c.Close()
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("a file of %d bytes came as %d bytes over raw (%v), or as others", n, len(b), err)
		}
	}
}

// A file that shrinks while it is served ends the connection, so that nobody takes a part for the whole.
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
	poll(t, "the log to name the file", func() bool { return strings.Contains(s.err.String(), "become shorter") })
}

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

// The first signal lets an answer that has begun go on, and takes no more clients; then serve ends.
func TestServeDrains(t *testing.T) {
	file := write(t, "content", strings.Repeat("x", 8<<20))
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--file", file, "-v")
	c, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	head := make([]byte, 1000)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	s.signals <- syscall.SIGTERM
	poll(t, "new connections to be refused", func() bool {
		d, err := net.Dial("tcp", s.at)
		if err == nil {
			d.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	rest, err := io.ReadAll(c)
	if body := bytes.Index(head, []byte("\r\n\r\n")) + 4; err != nil || len(head)+len(rest)-body != 8<<20 {
		t.Errorf("%d bytes of the body came after the signal (%v), want all %d", len(head)+len(rest)-body, err, 8<<20)
	}
	c.Close()
	s.ended(exitOK)
	if !strings.Contains(s.err.String(), "msg=draining signal=terminated") {
		t.Errorf("the log does not say that it drains:\n%s", s.err)
	}
}

// An answer that nobody takes does not keep the server alive longer than --grace, and not past a second signal.
func TestServeGraceIsBounded(t *testing.T) {
	file := write(t, "content", strings.Repeat("x", 64<<20))
	for _, c := range []struct {
		name, grace string
		signals     int
	}{{"grace", "200ms", 1}, {"second signal", "10m", 2}} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--file", file, "--grace", c.grace)
			conn, err := net.Dial("tcp", s.at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			for range c.signals {
				s.signals <- os.Interrupt
			}
			s.ended(exitOK)
		})
	}
}

func TestServeDumps(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--echo")
	c, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	poll(t, "a dump with the listener and the accepted stream", func() bool {
		s.signals <- syscall.SIGUSR1
		return strings.Contains(s.err.String(), "2 streams, 1 connections") &&
			strings.Contains(s.err.String(), "listening on "+s.at)
	})
}

// poll waits until ok is true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}
