package sim

import (
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// TestKeepAlive: the kernel reports a vanished peer after its unanswered probes, and never a peer that answers them.
func TestKeepAlive(t *testing.T) {
	ka := loop.KeepAlive{Idle: 60 * time.Second, Interval: 15 * time.Second, Probes: 4}
	for _, c := range []struct {
		name  string
		o     loop.SocketOptions
		quiet time.Duration // before the peer vanishes
		want  time.Duration // from then on; 0: never
	}{
		{"keepalive", loop.SocketOptions{KeepAlive: ka}, 0, 120 * time.Second},
		{"keepalive, after answered probes", loop.SocketOptions{KeepAlive: ka}, 150 * time.Second, 90 * time.Second},
		{"with a user timeout", loop.SocketOptions{KeepAlive: ka, UserTimeout: 80 * time.Second}, 0, 90 * time.Second},
		{"with a short user timeout", loop.SocketOptions{KeepAlive: ka, UserTimeout: time.Second}, 0, 75 * time.Second},
		{"a user timeout alone", loop.SocketOptions{UserTimeout: time.Second}, 0, 0},
		{"none", loop.SocketOptions{}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := New(1, Options{})
			a, b := n.Host("a", ipA), n.Host("b", ipB)
			l, to, err := b.Listen(at(ipB, 80), loop.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			fd, e := a.Connect(to, c.o)
			if e != syscall.EINPROGRESS {
				t.Fatal(e)
			}
			if _, e := b.Accept(l); e != 0 {
				t.Fatal(e)
			}
			n.Advance(c.quiet)
			n.Kill(b)
			if c.want == 0 {
				n.Advance(24 * time.Hour)
				if _, e := a.Read(fd, make([]byte, 1)); e != syscall.EAGAIN {
					t.Fatalf("a day after the peer vanished: got %v, want EAGAIN", e)
				}
				return
			}
			n.Advance(c.want - time.Millisecond)
			if _, e := a.Read(fd, make([]byte, 1)); e != syscall.EAGAIN {
				t.Fatalf("a moment before %v: got %v, want EAGAIN", c.want, e)
			}
			n.Advance(2 * time.Millisecond)
			if _, e := a.Read(fd, make([]byte, 1)); e != syscall.ETIMEDOUT {
				t.Fatalf("after %v: got %v, want ETIMEDOUT", c.want, e)
			}
		})
	}
}

// TestKeepAlivePartition: a partition that heals before the last probe has no effect, inherited options apply, and a
// rebooted host resets a connection that it does not know.
func TestKeepAlivePartition(t *testing.T) {
	n := New(1, Options{})
	a, b := n.Host("a", ipA), n.Host("b", ipB)
	ka := loop.KeepAlive{Idle: 60 * time.Second, Interval: 15 * time.Second, Probes: 4}
	l, to, err := b.Listen(at(ipB, 80), loop.ListenOptions{KeepAlive: ka})
	if err != nil {
		t.Fatal(err)
	}
	if _, e := a.Connect(to, loop.SocketOptions{}); e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	fd, e := b.Accept(l)
	if e != 0 {
		t.Fatal(e)
	}
	read := func(when string, want syscall.Errno) {
		t.Helper()
		if _, e := b.Read(fd, make([]byte, 1)); e != want {
			t.Fatalf("%s: got %v, want %v", when, e, want)
		}
	}
	n.Partition(a, b)
	n.Advance(119 * time.Second)
	n.Heal(a, b)
	n.Advance(time.Hour)
	read("healed in time", syscall.EAGAIN)
	n.Kill(a)
	n.Host("a again", ipA)
	n.Advance(61 * time.Second)
	read("rebooted", syscall.ECONNRESET)
}
