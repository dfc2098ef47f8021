package sim

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

func TestConversation(t *testing.T) {
	p := join(t, 1, Options{})
	write(t, p.a, p.c, "hello")
	read(t, p.b, p.s, "hello", 0)
	read(t, p.b, p.s, "", syscall.EAGAIN)
	write(t, p.b, p.s, "good day")
	p.b.Close(p.s)
	read(t, p.a, p.c, "good day", 0)
	read(t, p.a, p.c, "", 0)
	p.a.Close(p.c)
	p.b.Close(p.l)
	wantClosed(t, p.n)
}

// TestEnds: the kernel's behaviour at the end of a connection.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, p *pair)
	}{
		{"bytes before an end are read, then the end, again and again", func(t *testing.T, p *pair) {
			write(t, p.a, p.c, "last words")
			p.a.CloseWrite(p.c)
			read(t, p.b, p.s, "last words", 0)
			read(t, p.b, p.s, "", 0)
			read(t, p.b, p.s, "", 0)
		}},
		{"a half-closed connection works in the other direction", func(t *testing.T, p *pair) {
			p.a.CloseWrite(p.c)
			write(t, p.b, p.s, "answer")
			read(t, p.a, p.c, "answer", 0)
		}},
		{"writing after CloseWrite is a broken pipe", func(t *testing.T, p *pair) {
			p.a.CloseWrite(p.c)
			wantWrite(t, p.a, p.c, syscall.EPIPE)
		}},
		{"closing with unread bytes resets", func(t *testing.T, p *pair) {
			write(t, p.a, p.c, "never read")
			p.b.Close(p.s)
			read(t, p.a, p.c, "", syscall.ECONNRESET)
			read(t, p.a, p.c, "", 0) // the error is returned once
			wantWrite(t, p.a, p.c, syscall.EPIPE)
		}},
		{"closing after everything was read does not reset", func(t *testing.T, p *pair) {
			write(t, p.a, p.c, "read")
			read(t, p.b, p.s, "read", 0)
			p.b.Close(p.s)
			read(t, p.a, p.c, "", 0)
		}},
		{"writing to a closed peer brings a reset, then a broken pipe", func(t *testing.T, p *pair) {
			p.b.Close(p.s)
			write(t, p.a, p.c, "too late")
			wantWrite(t, p.a, p.c, syscall.EPIPE) // the FIN arrived first, so the kernel returns EPIPE, once
			wantWrite(t, p.a, p.c, syscall.EPIPE)
			read(t, p.a, p.c, "", 0)
		}},
		{"an abort is a reset after the delivered bytes", func(t *testing.T, p *pair) {
			write(t, p.a, p.c, "delivered")
			p.a.Abort(p.c)
			read(t, p.b, p.s, "delivered", 0)
			read(t, p.b, p.s, "", syscall.ECONNRESET)
		}},
		{"an abort after CloseWrite still resets", func(t *testing.T, p *pair) {
			p.a.CloseWrite(p.c)
			p.a.Abort(p.c)
			if e := p.b.SocketError(p.s); e != syscall.EPIPE {
				t.Errorf("socket error: got %v, want EPIPE", e)
			}
		}},
		{"the pending error is returned once, by write", func(t *testing.T, p *pair) {
			p.b.Abort(p.s)
			wantWrite(t, p.a, p.c, syscall.ECONNRESET)
			wantWrite(t, p.a, p.c, syscall.EPIPE)
		}},
		{"the pending error is returned once, by SocketError", func(t *testing.T, p *pair) {
			p.b.Abort(p.s)
			if e := p.a.SocketError(p.c); e != syscall.ECONNRESET {
				t.Errorf("socket error: got %v, want ECONNRESET", e)
			}
			read(t, p.a, p.c, "", 0)
		}},
		{"CloseWrite on a broken connection is ENOTCONN", func(t *testing.T, p *pair) {
			p.b.Abort(p.s)
			if e := p.a.CloseWrite(p.c); e != syscall.ENOTCONN {
				t.Errorf("close write: got %v, want ENOTCONN", e)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range []Options{{}, {Link: Link{Latency: time.Millisecond}}} {
				p := join(t, 1, o)
				if o.Latency == 0 {
					c.run(t, p)
				}
				p.a.Close(p.c)
				p.b.Close(p.s)
				p.b.Close(p.l)
				p.n.Advance(time.Hour)
				wantClosed(t, p.n)
			}
		})
	}
}

// A closed connection on a slow link still delivers the bytes written before.
func TestCloseDelivers(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: 50 * time.Millisecond, Bandwidth: 10_000}})
	sent := bytes.Repeat([]byte("0123456789"), 5000)
	for rest := sent; len(rest) > 0; {
		k, e := p.a.Write(p.c, rest)
		if e != 0 {
			t.Fatal(e)
		}
		rest = rest[k:]
	}
	p.a.Close(p.c)
	start := p.n.Now()
	var got []byte
	buf := make([]byte, 1<<16)
	for {
		k, e := p.b.Read(p.s, buf)
		if got = append(got, buf[:k]...); k == 0 && e == 0 {
			break
		}
		p.n.Advance(10 * time.Millisecond)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("delivered: got %d bytes, want the %d that were written", len(got), len(sent))
	}
	if took := p.n.Now() - start; took < 5*time.Second || took > 5200*time.Millisecond {
		t.Errorf("50,000 bytes at 10,000 a second: got %v, want five seconds", took)
	}
	p.b.Close(p.s)
	p.b.Close(p.l)
	p.n.Advance(time.Second)
	wantClosed(t, p.n)
}

// A writer fills the buffers of both ends, gets Writable when the reader has freed space, and loses no byte.
func TestBackPressure(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond} {
		p := join(t, 1, Options{SndBuf: 1000, RcvBuf: 600, Link: Link{Latency: latency}})
		add(t, p.a, p.c)
		ready(t, p.a)
		block := []byte(strings.Repeat("x", 5000))
		total := 0
		for {
			k, e := p.a.Write(p.c, block)
			if e == syscall.EAGAIN {
				break
			}
			total += k
		}
		p.n.Advance(time.Second)
		if latency == 0 && total != 1600 {
			t.Errorf("accepted until EAGAIN: got %d, want 1600", total)
		}
		if latency != 0 && total != 1000 {
			t.Errorf("accepted until EAGAIN: got %d, want 1000", total)
		}
		ready(t, p.a)
		for more := true; more; { // fill the space that the delivery has freed
			k, e := p.a.Write(p.c, block)
			total += k
			more = e == 0
		}
		if r := ready(t, p.a)[p.c]; r != 0 {
			t.Errorf("with full buffers: got readiness %b, want none", r)
		}
		got := 0
		buf := make([]byte, 500)
		for {
			k, e := p.b.Read(p.s, buf)
			if e == syscall.EAGAIN {
				break
			}
			got += k
			p.n.Advance(10 * time.Millisecond)
		}
		if got != total {
			t.Errorf("delivered: got %d bytes, want %d", got, total)
		}
		if r := ready(t, p.a)[p.c]; r&loop.Writable == 0 {
			t.Errorf("after the reader freed space: got readiness %b, want Writable", r)
		}
	}
}

// A silent death is reported to neither end; the writer gets an error when the kernel gives up.
func TestHalfOpen(t *testing.T) {
	p := join(t, 1, Options{})
	p.a.Sever(p.c)
	write(t, p.a, p.c, "into the void")
	p.n.Advance(ackTimeout - time.Second)
	read(t, p.a, p.c, "", syscall.EAGAIN)
	read(t, p.b, p.s, "", syscall.EAGAIN)
	p.n.Advance(2 * time.Second)
	read(t, p.a, p.c, "", syscall.ETIMEDOUT)
	p.n.Advance(1000 * time.Hour)
	read(t, p.b, p.s, "", syscall.EAGAIN) // it sends nothing, so it never gets an error
}

func TestUnix(t *testing.T) {
	for _, path := range []string{"/run/x.sock", "@abstract"} {
		h := New(1, Options{}).Host("h")
		addr := loop.Addr{Network: loop.Unix, Path: path}
		l, got, err := h.Listen(addr, loop.ListenOptions{})
		if err != nil || got != addr {
			t.Fatalf("listen: got %v, %v, want %v", got, err, addr)
		}
		if _, _, err := h.Listen(addr, loop.ListenOptions{}); err == nil {
			t.Error("second listen: got success, want EADDRINUSE")
		}
		c, e := h.Connect(addr, loop.SocketOptions{})
		if e != 0 {
			t.Fatalf("connect: got %v, want success at once", e)
		}
		s, e := h.Accept(l)
		if e != 0 {
			t.Fatalf("accept: got %v, want success", e)
		}
		if a, ok := h.PeerAddr(c); !ok || a != addr {
			t.Errorf("peer of the client: got %v, want %v", a, addr)
		}
		if a, ok := h.LocalAddr(s); !ok || a != addr {
			t.Errorf("local of the server: got %v, want %v", a, addr)
		}
		write(t, h, c, "ping")
		write(t, h, s, "unread")
		read(t, h, s, "ping", 0)
		h.Close(c)
		read(t, h, s, "", syscall.ECONNRESET)
		wantWrite(t, h, s, syscall.EPIPE)
		h.Close(s)
		h.Close(l)
		want := syscall.ENOENT
		if path[0] == '@' {
			want = syscall.ECONNREFUSED
		}
		if _, e := h.Connect(addr, loop.SocketOptions{}); e != want {
			t.Errorf("connect without a listener: got %v, want %v", e, want)
		}
		wantClosed(t, h.n)
	}
}

// wantWrite writes once and expects an error.
func wantWrite(t *testing.T, h *Host, fd loop.FD, want syscall.Errno) {
	t.Helper()
	if k, e := h.Write(fd, []byte("x")); k != 0 || e != want {
		t.Errorf("%s: write: got %d (%v), want 0 (%v)", h.Name(), k, e, want)
	}
}

// A message in each direction allocates nothing once the rings are pooled.
func TestNoAllocations(t *testing.T) {
	for _, o := range []Options{{}, {Link: Link{Latency: time.Millisecond}}} {
		p := join(t, 1, o)
		add(t, p.b, p.s)
		ready(t, p.b)
		msg, buf := make([]byte, 1000), make([]byte, 4096)
		ev := make([]loop.Event, 8)
		if got := testing.AllocsPerRun(1000, func() {
			p.a.Write(p.c, msg)
			if k, err := p.b.Wait(ev, time.Second); k != 1 || err != nil {
				t.Fatalf("wait: got %d, %v, want one event", k, err)
			}
			if k, _ := p.b.Read(p.s, buf); k != len(msg) {
				t.Fatalf("read: got %d, want %d", k, len(msg))
			}
		}); got != 0 {
			t.Errorf("latency %v: got %v allocations per message, want 0", o.Latency, got)
		}
	}
}
