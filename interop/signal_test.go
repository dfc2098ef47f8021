package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGTERM lets a running download finish and refuses new clients at once; then the
// process exits with status 0.
func TestSigtermDrains(t *testing.T) {
	body := pattern(bigSize, 41)
	p, at := serve(t, servers, "web", "--file", file(t, "body", body))
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	first := make([]byte, 1000)
	if _, err := io.ReadFull(c, first); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	poll(t, "new clients to be refused", func() bool {
		d, err := net.Dial("tcp", at)
		if err == nil {
			d.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	rest, err := io.ReadAll(c)
	c.Close()
	if err != nil {
		t.Error(err)
	}
	_, got, _ := bytes.Cut(append(first, rest...), []byte("\r\n\r\n"))
	same(t, "the download", string(got), body)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0\n%s", status, &p.err)
	}
}

// A second signal does not wait for a client that does not read.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	p, at := serve(t, servers, "web", "--file", file(t, "body", pattern(64<<20, 42)), "--grace", "10m")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGINT)
	poll(t, "new clients to be refused", func() bool {
		d, err := net.Dial("tcp", at)
		if err == nil {
			d.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	p.cmd.Process.Signal(syscall.SIGINT)
	if status := p.wait(); status != 4 {
		t.Errorf("got status %d after two signals, want 4: a response was cut\n%s", status, &p.err)
	}
}

func TestSigusr1Dumps(t *testing.T) {
	p, at := serve(t, servers, "tcp", "--echo")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	poll(t, "a dump that shows listener and connection", func() bool {
		p.cmd.Process.Signal(syscall.SIGUSR1)
		return strings.Contains(p.err.String(), "2 streams, 1 connections") && strings.Contains(p.err.String(), "listening on "+at)
	})
}

// The demo exits within ten seconds with status 0.
func TestDemo(t *testing.T) {
	began := time.Now()
	r := finish(t, nil, millrace, "demo")
	if took := time.Since(began); r.status != 0 || !strings.HasSuffix(r.out, " streams ok, 0 failed\n") || took > 10*time.Second {
		t.Errorf("millrace demo: status %d after %v\n%s%s", r.status, took, r.out, r.err)
	}
}
