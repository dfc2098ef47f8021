package wsi

import (
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// The size matters for a hundred thousand idle connections.
func TestSize(t *testing.T) {
	if got := unsafe.Sizeof(Wsi{}); got > 200 {
		t.Errorf("size of a connection: got %d bytes, want at most 200", got)
	}
}

func TestAccessors(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	p.write("hello")
	f.send("hi")
	wd.settle()
	if f.w.BytesIn() != 5 || f.w.BytesOut() != 2 || wd.net.Counters.BytesIn != 5 || wd.net.Counters.BytesOut != 2 {
		t.Errorf("bytes: got %d in, %d out, want 5 and 2; all %+v", f.w.BytesIn(), f.w.BytesOut(), wd.net.Counters)
	}
	if f.w.Net() != wd.net || wd.net.Loop() != wd.loop {
		t.Error("got another Net or loop, want those of the connection")
	}
	if a, ok := f.w.LocalAddr(); !ok || a.String() != "10.0.0.2:80" {
		t.Errorf("local address: got %s (%v), want 10.0.0.2:80", a, ok)
	}
	if a, ok := f.w.PeerAddr(); !ok || a.IP.Addr() != ipA {
		t.Errorf("peer address: got %s (%v), want one of %s", a, ok, ipA)
	}
	if err := f.w.SetOptions(loop.SocketOptions{SndBuf: 5000}); err != nil {
		t.Errorf("options: got %v", err)
	}
	if o, _ := wd.b.SocketOptions(f.w.src.FD()); o.SndBuf != 5000 {
		t.Errorf("options set: got %+v, want SndBuf 5000", o)
	}
	f.w.Close(roles.Immediate, nil)
	wd.settle()
	if _, ok := f.w.LocalAddr(); ok {
		t.Error("local address after the end: got one, want none")
	}
}

// quiet is an Upper that records nothing, so that only the transport is measured: it answers every five bytes with a
// number of bytes, in Rx if possible and in Writable otherwise.
type quiet struct {
	w      *Wsi
	answer int
	left   int
}

func (q *quiet) Accept(*Listener) (*Wsi, roles.Upper) { return q.w, q }
func (q *quiet) Opened(time.Duration)                 { q.w.Established() }
func (q *quiet) RxEnd(time.Duration, int)             {}
func (q *quiet) Deadline() time.Duration              { return 0 }
func (q *quiet) Timeout(time.Duration)                {}
func (q *quiet) Woken(time.Duration)                  {}
func (q *quiet) Closed(error)                         {}

func (q *quiet) Rx(now time.Duration, b []byte) int {
	if len(b) < 5 {
		return 0
	}
	q.left += q.answer
	q.Writable(now)
	return 5
}

func (q *quiet) Writable(time.Duration) {
	if room := q.w.Room(1); room != nil {
		n := min(len(room), q.left)
		q.w.Commit(n)
		q.left -= n
	}
	if q.left > 0 {
		q.w.WantWrite()
	}
}

// A message in each direction allocates nothing: used at once, stored in two parts, or with stored output.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      sim.Options
		sent   []string
		answer int
	}{
		{"used at once", sim.Options{}, []string{"hello"}, 5},
		{"in two parts", sim.Options{}, []string{"hel", "lo"}, 5},
		{"with a backlog", sim.Options{SndBuf: 512, RcvBuf: 512}, []string{"hello"}, 10_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := newWorld(t, 1, c.o, loop.Config{}, Config{Timeouts: Timeouts{Idle: time.Hour}})
			q := &quiet{w: new(Wsi), answer: c.answer}
			if _, err := wd.net.Listen(Bind{Port: 80}, loop.ListenOptions{}, nil, q); err != nil {
				t.Fatal(err)
			}
			p := wd.knock()
			wd.settle()
			buf := make([]byte, 1<<16)
			in := make([][]byte, len(c.sent))
			for i, s := range c.sent {
				in[i] = []byte(s)
			}
			got := testing.AllocsPerRun(200, func() {
				for _, b := range in {
					p.h.Write(p.fd, b)
					wd.turn()
				}
				for left := c.answer; left > 0; {
					k, e := p.h.Read(p.fd, buf)
					if k == 0 && e == 0 {
						t.Fatal("the connection ended")
					}
					left -= k
					wd.turn()
				}
			})
			if got != 0 {
				t.Errorf("allocations per message: got %v, want 0", got)
			}
			if h := wd.net.Held(); h != 0 {
				t.Errorf("held between messages: got %d bytes, want 0", h)
			}
		})
	}
}

// One small message in each direction through the kernel, including the peer: its write and read are two of the four
// calls on the socket.
func BenchmarkEcho(b *testing.B) {
	sys, err := loop.NewSystem()
	if err != nil {
		b.Fatal(err)
	}
	n := newNode(b, sys, loop.Config{}, Config{})
	defer n.loop.Close()
	q := &quiet{w: new(Wsi), answer: 5}
	l, err := n.net.Listen(Bind{Host: "127.0.0.1"}, loop.ListenOptions{}, nil, q)
	if err != nil {
		b.Fatal(err)
	}
	fd, e := sys.Connect(l.Addr(), loop.SocketOptions{})
	if e != 0 && e != syscall.EINPROGRESS {
		b.Fatal(e)
	}
	for n.net.Counters.Accepted == 0 {
		n.turn()
	}
	msg, buf := []byte("hello"), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		sys.Write(fd, msg)
		for {
			n.turn()
			if k, e := sys.Read(fd, buf); k > 0 {
				break
			} else if e != syscall.EAGAIN {
				b.Fatalf("read: %d, %v", k, e)
			}
		}
	}
	sys.Close(fd)
	q.w.Close(roles.Immediate, nil)
	l.Close()
	n.turn()
}

// The same on the virtual network: the cost of the loop and the connection without a kernel, and of the network.
func BenchmarkEchoOnSim(b *testing.B) {
	wd := newWorld(b, 1, sim.Options{}, loop.Config{}, Config{})
	q := &quiet{w: new(Wsi), answer: 5}
	if _, err := wd.net.Listen(Bind{Port: 80}, loop.ListenOptions{}, nil, q); err != nil {
		b.Fatal(err)
	}
	p := wd.knock()
	wd.settle()
	msg, buf := []byte("hello"), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		p.h.Write(p.fd, msg)
		wd.turn()
		if k, e := p.h.Read(p.fd, buf); k != 5 {
			b.Fatalf("read: %d, %v", k, e)
		}
	}
}
