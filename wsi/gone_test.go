package wsi

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// halfClose ends the peer's direction.
func (p *peer) halfClose() {
	p.t.Helper()
	if e := p.h.CloseWrite(p.fd); e != 0 {
		p.t.Fatalf("peer: CloseWrite: %v", e)
	}
}

// TestPeerIsGone: the end of both directions ends a connection in every state. In each case the peer leaves before it
// has got its answer.
func TestPeerIsGone(t *testing.T) {
	for _, c := range []struct {
		name    string
		pause   bool // in Rx
		refuse  bool // pause in the second Rx, and use nothing
		leave   func(wd *world, p *peer)
		within  time.Duration
		want    error
		got     string
		wantEnd bool
	}{
		{name: "reset", leave: func(wd *world, p *peer) { p.h.Abort(p.fd) }, want: syscall.ECONNRESET, got: "ask"},
		{name: "half-closed, read, then reset", leave: func(wd *world, p *peer) {
			p.halfClose()
			wd.settle()
			p.h.Abort(p.fd)
		}, want: syscall.EPIPE, got: "ask", wantEnd: true},
		{name: "half-closed and reset at once", leave: func(wd *world, p *peer) {
			p.halfClose()
			p.h.Abort(p.fd)
		}, want: syscall.EPIPE, got: "ask", wantEnd: true},
		{name: "paused, reset", pause: true, leave: func(wd *world, p *peer) { p.h.Abort(p.fd) }, want: syscall.ECONNRESET, got: "ask"},
		{name: "paused, half-closed, reset", pause: true, leave: func(wd *world, p *peer) {
			p.halfClose()
			wd.settle()
			p.h.Abort(p.fd)
		}, want: syscall.EPIPE, got: "ask"},
		{name: "paused, one byte more, reset", pause: true, leave: func(wd *world, p *peer) {
			p.write("+")
			wd.settle()
			p.h.Abort(p.fd)
		}, within: 5 * time.Second, want: syscall.ECONNRESET, got: "ask"},
		{name: "paused, one byte more, half-closed, reset", pause: true, leave: func(wd *world, p *peer) {
			p.write("+")
			p.halfClose()
			wd.settle()
			p.h.Abort(p.fd)
		}, within: goneInOrder, want: syscall.EPIPE, got: "ask"},
		{name: "paused in Rx of one byte more, half-closed, reset", refuse: true, leave: func(wd *world, p *peer) {
			p.write("+")
			wd.settle()
			p.halfClose()
			wd.settle()
			p.h.Abort(p.fd)
		}, within: 5 * time.Second, want: syscall.EPIPE, got: "ask"},
		{name: "paused in Rx of one byte more, reset", refuse: true, leave: func(wd *world, p *peer) {
			p.write("+")
			wd.settle()
			p.h.Abort(p.fd)
		}, within: 5 * time.Second, want: syscall.ECONNRESET, got: "ask"},
		{name: "paused, more than the limit, reset", pause: true, leave: func(wd *world, p *peer) {
			p.write(numbered(100_000))
			wd.settle()
			p.h.Abort(p.fd)
		}, within: 5 * time.Second, want: syscall.ECONNRESET, got: "ask"},
		{name: "paused, more than the limit, half-closed, reset", pause: true, leave: func(wd *world, p *peer) {
			p.write(numbered(100_000))
			p.halfClose()
			wd.settle()
			p.h.Abort(p.fd)
		}, within: goneInOrder, want: syscall.EPIPE, got: "ask"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := plain(t)
			p, f := wd.connect(wd.listen())
			f.onRx = func(b []byte) int {
				if c.pause {
					f.w.Pause()
				}
				if c.refuse && len(f.got) > 0 {
					f.w.Pause()
					return 0
				}
				return len(b)
			}
			p.write("ask")
			wd.settle()
			c.leave(wd, p)
			if c.within > 0 {
				wd.pass(c.within - time.Millisecond)
				f.wantOpen()
				wd.pass(time.Millisecond)
			}
			wd.settle()
			f.wantClosed(c.want)
			if f.cause != nil && !strings.Contains(f.cause.Error(), ipA.String()) {
				t.Errorf("cause: got %q, want the peer's address %s in it", f.cause, ipA)
			}
			if string(f.got) != c.got {
				t.Errorf("received: got %q, want %q", f.got, c.got)
			}
			if f.ended != c.wantEnd {
				t.Errorf("orderly end reported: got %v, want %v", f.ended, c.wantEnd)
			}
			wd.settle()
			wd.wantEmpty(1)
		})
	}
}

// Bytes received before a reset are offered to an Upper that resumes in time, and then the end is reported.
func TestPeerIsGoneWhileResuming(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	want := numbered(120_000)
	f.w.Pause()
	var used int
	f.onRx = func(b []byte) int { // uses a little and pauses again
		f.w.Pause()
		used = min(len(b), 10_000)
		return used
	}
	p.write(want)
	p.h.Abort(p.fd)
	for range 11 {
		wd.pass(4 * time.Second)
		f.wantOpen()
		f.w.Resume()
		wd.settle()
	}
	f.w.Resume()
	wd.settle()
	f.wantClosed(syscall.ECONNRESET)
	if string(f.got) != want {
		t.Errorf("received: got %d bytes, want %d", len(f.got), len(want))
	}
	if f.ended {
		t.Error("a reset was reported as an orderly end")
	}
	wd.wantEmpty(1)
}

// Other requests of an Upper do not extend its time.
func TestPeerIsGoneAndUpperKeepsAsking(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{Timeouts: Timeouts{Linger: 3 * time.Second}})
	p, f := wd.connect(wd.listen())
	f.w.Pause()
	f.onWritable = func() {}
	p.write("never read")
	p.h.Abort(p.fd)
	for range 3 {
		wd.pass(time.Second)
		f.w.WantWrite()
	}
	wd.settle()
	f.wantClosed(syscall.ECONNRESET)
	wd.settle()
	wd.wantEmpty(1)
}

// Two orderly ends do not break a connection: its input can be read as long as the Upper pauses.
func TestTwoOrderlyEndsWait(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.w.Pause()
	f.w.CloseWrite()
	p.write("last words")
	p.halfClose()
	wd.pass(time.Hour)
	f.wantOpen()
	f.w.Resume()
	wd.settle()
	if string(f.got) != "last words" || !f.ended {
		t.Errorf("after Resume: got %q, ended %v; want the last words and the end", f.got, f.ended)
	}
	f.w.Close(roles.Graceful, nil)
	p.close()
	wd.settle()
	wd.wantEmpty(1)
}

// A Unix socket reports whether its peer has closed or only half-closed. The end is orderly unless there was output
// for the peer.
func TestPeerOfUnixSocketIsGone(t *testing.T) {
	for _, owed := range []bool{false, true} {
		wd := newWorld(t, 1, sim.Options{SndBuf: 1000}, loop.Config{}, Config{})
		a := wd.listenAt(Bind{Path: "/run/x"}, nil)
		fd, e := wd.b.Connect(loop.Addr{Network: loop.Unix, Path: "/run/x"}, loop.SocketOptions{})
		if e != 0 {
			t.Fatal(e)
		}
		wd.settle()
		f := a.all[0]
		if owed {
			f.send(numbered(100_000))
			wd.settle()
			buf := make([]byte, 1000)
			for { // with unread bytes it would be a reset
				if k, _ := wd.b.Read(fd, buf); k <= 0 {
					break
				}
			}
		}
		wd.b.Close(fd)
		wd.settle()
		if owed {
			f.wantClosed(syscall.EPIPE)
		} else {
			f.wantClosed(nil)
		}
		wd.settle()
		wd.wantEmpty(1)
	}
}

// hangUps is a fake that implements HungUp.
type hangUps struct {
	*fake
	told int
}

func (h *hangUps) HungUp(time.Duration) {
	defer h.enter("hung up")()
	h.told++
}

// HungUp is called once on a paused Upper when its peer sends nothing more; without a pause only RxEnd is called.
func TestHangUpIsReportedDuringAPause(t *testing.T) {
	for _, pause := range []bool{false, true} {
		wd := plain(t)
		a := wd.listen()
		p, f := wd.connect(a)
		h := &hangUps{fake: f}
		f.w.Replace(h)
		f.open = false
		wd.settle()
		if pause {
			f.w.Pause()
		}
		p.write("more")
		p.halfClose()
		wd.pass(time.Minute)
		f.w.WantWrite()
		wd.settle()
		if want := map[bool]int{true: 1}[pause]; h.told != want {
			t.Errorf("paused %v: HungUp: got %d, want %d; calls %q", pause, h.told, want, f.log)
		}
		f.w.Resume()
		wd.settle()
		if !f.ended || string(f.got) != "more" {
			t.Errorf("paused %v: after resume: got %q, ended %v, want everything", pause, f.got, f.ended)
		}
		f.w.Close(roles.Immediate, nil)
		wd.settle()
		p.close()
	}
}

// The default keepalive detects a peer that vanishes silently, on accepted and dialled connections, waiting or
// paused.
func TestSilentPeerIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		gone time.Duration // 0: never
	}{
		{"default", Config{}, 120 * time.Second},
		{"own", Config{KeepAlive: loop.KeepAlive{Idle: 10 * time.Second, Interval: time.Second, Probes: 3}}, 13 * time.Second},
		{"off", Config{KeepAlive: loop.KeepAlive{Idle: -1}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := newWorld(t, 1, sim.Options{}, loop.Config{}, c.cfg)
			_, f := wd.connect(wd.listen())
			l, at, err := wd.a.Listen(loop.Addr{IP: netip.AddrPortFrom(ipA, 80)}, loop.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			d := wd.dial(Target{Host: at.IP.Addr().String(), Port: at.IP.Port()}, DialOptions{})
			wd.settle()
			if _, e := wd.a.Accept(l); e != 0 {
				t.Fatal(e)
			}
			d.wantOpen()
			d.w.Pause()
			wd.n.Kill(wd.a)
			if c.gone == 0 {
				wd.pass(24 * time.Hour)
				f.wantOpen()
				d.wantOpen()
				return
			}
			wd.pass(c.gone - time.Second)
			f.wantOpen()
			d.wantOpen()
			wd.pass(time.Second + time.Millisecond)
			f.wantClosed(syscall.ETIMEDOUT)
			d.wantClosed(syscall.ETIMEDOUT)
		})
	}
}

// unixPeer returns the other end of a connection over a Unix socket.
func (wd *world) unixPeer(a *acceptor, path string) (*peer, *fake) {
	wd.t.Helper()
	fd, e := wd.b.Connect(loop.Addr{Network: loop.Unix, Path: path}, loop.SocketOptions{})
	if e != 0 {
		wd.t.Fatal(e)
	}
	had := len(a.all)
	wd.settle()
	return &peer{wd.t, wd.b, fd}, a.all[had]
}

// All bytes that the peer of a Unix socket sent before its orderly close are kept for a paused Upper. If the Upper
// does not resume in time, the end is not orderly.
func TestUnixPeerClosesDuringAPause(t *testing.T) {
	for _, resume := range []bool{true, false} {
		wd := newWorld(t, 1, sim.Options{SndBuf: 200_000, RcvBuf: 200_000}, loop.Config{}, Config{})
		a := wd.listenAt(Bind{Path: "/run/x"}, nil)
		p, f := wd.unixPeer(a, "/run/x")
		f.w.Pause()
		want := numbered(150_000)
		p.write(want)
		p.close()
		wd.pass(time.Minute)
		f.wantOpen()
		if resume {
			f.w.Resume()
			wd.settle()
			if string(f.got) != want || !f.ended {
				t.Errorf("received %d bytes, end %v; want %d and the end", len(f.got), f.ended, len(want))
			}
			f.wantClosed(nil)
		} else {
			wd.pass(goneInOrder)
			f.wantClosed(ErrTimeout)
		}
		wd.settle()
		wd.wantEmpty(1)
	}
}

// The same applies to a connection that is not read because memory is short.
func TestUnixPeerClosesWhileMemoryIsShort(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 200_000, RcvBuf: 200_000}, loop.Config{Memory: 1 << 20}, Config{})
	a := wd.listenAt(Bind{Path: "/run/x"}, nil)
	p, f := wd.unixPeer(a, "/run/x")
	wd.loop.Account().Charge(600 << 10)
	f.w.Hold(roles.HoldProgram, 4000)
	wd.settle()
	want := numbered(150_000)
	p.write(want)
	p.close()
	wd.pass(time.Second)
	f.wantOpen()
	if len(f.got) != 0 {
		t.Fatalf("received %d bytes while memory was short, want none: the test has no effect", len(f.got))
	}
	wd.loop.Account().Release(600 << 10)
	wd.settle()
	if string(f.got) != want || !f.ended {
		t.Errorf("received %d bytes, end %v; want %d and the end", len(f.got), f.ended, len(want))
	}
	f.w.Hold(roles.HoldProgram, -4000)
}

// A connection whose limit is lower than the bytes that the peer sent before it left does not report an orderly end.
func TestPeerIsGoneWithMoreThanMaxUnread(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{MaxUnread: 20_000})
	p, f := wd.connect(wd.listen())
	f.w.Pause()
	want := numbered(50_000)
	p.write(want)
	wd.settle()
	p.h.Abort(p.fd)
	wd.pass(time.Second)
	f.wantOpen()
	f.w.Resume()
	wd.settle()
	if string(f.got) != want || f.ended {
		t.Errorf("received %d bytes, orderly end %v; want %d and no orderly end", len(f.got), f.ended, len(want))
	}
	f.wantClosed(syscall.ECONNRESET)
	wd.settle()
	wd.wantEmpty(1)
}

// An Upper that replaces another one is also informed, as long as the end itself waits.
func TestHangUpIsReportedToTheNextUpper(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.w.Pause()
	p.write("more")
	p.halfClose()
	wd.settle()
	h := &hangUps{fake: f}
	f.w.Replace(h)
	f.open = false
	wd.settle()
	if h.told != 1 {
		t.Errorf("HungUp: got %d, want 1; calls %q", h.told, f.log)
	}
	f.w.Close(roles.Immediate, nil)
	wd.settle()
	p.close()
}
