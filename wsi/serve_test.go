package wsi

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// panics runs turns until a callback panics, and returns the panic and the name in the loop's report.
func (n *node) panics() (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r, "; ", n.loop.Poisoned())
		}
	}()
	for range 10 {
		if err := n.loop.Service(); err != nil {
			return "no panic, but " + err.Error()
		}
	}
	return "no panic"
}

// callbacks are the calls of an Upper, each with its hook and its trigger.
var callbacks = []struct {
	name   string
	hook   func(f *fake, do func())
	before bool // hooked before the connection is established
	cause  func(p *peer, f *fake)
}{
	{"Opened", func(f *fake, do func()) { f.onOpened = do }, true, nil},
	{"Rx", func(f *fake, do func()) { f.onRx = func(b []byte) int { do(); return len(b) } }, false,
		func(p *peer, f *fake) { p.write("x") }},
	{"RxEnd", func(f *fake, do func()) { f.onRxEnd = func(int) { do() } }, false,
		func(p *peer, f *fake) { p.h.CloseWrite(p.fd) }},
	{"Writable", func(f *fake, do func()) { f.onWritable = do }, false,
		func(p *peer, f *fake) { f.w.WantWrite() }},
	{"Timeout", func(f *fake, do func()) { f.onTimeout = do }, false,
		func(p *peer, f *fake) { f.deadline = 1; f.w.Rearm() }},
	{"Woken", func(f *fake, do func()) { f.onWoken = do }, false,
		func(p *peer, f *fake) { f.w.Wake() }},
	{"Closed", func(f *fake, do func()) { f.onClosed = do }, false,
		func(p *peer, f *fake) { f.w.Close(roles.Graceful, nil) }},
}

// A panic in any callback poisons the loop, which names the connection.
func TestPanicInCallbacks(t *testing.T) {
	for _, c := range callbacks {
		t.Run(c.name, func(t *testing.T) {
			wd := plain(t)
			a := wd.listen()
			boom := func() { panic("boom") }
			if c.before {
				a.script = func(f *fake) { c.hook(f, boom) }
				wd.knock()
			} else {
				p, f := wd.connect(a)
				c.hook(f, boom)
				c.cause(p, f)
			}
			got := wd.panics()
			if !strings.HasPrefix(got, "boom; ") || !strings.Contains(got, "accepted 0 (10.0.0.1:") {
				t.Errorf("got %q, want boom, with accepted 0 and its peer", got)
			}
			if err := wd.loop.Service(); !errors.Is(err, loop.ErrPoisoned) {
				t.Errorf("next turn: got %v, want ErrPoisoned", err)
			}
		})
	}
}

// Every method may be called inside every callback, of this connection and of another: no callback is nested, Closed
// is called once, and all resources are freed.
func TestReentry(t *testing.T) {
	actions := []struct {
		name string
		do   func(w *Wsi)
	}{
		{"close gracefully", func(w *Wsi) { w.Close(roles.Graceful, nil) }},
		{"close at once", func(w *Wsi) { w.Close(roles.Immediate, nil) }},
		{"reset", func(w *Wsi) { w.Close(roles.Reset, nil) }},
		{"close twice", func(w *Wsi) { w.Close(roles.Graceful, nil); w.Close(roles.Immediate, nil) }},
		{"pause", func(w *Wsi) { w.Pause() }},
		{"pause and resume", func(w *Wsi) { w.Pause(); w.Resume() }},
		{"resume", func(w *Wsi) { w.Resume() }},
		{"want to write", func(w *Wsi) { w.WantWrite() }},
		{"close write", func(w *Wsi) { w.CloseWrite() }},
		{"rearm", func(w *Wsi) { w.Rearm() }},
		{"wake", func(w *Wsi) { w.Wake() }},
		{"produce", func(w *Wsi) {
			if room := w.Room(1); room != nil {
				w.Commit(copy(room, "y"))
			}
		}},
		{"replace", func(w *Wsi) {
			if f, ok := w.upper.(*fake); ok {
				u := newFake(f.t, f.name+" replaced")
				u.w = w
				w.Replace(u)
			}
		}},
	}
	for _, c := range callbacks {
		for _, act := range actions {
			for _, own := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s in %s, own %v", act.name, c.name, own), func(t *testing.T) {
					wd := plain(t)
					a := wd.listen()
					pOther, other := wd.connect(a)
					var f *fake
					times := 0
					do := func() {
						if times++; times > 3 {
							return // a Writable that calls WantWrite would repeat without end
						}
						if act.do(other.w); own {
							act.do(f.w)
						}
					}
					a.script = func(n *fake) {
						if f = n; c.before {
							c.hook(f, do)
						}
					}
					p := wd.knock()
					wd.pass(time.Millisecond)
					if !c.before {
						c.hook(f, do)
						c.cause(p, f)
					}
					wd.pass(time.Second)
					if times == 0 {
						t.Fatal("the callback was not called")
					}
					for _, w := range []*Wsi{f.w, other.w} {
						w.Close(roles.Immediate, nil)
					}
					p.close()
					pOther.close()
					wd.pass(10 * time.Second)
					wd.wantEmpty(1)
					for _, n := range []*fake{f, other} {
						if act.name != "replace" && n.closed != 1 {
							t.Errorf("%s: times closed: got %d, want 1; calls %q", n.name, n.closed, n.log)
						}
					}
				})
			}
		}
	}
}

// A reused descriptor number in the same turn does not get the old connection's events.
func TestNumberIsReused(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	p, f := wd.connect(a)
	_, other := wd.connect(a)
	was := f.w.src.FD()
	r := newFake(t, "next")
	other.onClosed = func() {
		wd.net.Dial(r.w, Target{Host: "10.0.0.2", Port: 80}, r, DialOptions{})
	}
	f.onRx = func(b []byte) int { // its end is known when it closes, and is not reported
		f.w.Close(roles.Immediate, nil)
		other.w.Close(roles.Immediate, nil)
		return len(b)
	}
	p.write("x")
	p.close()
	wd.pass(time.Second)
	f.wantLog(`rx "x"`, "closed <nil>")
	if got := r.w.src.FD(); got != was {
		t.Errorf("descriptor of the new one: got %d, want %d, which the old one had", got, was)
	}
	r.w.Close(roles.Immediate, nil)
	wd.pass(time.Second)
	r.wantLog("opened", "closed <nil>")
	// Now a second attempt of a dial: it reuses the number of the failed one.
	d := wd.dial(Target{Host: "localhost", Port: 81}, DialOptions{})
	if _, err := wd.net.Listen(Bind{Host: "::1", Port: 81}, loop.ListenOptions{}, nil, a); err != nil {
		t.Fatal(err)
	}
	wd.pass(time.Second)
	d.wantLog("opened")
}

// A new Upper is opened and gets the unused bytes and further input; the old one gets no more calls.
func TestReplace(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	u := newFake(t, "upgraded")
	u.w = f.w
	f.onRx = func(b []byte) int {
		f.w.WantWrite() // still pending when the new one is set: not before Opened
		f.w.Replace(u)
		return len("upgrade ")
	}
	p.write("upgrade frame")
	wd.settle()
	f.wantLog(`rx "upgrade frame"`)
	u.wantLog("opened", `rx "frame"`, "writable")
	p.h.CloseWrite(p.fd)
	wd.settle()
	u.wantLog("end 0")
	v := newFake(t, "third")
	v.w = f.w
	f.w.Replace(v) // from outside, after the end
	wd.settle()
	v.wantLog("opened", "end 0")
	v.w.Close(roles.Immediate, errBored)
	wd.settle()
	v.wantLog("closed bored")
	u.wantLog()
	f.wantLog()
	wd.wantEmpty(1)
}

// The label identifies the connection in logs.
func TestLabel(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	if got := f.w.Label(); !strings.HasPrefix(got, "accepted 0 (10.0.0.1:") || !strings.HasSuffix(got, ", open)") {
		t.Errorf("label: got %q", got)
	}
	d := wd.dial(Target{Host: "10.0.0.9", Port: 80}, DialOptions{})
	if got := d.w.Label(); got != "dialled (10.0.0.9:80, connecting)" {
		t.Errorf("label: got %q", got)
	}
	if got := new(Wsi).Label(); got != "connection (unknown peer, new)" {
		t.Errorf("label: got %q", got)
	}
}

// A connection with much output uses only its share of a turn.
func TestWritingIsFair(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 8 << 20, RcvBuf: 8 << 20}, loop.Config{Bytes: 64 << 10}, Config{})
	a := wd.listen()
	_, loud := wd.connect(a)
	p, quiet := wd.connect(a)
	loud.send(numbered(4 << 20))
	quiet.send("me too")
	wd.turn()
	p.want("me too", syscall.EAGAIN)
	had := loud.w.BytesOut()
	wd.turn()
	if k := loud.w.BytesOut() - had; k == 0 || k > 64<<10+outSize {
		t.Errorf("written in one turn: got %d bytes, want some, at most %d", k, 64<<10+outSize)
	}
}

// A panic in Accept is reported for the listener.
func TestPanicInAccept(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	a.script = func(*fake) { panic("boom") }
	wd.knock()
	if got := wd.panics(); !strings.HasPrefix(got, "boom; ") || !strings.Contains(got, "listener ") || !strings.Contains(got, ":80") {
		t.Errorf("got %q, want boom, with the listener", got)
	}
}

// balky is a System whose poller refuses descriptors.
type balky struct {
	loop.System
	full bool
}

func (b *balky) Add(fd loop.FD, t loop.Token) error {
	if b.full {
		return syscall.ENOSPC
	}
	return b.System.Add(fd, t)
}

// A descriptor that cannot be watched causes an error, and is closed.
func TestCannotWatch(t *testing.T) {
	h := sim.New(1, sim.Options{}).Host("h")
	sys := &balky{System: h}
	n := newNode(t, sys, loop.Config{}, Config{})
	a := n.listen()
	fd, _ := h.Connect(a.l.Addr(), loop.SocketOptions{})
	sys.full = true
	if _, err := n.net.Listen(Bind{Port: 81}, loop.ListenOptions{}, nil, a); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("listen: got %v, want ENOSPC", err)
	}
	n.settle()
	a.all[0].wantLog("closed wsi: watch: accepted connection: loop: watch: fd 5: no space left on device")
	f := n.dial(Target{Host: "127.0.0.1", Port: 80}, DialOptions{})
	n.settle()
	f.wantClosed(syscall.ENOSPC)
	h.Close(fd)
	n.wantEmpty(1)
}

// A timer that is due in the turn of a Close has no effect.
func TestCloseInTheTurnOfATimeout(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{Timeouts: Timeouts{Connect: time.Second, Idle: time.Second}})
	a := wd.listen()
	_, f := wd.connect(a)
	d := wd.dial(Target{Host: "10.0.0.9", Port: 80}, DialOptions{})
	wd.n.Advance(2 * time.Second)
	wd.loop.Post(func() {
		f.w.Close(roles.Immediate, errBored)
		d.w.Close(roles.Immediate, errBored)
	})
	wd.settle()
	f.wantLog("closed bored")
	d.wantLog("closed bored")
	if wd.net.Counters.TimedOut != 0 {
		t.Errorf("timeouts counted: got %d, want 0", wd.net.Counters.TimedOut)
	}
	wd.wantEmpty(1)
}
