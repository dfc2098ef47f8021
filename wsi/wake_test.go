package wsi

import (
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// TestWake: Woken is called once for each Wake, never inside the call that requested it, also during a pause; not
// before Opened, and not after Close.
func TestWake(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(p *peer, f *fake)
		want  []string
	}{
		{"from outside", func(_ *peer, f *fake) { f.w.Wake(); f.w.Wake() }, []string{"woken"}},
		{"paused", func(p *peer, f *fake) { f.w.Pause(); p.write("x"); f.w.Wake() }, []string{"woken"}},
		{"from inside Rx", func(p *peer, f *fake) {
			f.onRx = func(b []byte) int { f.w.Wake(); f.w.WantWrite(); return len(b) }
			p.write("x")
		}, []string{`rx "x"`, "writable", "woken"}},
		{"from inside Woken", func(_ *peer, f *fake) {
			again := true
			f.onWoken = func() {
				if again {
					again = false
					f.w.Wake()
				}
			}
			f.w.Wake()
		}, []string{"woken", "woken"}},
		{"closed after", func(_ *peer, f *fake) { f.w.Wake(); f.w.Close(roles.Immediate, nil) }, []string{"closed <nil>"}},
		{"closed before", func(_ *peer, f *fake) { f.w.Close(roles.Immediate, nil); f.w.Wake() }, []string{"closed <nil>"}},
	} {
		wd := plain(t)
		p, f := wd.connect(wd.listen())
		f.log = f.log[:0]
		c.setup(p, f)
		wd.settle()
		t.Log(c.name)
		f.wantLog(c.want...)
	}
}

// TestWakeIsForTheNextTurn: a Wake inside a callback lets the loop serve others first, and transfers no byte.
func TestWakeIsForTheNextTurn(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	n := 0
	f.onWoken = func() { n++; f.w.Wake() }
	f.w.Wake()
	before := wd.net.Counters
	for turn := 1; turn <= 5; turn++ {
		if wd.turn(); n != turn {
			t.Fatalf("turn %d: Woken was called %d times, want once a turn", turn, n)
		}
	}
	if wd.net.Counters != before {
		t.Errorf("counters: got %+v, want %+v: Woken costs no system call", wd.net.Counters, before)
	}
}

// TestWakeBeforeOpened: the Woken for a Wake before the connection is established follows Opened.
func TestWakeBeforeOpened(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	a.script = func(f *fake) { f.w.Wake() }
	wd.knock()
	wd.settle()
	a.all[0].wantLog("opened", "woken")
}

// TestWokenMovesTheDeadline: Timeout is not called for a deadline that Woken, which is called first, has changed.
func TestWokenMovesTheDeadline(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	f.log = f.log[:0]
	f.deadline = wd.loop.Now() + time.Second
	wd.loop.Arm(new(loop.Timer), f.deadline, expirer(f.w.Wake)) // fires first
	f.w.Rearm()
	f.onWoken = func() { f.deadline = wd.loop.Now() + time.Hour }
	wd.pass(2 * time.Second)
	f.wantLog("woken")
}

// expirer is a function called by a timer.
type expirer func()

func (e expirer) Expired(time.Duration) { e() }
func (e expirer) Label() string         { return "test timer" }

// TestInfo: a connection describes itself, and knows the time of its turn during callbacks.
func TestInfo(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{})
	_, f := wd.connect(wd.listen())
	i := f.w.Info()
	if i.Layer != roles.LayerSocket || i.Conn != roles.Conn(f.w) || i.TLS != nil || Under(f.w) != f.w {
		t.Errorf("info: got %+v, want a socket, the connection itself, and no TLS", i)
	}
	if got := i.Conn.PeerIP().Addr(); got != ipA {
		t.Errorf("peer: got %v, want %v", got, ipA)
	}
	f.onWoken = func() {
		if f.w.Now() != wd.loop.Now() {
			t.Errorf("now, inside a turn: got %v, want the turn's %v", f.w.Now(), wd.loop.Now())
		}
	}
	f.w.Wake()
	wd.pass(time.Second)
	wd.n.At(time.Second, func() {
		if got := f.w.Now(); got != wd.sys.Now() || got == wd.loop.Now() {
			t.Errorf("now, between turns: got %v, want the system's %v and not the last turn's %v", got, wd.sys.Now(), wd.loop.Now())
		}
	})
	wd.pass(2 * time.Second)
	if n := testing.AllocsPerRun(100, func() { i = f.w.Info() }); n != 0 {
		t.Errorf("Info: %v allocations, want none", n)
	}
}
