package sim

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// Wait advances virtual time exactly as far as necessary.
func TestWaitAdvances(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: 30 * time.Millisecond}})
	add(t, p.b, p.s)
	ready(t, p.b)
	start := p.n.Now()
	write(t, p.a, p.c, "x")
	var ev [4]loop.Event
	for i, c := range []struct {
		timeout time.Duration
		events  int
		now     time.Duration
	}{
		{0, 0, 0},
		{10 * time.Millisecond, 0, 10 * time.Millisecond},
		{loop.Forever, 1, 30 * time.Millisecond},
		{time.Nanosecond, 0, 30*time.Millisecond + 1},
	} {
		k, err := p.b.Wait(ev[:], c.timeout)
		if k != c.events || err != nil || p.n.Now()-start != c.now {
			t.Errorf("wait %d for %v: got %d events at %v (%v), want %d at %v",
				i, c.timeout, k, p.n.Now()-start, err, c.events, c.now)
		}
	}
	if _, err := p.b.Wait(ev[:], loop.Forever); !errors.Is(err, ErrDeadlock) {
		t.Errorf("wait without events: got %v, want ErrDeadlock", err)
	} else if !strings.Contains(err.Error(), "fd 3: 10.0.0.2:80 listening") {
		t.Errorf("deadlock: got %q, want a list of open descriptors", err)
	}
}

func TestWake(t *testing.T) {
	h := New(1, Options{OutsideWake: true}).Host("h")
	var ev [4]loop.Event
	h.Wake()
	h.Wake()
	if k, err := h.Wait(ev[:], loop.Forever); k != 0 || err != nil {
		t.Errorf("wait after Wake: got %d, %v, want nothing at once", k, err)
	}
	go h.Wake()
	if k, err := h.Wait(ev[:], loop.Forever); k != 0 || err != nil {
		t.Errorf("wait while another goroutine calls Wake: got %d, %v, want nothing", k, err)
	}
	h.Shutdown()
	if _, err := h.Wait(ev[:], 0); !errors.Is(err, ErrClosed) {
		t.Errorf("wait after Shutdown: got %v, want ErrClosed", err)
	}
	h.Wake() // harmless
}

// Events that do not fit into one call are returned by the next, in order.
func TestManyEvents(t *testing.T) {
	p := hosts(t, 1, Options{})
	for range 10 {
		fd, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
		add(t, p.a, fd)
	}
	var got []loop.FD
	var ev [3]loop.Event
	for {
		k, _ := p.a.Wait(ev[:], 0)
		if k == 0 {
			break
		}
		for _, e := range ev[:k] {
			got = append(got, e.Token.FD())
		}
	}
	for i, fd := range got {
		if fd != loop.FD(firstFD+i) {
			t.Fatalf("events: got %v, want 3 to 12 in order", got)
		}
	}
	if len(got) != 10 {
		t.Fatalf("events: got %d, want 10: %v", len(got), got)
	}
}

// A closed descriptor's number is reused at once, without the events of the old socket.
func TestNumbersAreReused(t *testing.T) {
	p := join(t, 1, Options{})
	add(t, p.b, p.s)
	write(t, p.a, p.c, "for the old socket")
	p.b.Close(p.s)
	fd, e := p.b.Connect(at(ipA, 99), loop.SocketOptions{})
	if fd != p.s || e != syscall.EINPROGRESS {
		t.Fatalf("lowest free number: got %d (%v), want %d", fd, e, p.s)
	}
	if r := ready(t, p.b); len(r) != 0 {
		t.Errorf("events of a number that was closed and not added: got %v, want none", r)
	}
	if err := p.b.Add(fd, loop.MakeToken(fd, 2)); err != nil {
		t.Error(err)
	}
	if err := p.b.Add(fd, loop.MakeToken(fd, 3)); errnoOf(err) != syscall.EEXIST {
		t.Errorf("add twice: got %v, want EEXIST", err)
	}
	if err := p.b.Add(77, loop.MakeToken(77, 1)); errnoOf(err) != syscall.EBADF {
		t.Errorf("add a closed descriptor: got %v, want EBADF", err)
	}
}

// Strict edges delay an edge until the previous one was consumed; without them it is repeated.
func TestStrictEdges(t *testing.T) {
	for _, strict := range []bool{false, true} {
		p := join(t, 1, Options{StrictEdges: strict})
		add(t, p.b, p.s)
		ready(t, p.b)
		write(t, p.a, p.c, "one")
		if r := ready(t, p.b)[p.s]; r&loop.Readable == 0 {
			t.Errorf("strict %v: first bytes: got %b, want Readable", strict, r)
		}
		write(t, p.a, p.c, "two")
		if r := ready(t, p.b)[p.s]; r&loop.Readable == 0 != strict {
			t.Errorf("strict %v: more bytes, none read: got %b", strict, r)
		}
		read(t, p.b, p.s, "onetwo", 0)
		write(t, p.a, p.c, "three")
		if r := ready(t, p.b)[p.s]; r&loop.Readable == 0 {
			t.Errorf("strict %v: after a short read: got %b, want Readable", strict, r)
		}
		p.a.CloseWrite(p.c)
		if r := ready(t, p.b)[p.s]; r&loop.HangUp == 0 {
			t.Errorf("strict %v: after the end: got %b, want HangUp", strict, r)
		}
	}
}

func TestCallsAreCounted(t *testing.T) {
	p := join(t, 1, Options{})
	before := p.b.Calls()
	write(t, p.a, p.c, "x")
	read(t, p.b, p.s, "x", 0)
	read(t, p.b, p.s, "", syscall.EAGAIN)
	p.b.Accept(p.l)
	ready(t, p.b)
	got := p.b.Calls()
	if got.Reads-before.Reads != 2 || got.ReadsEmpty-before.ReadsEmpty != 1 || got.Idle()-before.Idle() != 3 {
		t.Errorf("counts: got %+v after %+v, want 2 reads and 3 calls without an effect", got, before)
	}
}

// again is a timer that arms itself again each second: the loop never becomes idle.
type again struct {
	loop.Timer
	l *loop.Loop
}

func (a *again) Label() string { return "again" }

func (a *again) Expired(now time.Duration) { a.l.Arm(&a.Timer, now+time.Second, a) }

// A loop that its own Run drives ends at Options.Limit, also if its timers go on.
func TestLimitEndsRun(t *testing.T) {
	n := New(1, Options{Limit: time.Minute})
	l := loop.New(n.Host("h"), loop.Config{})
	a := &again{l: l}
	a.Expired(n.Now())
	start := n.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.Run(ctx)
	if took := n.Now() - start; !errors.Is(err, ErrLimit) || took < time.Minute || took > time.Minute+2*time.Second {
		t.Errorf("run with a limit of one minute: got %v after %v of virtual time, want ErrLimit after a minute", err, took)
	}
}
