package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The first signal completes answers in progress and refuses new clients; then serve ends.
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
		t.Errorf("got %d bytes of the body after the signal (%v), want %d", len(head)+len(rest)-body, err, 8<<20)
	}
	c.Close()
	s.ended(exitOK)
	if !strings.Contains(s.err.String(), "msg=draining signal=terminated") {
		t.Errorf("the log has no line \"draining\":\n%s", s.err)
	}
}

// An answer that the client does not read delays the end by at most --grace, and not after a second signal.
func TestServeGraceIsBounded(t *testing.T) {
	file := write(t, "content", strings.Repeat("x", 64<<20))
	for _, c := range []struct {
		name, grace string
		signals     int
		status      int
	}{{"grace", "200ms", 1, exitOK}, {"second signal", "10m", 2, exitLocal}} {
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
			s.want = c.status
			s.ended(c.status)
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
