package wsi

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

func timed(t *testing.T, times Timeouts) (*world, *acceptor) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{Timeouts: times})
	return wd, wd.listen()
}

// wantTimeout passes until just before d and checks that nothing has happened, and then passes until d.
func (wd *world) wantTimeout(f *fake, d time.Duration, op string) {
	wd.t.Helper()
	wd.pass(d - 1)
	if f.closed != 0 {
		wd.t.Fatalf("before %v: got closed with %v, want open", d, f.cause)
	}
	wd.pass(1)
	f.wantClosed(ErrTimeout)
	if f.cause != nil && !strings.HasPrefix(f.cause.Error(), "wsi: "+op+": "+f.name) {
		wd.t.Errorf("cause: got %q, want one of %s, with the connection's name", f.cause, op)
	}
	if wd.net.Counters.TimedOut != 1 {
		wd.t.Errorf("counted: got %d, want 1", wd.net.Counters.TimedOut)
	}
}

func TestEstablishTimeout(t *testing.T) {
	wd, a := timed(t, Timeouts{Establish: 3 * time.Second})
	a.script = func(f *fake) { f.unestablished = true }
	p := wd.knock()
	wd.settle()
	f := a.all[0]
	for range 2 { // bytes do not extend it
		wd.pass(time.Second)
		p.write("slow")
	}
	wd.wantTimeout(f, time.Second, "establish")
	p.close()
	wd.pass(time.Hour)
	wd.wantEmpty(1)
}

// Established ends the first timeout and starts the second, whenever it is called.
func TestEstablishedFromOutside(t *testing.T) {
	wd, a := timed(t, Timeouts{Establish: time.Minute, Idle: 2 * time.Second})
	a.script = func(f *fake) { f.unestablished = true }
	wd.knock()
	wd.pass(50 * time.Second)
	f := a.all[0]
	wd.loop.Post(f.w.Established)
	wd.turn()
	f.w.Established()
	wd.wantTimeout(f, 2*time.Second, "idle")
}

// Idle counts from the last byte in either direction.
func TestIdleTimeout(t *testing.T) {
	wd, a := timed(t, Timeouts{Idle: 2 * time.Second})
	p, f := wd.connect(a)
	for i := range 5 {
		wd.pass(1900 * time.Millisecond)
		if i%2 == 0 {
			p.write("in")
		} else {
			f.send("out")
		}
		wd.settle()
		f.wantOpen()
	}
	wd.pass(time.Second)
	f.w.WantWrite() // transfers no byte
	wd.wantTimeout(f, time.Second, "idle")
	p.want("outout", 0) // an orderly end
	p.close()
	wd.settle()
	wd.wantEmpty(1)
}

// The timer of a busy connection does not wake the loop.
func TestIdleConnectionSleeps(t *testing.T) {
	wd, a := timed(t, Timeouts{Idle: time.Hour})
	wd.connect(a)
	turns := wd.loop.Stats().Turns
	wd.pass(59 * time.Minute)
	if got := wd.loop.Stats().Turns - turns; got > 2 {
		t.Errorf("turns of an idle hour: got %d, want next to none", got)
	}
}

// The role's deadline: Timeout is called once each time it is set, at its time, whether it is set inside a callback
// or outside.
func TestRoleDeadline(t *testing.T) {
	wd, a := timed(t, Timeouts{})
	p, f := wd.connect(a)
	var at []time.Duration
	start := wd.n.Now()
	f.onTimeout = func() {
		at = append(at, f.now-start)
		if len(at) < 3 {
			f.deadline = f.now + time.Second
		}
		f.w.Commit(copy(f.w.Room(1), "tick"))
	}
	f.deadline = start + 5*time.Second
	f.w.Rearm()
	wd.pass(time.Second)
	f.deadline = start + 2*time.Second // earlier
	f.w.Rearm()
	wd.pass(time.Hour)
	if len(at) != 3 || at[0] != 2*time.Second || at[1] != 3*time.Second || at[2] != 4*time.Second {
		t.Errorf("timeouts: got %v, want [2s 3s 4s]", at)
	}
	p.want("tickticktick", syscall.EAGAIN)
	f.onRx = func(b []byte) int { f.deadline = f.now + 7*time.Second; return len(b) }
	p.write("x")
	wd.pass(8 * time.Second)
	if len(at) != 4 {
		t.Errorf("set inside Rx: got %d timeouts, want 4", len(at))
	}
	p.write("x")
	wd.pass(time.Second)
	f.deadline = 0
	f.w.Rearm()
	wd.pass(time.Hour)
	if len(at) != 4 || wd.loop.Stats().Timers != 0 {
		t.Errorf("canceled: got %d timeouts, %d timers, want 4 and 0", len(at), wd.loop.Stats().Timers)
	}
	f.deadline = wd.n.Now() + time.Second
	f.w.Rearm()
	f.w.Close(roles.Immediate, nil)
	wd.pass(time.Hour)
	if len(at) != 4 {
		t.Errorf("after Close: got %d timeouts, want 4", len(at))
	}
	wd.wantEmpty(1)
}

// The deadline of a role and the connection's own timeout share a timer: each expires at its time.
func TestDeadlineBesideIdle(t *testing.T) {
	wd, a := timed(t, Timeouts{Idle: 3 * time.Second})
	_, f := wd.connect(a)
	start := wd.n.Now()
	var at time.Duration
	f.onTimeout = func() { at = f.now - start }
	f.deadline = start + 2*time.Second
	f.w.Rearm()
	idle := f.w.activityOrDeadline + 3*time.Second - start
	wd.wantTimeout(f, idle, "idle")
	if at != 2*time.Second {
		t.Errorf("the role's deadline: got %v, want 2s", at)
	}
}

// Negative means never.
func TestNoTimeouts(t *testing.T) {
	wd, a := timed(t, Timeouts{Connect: -1, Establish: -1, Idle: -1, Linger: -1})
	a.script = func(f *fake) { f.unestablished = true }
	wd.knock()
	f := wd.dial(Target{Host: "10.0.0.2", Port: 80}, DialOptions{})
	wd.pass(1000 * time.Hour)
	f.wantOpen()
	a.all[0].wantOpen()
	if got := wd.loop.Stats().Timers; got != 0 {
		t.Errorf("timers: got %d, want 0", got)
	}
}
