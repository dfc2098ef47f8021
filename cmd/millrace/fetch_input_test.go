package main

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// Payload from a pipe cannot be sent again: the stream makes no second attempt.
func TestFetchPipeIsSentOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1000)) // the head, and some payload
			c.Close()
		}
	}()
	p := clientPolicy(t, port(l.Addr().String()))
	runWith(strings.NewReader(strings.Repeat("x", 1<<20)), "fetch", "--policy", p, "--stream", "post", "--data", "@-").
		expect(t, exitUnreachable, "cannot be sent again")
	file := write(t, "data", strings.Repeat("x", 1<<20))
	r := run("fetch", "--policy", p, "--stream", "post", "--data", "@"+file, "-v")
	if got := strings.Count(r.err, "LWSSSCS_CONNECTING"); r.status != exitUnreachable || got != 3 {
		t.Errorf("from a file: status %d after %d attempts, want %d after 3\n%s", r.status, got, exitUnreachable, r.err)
	}
}

// A raw peer that closes before it has received all payload ends the stream without success.
func TestFetchRawCutWhileSending(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	never, w := io.Pipe()
	defer w.Close()
	p := clientPolicy(t, port(l.Addr().String()))
	runWith(never, "fetch", "--policy", p, "--stream", "tcp", "--data", "@-").
		expect(t, exitUnreachable, "ended before the payload was complete")
}

// A file that is truncated while it is sent is an error.
func TestFetchFileThatShrinks(t *testing.T) {
	name := write(t, "data", strings.Repeat("x", 4*pieceSize))
	u, err := openUpload(nil, &fetchFlags{data: "@" + name, hasData: true})
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	if err := os.Truncate(name, pieceSize); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	u.failed = func(err error) { failed <- err }
	u.post = func(f func()) { f() }
	u.pos = pieceSize
	u.ask()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "was truncated") {
		t.Errorf("read after truncation: got %v, want an error with \"was truncated\"", err)
	}
}
