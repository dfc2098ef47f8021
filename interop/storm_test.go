package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// figures are the numbers that the child server prints about itself.
type figures struct{ goroutines, streams, accepted, answered int }

// Ten thousand clients connect at once, send a request, and stay until all have their response. No client fails, and the
// server has as many goroutines as before.
func TestStormOfTenThousand(t *testing.T) {
	const clients = 10000
	open := clients // at the same time
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < clients+200 {
		open = int(limit.Cur) - 200
		t.Logf("limit of %d descriptors: %d clients at a time", limit.Cur, open)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(childEnv, "1")
	answers, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, ask, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, in, w, self)
	w.Close()
	in.Close()
	defer func() {
		ask.Close()
		if status := p.wait(); status != 0 {
			t.Errorf("the server exited with status %d\n%s", status, &p.err)
		}
		answers.Close()
	}()
	lines := bufio.NewReader(answers)
	line := func() string {
		t.Helper()
		answers.SetReadDeadline(time.Now().Add(patience))
		s, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("read from the server: %v\n%s", err, &p.err)
		}
		return strings.TrimSpace(s)
	}
	at := line()
	tell := func() (f figures) {
		t.Helper()
		fmt.Fprintln(ask)
		if _, err := fmt.Sscan(line(), &f.goroutines, &f.streams, &f.accepted, &f.answered); err != nil {
			t.Fatal(err)
		}
		return f
	}

	before := tell()
	began := time.Now()
	peak := figures{}
	for done := 0; done < clients; done += open {
		n := min(open, clients-done)
		storm(t, at, n, func() { peak = tell() })
	}
	t.Logf("%d clients in %v; at the peak %+v", clients, time.Since(began), peak)
	var after figures
	poll(t, "the server to notice that all clients left", func() bool {
		after = tell()
		return after.streams == before.streams
	})
	if peak.goroutines != before.goroutines || after.goroutines != before.goroutines {
		t.Errorf("goroutines: %d before, %d with %d connections, %d after; want no change", before.goroutines, peak.goroutines,
			peak.streams, after.goroutines)
	}
	if after.accepted != clients || after.answered != clients {
		t.Errorf("the server accepted %d connections and answered %d requests, want %d of both", after.accepted, after.answered, clients)
	}
}

// storm runs n clients that connect, send a request, and wait for each other; then it calls full and closes them.
func storm(t *testing.T, at string, n int, full func()) {
	t.Helper()
	var answered, gone sync.WaitGroup
	answered.Add(n)
	release := make(chan struct{})
	lost := make(chan error, n)
	for range n {
		gone.Go(func() {
			c, err := askOnce(at)
			if err != nil {
				lost <- err
			}
			answered.Done()
			<-release
			if c != nil {
				c.Close()
			}
		})
	}
	answered.Wait()
	full()
	close(release)
	gone.Wait()
	close(lost)
	if len(lost) > 0 {
		t.Errorf("%d of %d clients got no answer; the first: %v", len(lost), n, <-lost)
	}
}

// askOnce connects and sends one request. It leaves the connection open.
func askOnce(at string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", at, patience)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return c, err
	}
	var b [512]byte
	n := 0
	for n < len(b) && !strings.HasSuffix(string(b[:n]), "\r\n\r\nhello\n") {
		k, err := c.Read(b[n:])
		if err != nil {
			return c, fmt.Errorf("after %q: %w", b[:n], err)
		}
		n += k
	}
	if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 200 OK\r\n") {
		return c, fmt.Errorf("got response %q", b[:n])
	}
	return c, nil
}
