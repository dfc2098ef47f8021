//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"context"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newKernel(t testing.TB) *kernel {
	t.Helper()
	sys, err := NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Shutdown() })
	return sys.(*kernel)
}

func tcp(s string) Addr { return Addr{IP: netip.MustParseAddrPort(s)} }

// join returns both ends of a connection to a listener on a.
func join(t testing.TB, k *kernel, a Addr, o SocketOptions) (client, server FD) {
	t.Helper()
	l, at, err := k.Listen(a, ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(l)
	return meet(t, k, l, at, o)
}

func meet(t testing.TB, k *kernel, l FD, at Addr, o SocketOptions) (client, server FD) {
	t.Helper()
	client, e := k.Connect(at, o)
	if e != 0 && e != syscall.EINPROGRESS {
		t.Fatalf("Connect to %s: %v", at, e)
	}
	t.Cleanup(func() { k.Close(client) })
	for range 1000 {
		if server, e = k.Accept(l); e == 0 {
			t.Cleanup(func() { k.Close(server) })
			return client, server
		}
		poll(t, l, unix.POLLIN)
	}
	t.Fatalf("Accept on %s: %v", at, e)
	return
}

func poll(t testing.TB, fd FD, events int16) bool {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(p, 1000)
	if err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return n == 1
}

// An outer event loop polls FD for as long as Timeout returns.
func TestEmbedding(t *testing.T) {
	k := newKernel(t)
	l := New(k, Config{})
	client, server := join(t, k, tcp("127.0.0.1:0"), SocketOptions{})
	var heard Ready
	h := &funcs{name: "server", ready: func(r Ready) bool { heard |= r; return false }}
	if err := l.Watch(&h.Source, server, h); err != nil {
		t.Fatal(err)
	}
	a := &quiet{}
	posted := false
	outer := func(what string, done func() bool) {
		t.Helper()
		for end := k.Now() + 5*time.Second; !done(); {
			timeout := 1000
			if d := l.Timeout(); d != Forever {
				timeout = min(timeout, int((d+ms(1)-1)/ms(1)))
			}
			p := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
			if _, err := unix.Poll(p, timeout); err != nil && err != unix.EINTR {
				t.Fatal(err)
			}
			if k.Now() > end {
				t.Fatalf("%s: nothing in 5s", what)
			}
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
		}
		if p := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}; l.Timeout() == Forever {
			if n, _ := unix.Poll(p, 0); n != 0 {
				t.Errorf("%s: FD is still readable, so the outer loop would spin", what)
			}
		}
	}
	outer("the first event", func() bool { return heard&Writable != 0 })
	k.Write(client, []byte("x"))
	outer("bytes", func() bool { return heard&Readable != 0 })
	l.Arm(&a.Timer, k.Now()+ms(3), a)
	outer("a timer", func() bool { return a.n == 1 })
	go l.Post(func() { posted = true })
	outer("a post", func() bool { return posted })
	l.Unwatch(&h.Source)
}

func TestRunSleepsAndIsWoken(t *testing.T) {
	l := New(newKernel(t), Config{})
	ctx, cancel := context.WithCancel(context.Background())
	l.Post(func() { go l.Post(func() { go cancel() }) })
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if l.stats.Turns > 5 {
		t.Errorf("took %d turns, want about 3", l.stats.Turns)
	}
}

// A write to a broken pipe returns an errno and raises no signal.
func TestBrokenPipeIsAnErrno(t *testing.T) {
	k := newKernel(t)
	for _, a := range []Addr{tcp("127.0.0.1:0"), {Network: Unix, Path: t.TempDir() + "/s"}} {
		_, server := join(t, k, a, SocketOptions{})
		k.CloseWrite(server)
		if n, e := k.Write(server, []byte("x")); n != 0 || e != syscall.EPIPE {
			t.Errorf("%s: Write after CloseWrite: got %d, %v, want 0, EPIPE", a, n, e)
		}
	}
}

func TestWriteToAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	k := newKernel(t)
	if n, e := k.Write(FD(w.Fd()), []byte("hello")); n != 5 || e != 0 {
		t.Fatalf("Write: got %d, %v, want 5, success", n, e)
	}
	var b [16]byte
	if n, e := k.Read(FD(r.Fd()), b[:]); string(b[:n]) != "hello" || e != 0 {
		t.Fatalf("Read: got %q, %v, want %q", b[:n], e, "hello")
	}
	if _, e := k.Read(FD(r.Fd()), nil); e != syscall.EINVAL {
		t.Errorf("Read into an empty slice: got %v, want EINVAL: 0 bytes would mean the end", e)
	}
}

func TestSocketCallsAllocateNothing(t *testing.T) {
	k := newKernel(t)
	client, server := join(t, k, tcp("127.0.0.1:0"), SocketOptions{})
	if err := k.Add(server, MakeToken(server, 1)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	ev := make([]Event, 8)
	if got := testing.AllocsPerRun(200, func() {
		k.Write(client, b[:5])
		for n := 0; n == 0; {
			n, _ = k.Wait(ev, time.Second)
		}
		k.Read(server, b)
	}); got != 0 {
		t.Errorf("write, wait, read: got %v allocations, want 0", got)
	}
}
