package sim

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// ball is a connection that plays ping-pong on a real loop: it returns the received bytes, rounds times.
type ball struct {
	loop.Source
	l      *loop.Loop
	h      *Host
	rounds int
	serve  bool // sends first, once connected
	timer  loop.Timer
	late   int // timers that expired
}

func (b *ball) Label() string { return "ball" }

func (b *ball) Ready(now time.Duration, r loop.Ready) bool {
	var buf [16]byte
	if b.serve && r&loop.Writable != 0 {
		b.serve = false
		b.h.Write(b.FD(), buf[:1])
	}
	for b.rounds > 0 {
		if k, _ := b.h.Read(b.FD(), buf[:]); k == 0 {
			break
		}
		b.rounds--
		b.h.Write(b.FD(), buf[:1])
	}
	b.l.Arm(&b.timer, now+time.Hour, b)
	return false
}

func (b *ball) Expired(time.Duration) { b.late++ }

// game makes two loops on two hosts with one connection.
func game(t *testing.T, o Options) (n *Network, ls [2]*loop.Loop, balls [2]*ball) {
	t.Helper()
	p := hosts(t, 1, o)
	for i, h := range [2]*Host{p.a, p.b} {
		ls[i] = loop.New(h, loop.Config{})
		balls[i] = &ball{l: ls[i], h: h, rounds: 100, serve: i == 0}
	}
	c, e := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	if e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	p.n.Advance(time.Second)
	s, e := p.b.Accept(p.l)
	if e != 0 {
		t.Fatal(e)
	}
	for i, fd := range [2]loop.FD{c, s} {
		if err := ls[i].Watch(&balls[i].Source, fd, balls[i]); err != nil {
			t.Fatal(err)
		}
	}
	return p.n, ls, balls
}

func TestRunDrivesLoops(t *testing.T) {
	n, ls, balls := game(t, Options{Link: Link{Latency: 10 * time.Millisecond}})
	start := n.Now()
	finished := func() bool { return balls[0].rounds+balls[1].rounds == 0 }
	if err := n.Run(finished, time.Minute, ls[0], ls[1]); err != nil {
		t.Fatal(err)
	}
	if got := n.Now() - start; got != 2*time.Second {
		t.Errorf("200 flights of 10 ms: got %v, want 2 s", got)
	}
	expired := func() bool { return balls[0].late == 1 && balls[1].late == 1 }
	if err := n.Run(expired, 2*time.Hour, ls[0], ls[1]); err != nil {
		t.Fatalf("timers: %v", err)
	}
	if got := n.Now() - start; got < time.Hour || got > time.Hour+3*time.Second {
		t.Errorf("timers of an hour: got %v", got)
	}
	never := func() bool { return false }
	if err := n.Run(never, time.Minute, ls[0], ls[1]); !errors.Is(err, ErrDeadlock) {
		t.Errorf("no work left: got %v, want ErrDeadlock", err)
	}
	if got, wait := ls[0].Stats(), balls[0].h.Calls(); got == nil || wait.Waits > 400 {
		t.Errorf("turns: got %d waits, want about two per round", wait.Waits)
	}
}

func TestRunLimit(t *testing.T) {
	n, ls, _ := game(t, Options{Link: Link{Latency: 10 * time.Millisecond}})
	start := n.Now()
	err := n.Run(func() bool { return false }, time.Second, ls[0], ls[1])
	if !errors.Is(err, ErrLimit) || n.Now()-start != time.Second {
		t.Errorf("limit: got %v after %v, want ErrLimit after a second", err, n.Now()-start)
	}
	if !strings.Contains(err.Error(), "10.0.0.2:80 listening") {
		t.Errorf("limit: got %q, want a list of open descriptors", err)
	}
}

// spinner needs a turn at all times.
type spinner struct{}

func (spinner) Service() error         { return nil }
func (spinner) Timeout() time.Duration { return 0 }

// failing returns an error.
type failing struct{ spinner }

var errBroken = errors.New("broken")

func (failing) Service() error { return errBroken }

func TestRunGuards(t *testing.T) {
	n := New(1, Options{})
	never := func() bool { return false }
	if err := n.Run(never, time.Hour, spinner{}); !errors.Is(err, ErrLivelock) {
		t.Errorf("spinning: got %v, want ErrLivelock", err)
	}
	if err := n.Run(never, time.Hour, failing{}); !errors.Is(err, errBroken) {
		t.Errorf("a failing loop: got %v, want its error", err)
	}
	if err := n.Run(never, time.Hour); !errors.Is(err, ErrDeadlock) {
		t.Errorf("without a loop: got %v, want ErrDeadlock", err)
	}
}

// A suspended host's loop gets no turn; its timers expire when the suspension ends.
func TestRunSuspended(t *testing.T) {
	n, ls, balls := game(t, Options{})
	finished := func() bool { return balls[0].rounds+balls[1].rounds == 0 }
	balls[1].h.Suspend(time.Hour)
	start := n.Now()
	if err := n.Run(finished, 2*time.Hour, ls[0], ls[1]); err != nil {
		t.Fatal(err)
	}
	if got := n.Now() - start; got < time.Hour-2*time.Second || got > time.Hour {
		t.Errorf("with one host suspended for an hour: got %v", got)
	}
}

// alarm is a driver that only waits for its timer, and whose turn collects the events.
type alarm struct {
	h   *Host
	at  time.Duration
	got *bool
}

func (a alarm) Service() error {
	var ev [4]loop.Event
	n, err := a.h.Wait(ev[:], 0)
	*a.got = *a.got || n > 0
	return err
}
func (a alarm) Timeout() time.Duration { return max(0, a.at-a.h.Now()) }
func (a alarm) System() loop.System    { return a.h }

// Events of a suspended host are served when the suspension ends, not when its next timer is due.
func TestSuspendedWithEvents(t *testing.T) {
	n := New(1, Options{})
	h := n.Host("a")
	if _, err := echoListener(h); err != nil {
		t.Fatal(err)
	}
	start := n.Now()
	h.Suspend(time.Second)
	got := false
	if err := n.Run(func() bool { return got }, time.Hour, alarm{h, start + time.Minute, &got}); err != nil {
		t.Fatal(err)
	}
	if took := n.Now() - start; took != time.Second {
		t.Errorf("served %v after it was suspended for a second", took)
	}
}

// echoListener makes a listener with a connection to itself that waits to be accepted.
func echoListener(h *Host) (loop.FD, error) {
	l, at, err := h.Listen(loop.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}, loop.ListenOptions{})
	if err != nil {
		return l, err
	}
	if err := h.Add(l, loop.MakeToken(l, 1)); err != nil {
		return l, err
	}
	_, e := h.Connect(at, loop.SocketOptions{})
	if e != 0 && e != syscall.EINPROGRESS {
		return l, e
	}
	return l, nil
}

// A listener that is closed while an event waits reports none.
func TestListenerClosedWithEvents(t *testing.T) {
	n := New(1, Options{})
	h := n.Host("a")
	l, err := echoListener(h)
	if err != nil {
		t.Fatal(err)
	}
	h.Remove(l)
	h.Close(l)
	var ev [4]loop.Event
	if k, err := h.Wait(ev[:], 0); k != 0 || err != nil {
		t.Errorf("got %v, %v, want nothing", ev[:k], err)
	}
}

// A single loop runs as on a real kernel, and virtual time advances with it.
func TestLoopRun(t *testing.T) {
	n, ls, _ := game(t, Options{})
	var timer loop.Timer
	ls[0].Post(func() { ls[0].Arm(&timer, ls[0].Now()+24*time.Hour, stopper{ls[0]}) })
	start := n.Now()
	if err := ls[0].Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := n.Now() - start; got != 24*time.Hour {
		t.Errorf("run until the timer: got %v, want 24h", got)
	}
}

// stopper stops a loop.
type stopper struct{ l *loop.Loop }

func (s stopper) Expired(time.Duration) { s.l.Stop() }
func (s stopper) Label() string         { return "stopper" }
