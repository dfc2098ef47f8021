package wsi

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// A peer with PeerMax connections gets no further one until one is closed. Other peers do, and the table is freed
// with the last connection.
func TestPeerMax(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 1 << 20}, Config{PeerMax: 3})
	a := wd.listen()
	other := wd.n.Host("c", netip.MustParseAddr("10.0.0.3"))
	for range 3 {
		wd.connect(a)
	}
	refused := wd.knock()
	wd.settle()
	if len(a.all) != 3 || wd.net.Counters.PeerRefused != 1 {
		t.Fatalf("accepted: got %d, refused %d; want 3 and 1", len(a.all), wd.net.Counters.PeerRefused)
	}
	if _, e := refused.read(); e != syscall.ECONNRESET {
		t.Errorf("the connection above the limit: got %v, want a reset", e)
	}
	refused.close()
	if _, e := other.Connect(loop.Addr{IP: netip.AddrPortFrom(ipB, 80)}, loop.SocketOptions{}); e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	wd.settle()
	if len(a.all) != 4 {
		t.Errorf("accepted from another address: got %d, want 4 in all", len(a.all))
	}
	if wd.loop.Account().Used() != 2*peerCost+4*peerConnCost {
		t.Errorf("charged: got %d, want the table's entries", wd.loop.Account().Used())
	}
	wd.n.ResetAll(wd.b) // the system may no longer know the address
	wd.settle()
	wd.connect(a)
	for _, f := range a.all {
		if f.closed == 0 {
			f.w.Close(roles.Immediate, nil)
		}
	}
	wd.settle()
	if wd.net.peers.of != nil || wd.loop.Account().Used() != 0 {
		t.Errorf("after all are closed: got a table of %d, %d bytes charged, want neither", len(wd.net.peers.of), wd.loop.Account().Used())
	}
}

// By default peers are not limited; Unix sockets never are.
func TestPeerMaxDoesNotApply(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	for range 100 {
		wd.connect(a)
	}
	if wd.net.peers.of != nil {
		t.Error("without a limit there is a table")
	}
	wd = newWorld(t, 1, sim.Options{}, loop.Config{}, Config{PeerMax: 1})
	a = wd.listenAt(Bind{Path: "/run/x"}, nil)
	for range 10 {
		if _, e := wd.b.Connect(loop.Addr{Network: loop.Unix, Path: "/run/x"}, loop.SocketOptions{}); e != 0 {
			t.Fatal(e)
		}
	}
	wd.settle()
	if len(a.all) != 10 || wd.net.Counters.PeerRefused != 0 {
		t.Errorf("on a Unix socket: got %d accepted, %d refused, want 10 and none", len(a.all), wd.net.Counters.PeerRefused)
	}
}

func TestOnePeer(t *testing.T) {
	for _, c := range [][2]string{
		{"10.0.0.1", "10.0.0.1"}, {"::ffff:10.0.0.1", "10.0.0.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"}, {"fe80::1%eth0", "fe80::"},
	} {
		if got := onePeer(netip.MustParseAddr(c[0])).String(); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

// TestManyPeersThatDoNotRead: 320 connections that request more than they read do not prevent new connections, and
// all of them are closed after the deadline.
func TestManyPeersThatDoNotRead(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 64 << 10, RcvBuf: 64 << 10}, loop.Config{}, Config{})
	a := wd.listen()
	want := numbered(64 << 10)
	a.script = func(f *fake) {
		f.onRx = func(b []byte) int { // the answer to each byte fills the available space
			if len(f.out) < 64<<10 {
				f.send(want)
			}
			return min(len(b), 1000)
		}
	}
	for range 320 {
		p := wd.knock()
		wd.pass(time.Millisecond)
		wd.a.Write(p.fd, []byte(want))
	}
	for second := range 90 {
		p := wd.knock()
		p.write("x")
		wd.pass(100 * time.Millisecond)
		got, e := p.read()
		if e != syscall.EAGAIN || len(got) == 0 {
			t.Fatalf("a new connection after %d s: got %d bytes, %v, want an answer; account %v", second, len(got), e, wd.loop.Account().Level())
		}
		p.h.Abort(p.fd)
		wd.pass(900 * time.Millisecond)
	}
	if n := wd.net.Open(); n != 0 {
		t.Errorf("connections after the deadline: got %d, want none", n)
	}
	if n := wd.net.Counters; n.WriteTimedOut+n.MemoryClosed != 320 {
		t.Errorf("closed: got %d by the deadline, %d for memory, want 320 in all", n.WriteTimedOut, n.MemoryClosed)
	}
	wd.wantEmpty(1)
}
