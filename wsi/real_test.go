package wsi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// counting is the kernel with counts of its calls.
type counting struct {
	loop.System
	reads, writes, accepts, waits int
}

func (c *counting) Read(fd loop.FD, p []byte) (int, syscall.Errno) {
	c.reads++
	return c.System.Read(fd, p)
}

func (c *counting) Write(fd loop.FD, p []byte) (int, syscall.Errno) {
	c.writes++
	return c.System.Write(fd, p)
}

func (c *counting) Writev(fd loop.FD, p [][]byte) (int, syscall.Errno) {
	c.writes++
	return c.System.Writev(fd, p)
}

func (c *counting) Accept(l loop.FD) (loop.FD, syscall.Errno) {
	c.accepts++
	return c.System.Accept(l)
}

func (c *counting) Wait(ev []loop.Event, d time.Duration) (int, error) {
	c.waits++
	return c.System.Wait(ev, d)
}

// kernel is a node on the real System. Its clients use package net.
type kernel struct {
	*node
	calls *counting
}

func onKernel(t *testing.T, c Config) *kernel {
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{calls: &counting{System: sys}}
	k.node = newNode(t, k.calls, loop.Config{}, c)
	t.Cleanup(func() { k.loop.Close() })
	return k
}

// until turns the loop until the condition is true.
func (k *kernel) until(what string, cond func() bool) {
	k.t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); {
		if time.Now().After(end) {
			k.t.Fatalf("after ten seconds: got no %s", what)
		}
		k.turn()
		if k.loop.Timeout() != 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// client dials a's address with package net and returns the connection and the accepted fake.
func (k *kernel) client(a *acceptor) (net.Conn, *fake) {
	k.t.Helper()
	c, err := net.Dial("tcp", a.l.Addr().String())
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close() })
	had := len(a.all)
	k.until("accept", func() bool { return len(a.all) > had })
	a.all[had].wantOpen()
	return c, a.all[had]
}

func TestKernelListenAndDial(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		bind   Bind
		target Target
	}{
		{Bind{Host: "127.0.0.1"}, Target{Host: "127.0.0.1"}},
		{Bind{Host: "localhost"}, Target{Host: "localhost"}},
		{Bind{Host: "::1"}, Target{Host: "::1"}},
		{Bind{}, Target{Host: "127.0.0.1"}},
		{Bind{Host: "lo"}, Target{Host: "127.0.0.1"}},
		{Bind{Path: filepath.Join(dir, "s")}, Target{Path: filepath.Join(dir, "s")}},
		{Bind{Path: "@millrace-wsi-test"}, Target{Path: "@millrace-wsi-test"}},
	} {
		t.Run(c.bind.String(), func(t *testing.T) {
			if c.bind.Host == "lo" || strings.HasPrefix(c.bind.Path, "@") {
				if runtime.GOOS != "linux" {
					t.Skip("needs Linux: an interface lo, abstract sockets")
				}
			}
			k := onKernel(t, Config{})
			a := &acceptor{t: t}
			var err error
			if a.l, err = k.net.Listen(c.bind, loop.ListenOptions{}, nil, a); err != nil {
				if c.bind.Host == "::1" || c.bind.Host == "lo" {
					t.Skipf("this machine has no IPv6: %v", err)
				}
				t.Fatal(err)
			}
			if !filepath.IsAbs(c.bind.Path) { // a path in use is detected by connecting, which would accept one client too many
				again := Bind{Host: c.bind.Host, Port: a.l.Addr().IP.Port(), Path: c.bind.Path}
				if _, err := k.net.Listen(again, loop.ListenOptions{}, nil, a); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("listening twice: got %v, want that the address is in use", err)
				}
			}
			c.target.Port = a.l.Addr().IP.Port()
			f := k.dial(c.target, DialOptions{})
			f.send("hello")
			k.until("hello", func() bool { return len(a.all) == 1 && string(a.all[0].got) == "hello" })
			a.all[0].send("good day")
			a.all[0].w.CloseWrite()
			f.w.Pause()
			k.until("answer", func() bool { return f.ended || a.all[0].w.flags&finSent != 0 })
			f.w.Resume()
			k.until("end", func() bool { return f.ended })
			f.w.Close(roles.Graceful, nil)
			a.all[0].w.Close(roles.Graceful, nil)
			a.l.Close()
			k.until("close", func() bool { return k.net.Open() == 0 })
			f.wantClosed(nil)
			k.turn()
			k.wantEmpty(0)
			if c.bind.Path != "" && c.bind.Path[0] != '@' {
				if _, err := os.Lstat(c.bind.Path); !os.IsNotExist(err) {
					t.Errorf("the socket's file after Close: got %v, want that it is gone", err)
				}
			}
		})
	}
}

func TestKernelDialErrors(t *testing.T) {
	k := onKernel(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	for _, c := range []struct {
		target Target
		is     error
		text   string
	}{
		{Target{Host: "127.0.0.1", Port: port}, syscall.ECONNREFUSED, fmt.Sprintf("connect 127.0.0.1:%d: connection refused", port)},
		{Target{Path: "/nonexistent/socket"}, syscall.ENOENT, "connect unix:/nonexistent/socket: no such file or directory"},
		{Target{Host: "no.such.name.invalid", Port: 1}, ErrNoName, "resolve: no address for this name"},
	} {
		f := k.dial(c.target, DialOptions{})
		k.until("failure", func() bool { return f.closed > 0 })
		f.wantClosed(c.is)
		if want := "wsi: dial: " + c.target.String() + ": " + c.text; f.cause.Error() != want {
			t.Errorf("error: got %q, want %q", f.cause, want)
		}
	}
	k.wantEmpty(0)
}

// A request needs no more than one read, one write and one wait.
func TestKernelCallsPerRequest(t *testing.T) {
	k := onKernel(t, Config{})
	a := k.listenAt(Bind{Host: "127.0.0.1"}, nil)
	a.script = func(f *fake) {
		f.onRx = func(b []byte) int { f.w.Commit(copy(f.w.Room(len(b)), b)); return len(b) }
	}
	c, _ := k.client(a)
	buf := make([]byte, 64)
	const rounds = 100
	for i := range rounds + 1 {
		if i == 1 { // the first only warms up
			*k.calls = counting{System: k.calls.System}
		}
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		k.turn()
		if n, err := c.Read(buf); string(buf[:n]) != "ping" {
			t.Fatalf("answer: got %q, %v, want ping in the same turn", buf[:n], err)
		}
	}
	if got := *k.calls; got.reads != rounds || got.writes != rounds || got.waits != rounds || got.accepts != 0 {
		t.Errorf("calls for %d requests: got %d reads, %d writes, %d waits, %d accepts; want one each and no accept", rounds,
			got.reads, got.writes, got.waits, got.accepts)
	}
}

// Megabytes to a reader that pauses arrive complete, and end in order.
func TestKernelTransfer(t *testing.T) {
	k := onKernel(t, Config{})
	a := k.listenAt(Bind{Host: "127.0.0.1"}, nil)
	c, f := k.client(a)
	text := numbered(8 << 20)
	f.send(text)
	type result struct {
		got []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		buf := make([]byte, 100_000)
		for i := 0; ; i++ {
			n, err := c.Read(buf)
			r.got = append(r.got, buf[:n]...)
			if err != nil {
				if r.err = err; err == io.EOF {
					r.err = nil
				}
				done <- r
				return
			}
			if i%40 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	peak := 0
	k.until("all written", func() bool { peak = max(peak, f.w.Held()); return len(f.out) == 0 })
	f.w.Close(roles.Graceful, nil)
	var r result
	k.until("end", func() bool {
		select {
		case r = <-done:
			return true
		default:
			return false
		}
	})
	if r.err != nil || string(r.got) != text {
		t.Errorf("arrived: got %d bytes, %v, want %d and the end", len(r.got), r.err, len(text))
	}
	if peak > 2*outSize {
		t.Errorf("most stored: got %d, want at most %d", peak, 2*outSize)
	}
	c.Close()
	k.until("farewell", func() bool { return k.net.Open() == 0 })
	k.wantEmpty(1)
}

// A server answers and closes without reading our output: its answer is still read.
func TestKernelAnswerBehindAFailedWrite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answered := make(chan struct{})
	go func() {
		if c, err := l.Accept(); err == nil {
			buf := make([]byte, 1000)
			c.Read(buf)
			c.Write([]byte("413 too large"))
			c.(*net.TCPConn).CloseWrite()
			close(answered)
			time.Sleep(10 * time.Millisecond)
			c.Close() // with unread bytes: a reset
		}
	}()
	k := onKernel(t, Config{})
	f := k.dial(Target{Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port)}, DialOptions{})
	f.send(numbered(1 << 20))
	k.until("end", func() bool {
		if f.open && f.closed == 0 && len(f.out) < 1<<19 {
			f.send(numbered(1 << 20))
		}
		return f.closed > 0
	})
	<-answered
	if string(f.got) != "413 too large" {
		t.Errorf("answer: got %q, want 413 too large; closed with %v", f.got, f.cause)
	}
	if !errors.Is(f.cause, syscall.EPIPE) && !errors.Is(f.cause, syscall.ECONNRESET) {
		t.Errorf("cause: got %v, want a broken pipe or a reset", f.cause)
	}
	k.wantEmpty(0)
}

// A reset is reported as a reset, also on a paused connection.
func TestKernelReset(t *testing.T) {
	for _, paused := range []bool{false, true} {
		k := onKernel(t, Config{})
		c, f := k.client(k.listenAt(Bind{Host: "127.0.0.1"}, nil))
		if paused {
			f.w.Pause()
		}
		c.Write([]byte("last words"))
		if !paused {
			k.until("bytes", func() bool { return len(f.got) > 0 })
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		if paused {
			for range 20 {
				k.turn()
				time.Sleep(time.Millisecond)
			}
			f.wantLog("opened")
			f.w.Resume()
		}
		k.until("end", func() bool { return f.closed > 0 })
		f.wantClosed(syscall.ECONNRESET)
		k.wantEmpty(1)
	}
}

// Five hundred peers leave before their answer, each in one of these ways; all are detected.
func TestKernelPeersAreGone(t *testing.T) {
	k := onKernel(t, Config{Timeouts: Timeouts{Linger: 100 * time.Millisecond}})
	a := k.listenAt(Bind{Host: "127.0.0.1"}, nil)
	ways := []struct {
		name  string
		pause bool
		leave func(c *net.TCPConn)
	}{
		{"reset", false, func(c *net.TCPConn) {}},
		{"half-closed, then reset", false, func(c *net.TCPConn) { c.CloseWrite() }},
		{"paused, reset", true, func(c *net.TCPConn) {}},
		{"paused, half-closed, then reset", true, func(c *net.TCPConn) { c.CloseWrite() }},
		{"paused, one byte more, then reset", true, func(c *net.TCPConn) { c.Write([]byte("+")) }},
	}
	const each = 100
	var conns []*net.TCPConn
	for range each {
		for _, way := range ways {
			c, f := k.client(a)
			f.onRx = func(b []byte) int {
				if way.pause {
					f.w.Pause()
				}
				return len(b)
			}
			c.Write([]byte("ask"))
			conns = append(conns, c.(*net.TCPConn))
		}
	}
	k.until("questions", func() bool {
		for _, f := range a.all {
			if string(f.got) != "ask" {
				return false
			}
		}
		return true
	})
	for i, c := range conns {
		ways[i%len(ways)].leave(c)
	}
	for range 10 { // the half-closed ones are read to their end
		k.turn()
		time.Sleep(time.Millisecond)
	}
	for i, f := range a.all {
		if f.closed > 0 {
			t.Fatalf("%s: closed with %v before the peer had gone", ways[i%len(ways)].name, f.cause)
		}
	}
	for _, c := range conns {
		c.SetLinger(0)
		c.Close()
	}
	k.until("end of all", func() bool { return k.net.Open() == 0 })
	for i, f := range a.all {
		if f.cause == nil {
			t.Fatalf("%s: closed without a cause", ways[i%len(ways)].name)
		}
		if peer := conns[i].LocalAddr().String(); !strings.Contains(f.cause.Error(), peer) && runtime.GOOS == "linux" {
			t.Fatalf("%s: cause: got %q, want the peer's address %s in it", ways[i%len(ways)].name, f.cause, peer)
		}
	}
	k.wantEmpty(1)
}

// A peer that writes to a Unix socket and closes it has ended in order: all its bytes are kept for a paused Upper,
// for longer than Timeouts.Linger.
func TestKernelUnixPeerClosesDuringAPause(t *testing.T) {
	k := onKernel(t, Config{Timeouts: Timeouts{Linger: 10 * time.Millisecond}})
	path := filepath.Join(t.TempDir(), "s")
	a := k.listenAt(Bind{Path: path}, nil)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	k.until("accept", func() bool { return len(a.all) == 1 })
	f := a.all[0]
	f.w.Pause()
	want := numbered(150_000)
	if _, err := io.WriteString(c, want); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for range 50 {
		k.turn()
		time.Sleep(time.Millisecond)
	}
	f.wantOpen()
	f.w.Resume()
	k.until("end", func() bool { return f.closed > 0 })
	if string(f.got) != want || !f.ended {
		t.Errorf("received %d bytes, end %v; want %d and the end", len(f.got), f.ended, len(want))
	}
	f.wantClosed(nil)
	k.wantEmpty(1)
}
