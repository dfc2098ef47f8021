package wsi

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

var errBored = errors.New("bored")

func TestClose(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, wd *world, p *peer, f *fake)
	}{
		{"at the end of the turn, not before", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Immediate, errBored)
			f.wantLog()
			wd.turn()
			f.wantLog("closed bored")
			if !f.w.IsClosed() {
				t.Error("closed: got false, want true")
			}
			p.want("", 0)
		}},
		{"the first cause counts", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, errBored)
			f.w.Close(roles.Graceful, errors.New("late"))
			f.w.Close(roles.Reset, errors.New("later"))
			wd.settle()
			f.wantLog("closed bored")
			p.want("", syscall.ECONNRESET)
		}},
		{"graceful: our end, then a wait for the peer's", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			f.wantLog("closed <nil>")
			p.want("", 0)
			p.write("what you do not want to hear any more")
			wd.pass(time.Second)
			if wd.net.Open() != 1 {
				t.Errorf("open while lingering: got %d, want 1", wd.net.Open())
			}
			p.close()
			wd.settle()
		}},
		{"graceful: a flooding peer is reset before the time ends", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			sent, b := 0, make([]byte, 64<<10)
			for sent < 2*lingerMax {
				n, e := p.h.Write(p.fd, b)
				if e != 0 && e != syscall.EAGAIN {
					break
				}
				sent += max(n, 0)
				wd.settle()
			}
			if sent > lingerMax+(1<<20) || wd.net.Counters.Flooded != 1 {
				t.Errorf("read from a flood: got %d bytes, %d counted; want about %d and 1", sent, wd.net.Counters.Flooded, lingerMax)
			}
			wd.wantEmpty(1)
		}},
		{"graceful: after the peer's end, at once", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.h.CloseWrite(p.fd)
			wd.settle()
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			wd.wantEmpty(1)
			p.want("", 0)
		}},
		{"graceful: the peer does not end, and the time runs out", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			wd.pass(5*time.Second - 1)
			if wd.net.Open() != 1 {
				t.Fatalf("open before the linger time: got %d, want 1", wd.net.Open())
			}
			wd.pass(1)
			if wd.net.Open() != 0 || wd.net.Counters.TimedOut != 1 {
				t.Errorf("after it: got %d open, %d timed out, want 0 and 1", wd.net.Open(), wd.net.Counters.TimedOut)
			}
			p.want("", 0)
		}},
		{"graceful: further bytes of the peer do not extend the time", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			for range 6 {
				wd.pass(time.Second)
				p.h.Write(p.fd, []byte("blah"))
			}
			wd.settle()
			wd.wantEmpty(1)
		}},
		{"graceful: unused input is released at once", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func([]byte) int { return 0 }
			p.write("half a he")
			wd.settle()
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			if h := wd.net.Held(); h != 0 {
				t.Errorf("held while lingering: got %d, want 0", h)
			}
			p.close()
			wd.settle()
		}},
		{"graceful, then a reset while it lingers", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			f.w.Close(roles.Reset, errBored)
			wd.settle()
			wd.wantEmpty(1)
			f.wantLog("closed <nil>")
		}},
		{"the peer resets while it lingers", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Graceful, nil)
			wd.settle()
			p.h.Abort(p.fd)
			wd.settle()
			wd.wantEmpty(1)
		}},
		{"after the end everything is ignored", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Close(roles.Immediate, nil)
			wd.settle()
			f.log = nil
			f.w.Close(roles.Graceful, errBored)
			f.w.Pause()
			f.w.Resume()
			f.w.WantWrite()
			f.w.CloseWrite()
			f.w.Rearm()
			f.w.Established()
			f.w.Credit(5)
			if room := f.w.Room(1); room != nil {
				t.Errorf("room: got %d bytes, want nil", len(room))
			}
			if err := f.w.SetOptions(loop.SocketOptions{TOS: 1}); err != nil {
				t.Errorf("options: got %v, want nil", err)
			}
			if _, ok := f.w.PeerAddr(); ok {
				t.Error("peer address: got one, want none")
			}
			wd.pass(time.Hour)
			f.wantLog()
		}},
		{"the peer ends: nothing is closed until the protocol closes", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.h.CloseWrite(p.fd)
			wd.pass(time.Hour)
			f.wantLog("end 0")
			f.wantOpen()
			f.send("but listen")
			wd.settle()
			p.want("but listen", syscall.EAGAIN)
			f.w.Close(roles.Immediate, nil)
			wd.settle()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := plain(t)
			p, f := wd.connect(wd.listen())
			c.run(t, wd, p, f)
			if f.closed != 1 {
				t.Errorf("times closed: got %d, want 1", f.closed)
			}
			wd.wantEmpty(1)
			if wd.net.Counters.Closed != 1 || wd.net.Counters.Accepted != 1 {
				t.Errorf("counters: got %+v, want 1 accepted, 1 closed", wd.net.Counters)
			}
		})
	}
}

// Closing with stored output: Graceful sends all of it before the end, Immediate what the system has accepted, Reset
// resets the connection.
func TestCloseWithBacklog(t *testing.T) {
	text := numbered(60_000)
	for _, mode := range []roles.CloseMode{roles.Graceful, roles.Immediate, roles.Reset} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			wd := newWorld(t, 1, sim.Options{SndBuf: 2000, RcvBuf: 2000}, loop.Config{}, Config{})
			p, f := wd.connect(wd.listen())
			f.onWritable = func() {
				f.w.Commit(copy(f.w.Room(1), text))
				f.w.Close(mode, nil)
			}
			f.w.WantWrite()
			wd.settle()
			f.wantClosed(nil)
			if mode == roles.Graceful {
				p.h.CloseWrite(p.fd) // its end does not mean that it no longer reads
				wd.settle()
			}
			var got string
			var e syscall.Errno = syscall.EAGAIN
			for range 200 {
				more, end := p.read()
				if got, e = got+more, end; e != syscall.EAGAIN {
					break
				}
				wd.pass(10 * time.Millisecond)
			}
			switch {
			case got != text[:len(got)]:
				t.Error("peer: got other bytes than were sent")
			case mode == roles.Graceful && (len(got) != len(text) || e != 0):
				t.Errorf("peer: got %d bytes (%v), want %d and the end", len(got), e, len(text))
			case mode == roles.Immediate && (len(got) == 0 || len(got) == len(text) || e != 0):
				t.Errorf("peer: got %d bytes (%v), want some and the end", len(got), e)
			case mode == roles.Reset && e != syscall.ECONNRESET:
				t.Errorf("peer: got %d bytes (%v), want a reset", len(got), e)
			}
			p.close()
			wd.pass(time.Second)
			wd.wantEmpty(1)
		})
	}
}

// On a slow line the last bytes take longer than the linger time, but progress is never interrupted for as long:
// nothing is lost. If progress stops, the connection is reset, and the peer notices.
func TestLingerWhileDraining(t *testing.T) {
	text := numbered(60_000)
	start := func(t *testing.T) (*world, *peer, *fake) {
		wd := newWorld(t, 1, sim.Options{SndBuf: 30_000, RcvBuf: 2000}, loop.Config{}, Config{})
		p, f := wd.connect(wd.listen())
		f.onWritable = func() {
			f.w.Commit(copy(f.w.Room(1), text))
			f.w.Close(roles.Graceful, nil)
		}
		f.w.WantWrite()
		wd.settle()
		return wd, p, f
	}
	t.Run("slow", func(t *testing.T) {
		wd, p, _ := start(t)
		var got string
		buf := make([]byte, 2000)
		for range 100 {
			k, e := p.h.Read(p.fd, buf)
			if got += string(buf[:k]); e == 0 && k == 0 {
				break
			}
			wd.pass(2 * time.Second)
		}
		if got != text {
			t.Errorf("peer: got %d bytes, want all %d", len(got), len(text))
		}
		p.close()
		wd.pass(time.Second)
		wd.wantEmpty(1)
	})
	t.Run("still", func(t *testing.T) {
		wd, p, _ := start(t)
		wd.pass(5*time.Second - 1)
		if wd.net.Open() != 1 {
			t.Errorf("open before the linger time: got %d, want 1", wd.net.Open())
		}
		wd.pass(1)
		wd.wantEmpty(1)
		if _, e := p.read(); e != syscall.ECONNRESET {
			t.Errorf("peer: got %v, want a reset, since the bytes are incomplete", e)
		}
	})
}

// A negative Linger means no limit.
func TestLingerNever(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{Timeouts: Timeouts{Linger: -1}})
	p, f := wd.connect(wd.listen())
	f.w.Close(roles.Graceful, nil)
	wd.pass(24 * time.Hour)
	if wd.net.Open() != 1 {
		t.Errorf("open after a day: got %d, want 1", wd.net.Open())
	}
	p.close()
	wd.settle()
	wd.wantEmpty(1)
}

// A flood to a lingering connection is discarded within the turn's share, so others are served.
func TestLingerIsFair(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 4 << 20, RcvBuf: 4 << 20}, loop.Config{Bytes: 64 << 10}, Config{})
	p, f := wd.connect(wd.listen())
	f.w.Close(roles.Graceful, nil)
	wd.settle()
	p.write(numbered(2 << 20))
	p.close()
	turns := wd.loop.Stats().Turns
	wd.settle()
	if got := wd.loop.Stats().Turns - turns; got < 20 {
		t.Errorf("turns to drop 2 MiB: got %d, want many", got)
	}
	wd.wantEmpty(1)
}

// If Close is called inside another connection's Closed, Closed is called in the next turn, and once.
func TestCloseInsideClosed(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	_, one := wd.connect(a)
	_, two := wd.connect(a)
	one.onClosed = func() { two.w.Close(roles.Immediate, errBored); one.w.Close(roles.Reset, nil) }
	two.onClosed = func() { one.w.Close(roles.Reset, nil) }
	one.w.Close(roles.Graceful, nil)
	wd.turn()
	one.wantLog("closed <nil>")
	wd.settle()
	two.wantLog("closed bored")
	one.wantLog()
	wd.wantEmpty(1)
}
