package tls

import (
	"fmt"
	"testing"
	"time"
)

// napper is a Shared whose timer the test controls.
type napper struct {
	*Shared
	at   time.Duration // time requested for Timeout
	asks int
}

func newNapper(t testing.TB, quiet time.Duration) *napper {
	n := &napper{}
	n.Shared = newShared(t, func(c *Config) {
		c.Quiet = quiet
		c.Arm = func(at time.Duration) { n.at = at; n.asks++ }
	})
	return n
}

// pass advances the time of p's transport and of n, and calls Timeout when it is due.
func (n *napper) pass(p *raw, d time.Duration) {
	p.low.Sleep(d)
	for n.armed != 0 && n.at <= p.low.Clock {
		n.Timeout(n.at)
	}
}

func TestSleepAndWake(t *testing.T) {
	for _, c := range suites {
		n := newNapper(t, 0)
		p := newRaw(t, n.Shared, c.id)
		if !p.s.Asleep() {
			t.Error("awake after a handshake without a ticket: keys are expanded before they are needed")
		}
		p.low.Feed(p.seal(typeData, []byte("x"), 0))
		n.pass(p, 3*time.Second)
		p.p.send([]byte("y"))
		p.received()
		n.pass(p, 3500*time.Millisecond)
		if p.s.Asleep() {
			t.Error("asleep 3.5 s after a record, want 5, or a quarter less")
		}
		n.pass(p, 1500*time.Millisecond)
		if !p.s.Asleep() || n.Counters.Slept != 1 {
			t.Errorf("asleep %v 5 s after a record, counted %d; want asleep, 1", p.s.Asleep(), n.Counters.Slept)
		}
		if n.armed != 0 || p.s.Deadline() != 0 {
			t.Errorf("asleep: armed %v, deadline %v; want no timer", n.armed, p.s.Deadline())
		}
		b := p.seal(typeData, []byte("z"), 0)
		p.low.Feed(b[:3])
		if !p.s.Asleep() {
			t.Error("three bytes woke it, but only a whole record needs the keys")
		}
		p.low.Feed(b[3:])
		p.want([]byte("xz"))
		p.p.send([]byte("y"))
		if got := fmt.Sprint(p.received()); got != fmt.Sprint([]message{data("y")}) {
			t.Errorf("received %s, want y", got)
		}
	}
}

// A session in use is checked and stays awake; an ended session is not checked any more.
func TestBusySessionsStayAwake(t *testing.T) {
	n := newNapper(t, 4*time.Second)
	v := newServer(t, n.Shared, nil)
	busy, quiet, gone := newRawOn(t, v), newRawOn(t, v), newRawOn(t, v)
	for _, p := range []*raw{busy, quiet, gone} {
		p.low.Feed(p.seal(typeData, []byte("x"), 0))
	}
	if n.asks != 1 {
		t.Errorf("three sessions woke: asked for %d timers, want 1", n.asks)
	}
	gone.low.Break(nil)
	for range 12 {
		n.pass(busy, time.Second)
		busy.low.Feed(busy.seal(typeData, []byte("x"), 0))
	}
	if busy.s.Asleep() || !quiet.s.Asleep() || n.Counters.Slept != 1 {
		t.Errorf("after 12 s: the busy one asleep %v, the quiet one %v, counted %d; want false, true, 1",
			busy.s.Asleep(), quiet.s.Asleep(), n.Counters.Slept)
	}
}

func TestNeverAsleep(t *testing.T) {
	n := newNapper(t, -1)
	p := newRaw(t, n.Shared, suites[0].id)
	p.low.Feed(p.seal(typeData, []byte("x"), 0))
	n.pass(p, 24*time.Hour)
	if p.s.Asleep() || n.asks != 0 {
		t.Errorf("asleep %v, asked for %d timers; want awake, none", p.s.Asleep(), n.asks)
	}
}

// Very many sessions that become quiet together are put to sleep in several steps.
func TestManySessionsSleepInSteps(t *testing.T) {
	n := newNapper(t, time.Second)
	k := &sink{}
	sessions := make([]Session, quietSteps+1)
	e := &endpoint{sh: n.Shared}
	for i := range sessions {
		sessions[i] = Session{low: k, upper: k, endpoint: e, flags: established | ours}
		sessions[i].touch(0)
	}
	n.Timeout(time.Minute)
	if n.Counters.Slept != quietSteps || n.armed == 0 || n.at > time.Minute {
		t.Errorf("slept %d, armed %v at %v; want %d, and the rest at once", n.Counters.Slept, n.armed, n.at, quietSteps)
	}
	n.Timeout(time.Minute)
	if n.Counters.Slept != quietSteps+1 || n.armed != 0 {
		t.Errorf("slept %d, armed %v; want all, and no timer", n.Counters.Slept, n.armed)
	}
}

// A session that was used once sleeps after Quiet and not one check later.
func TestOneRequestThenSleep(t *testing.T) {
	n := newNapper(t, 4*time.Second)
	p := newRaw(t, n.Shared, suites[0].id)
	p.low.Feed(p.seal(typeData, []byte("x"), 0))
	p.low.Sleep(time.Millisecond)
	p.p.send([]byte("y"))
	p.received()
	n.pass(p, 3990*time.Millisecond)
	if p.s.Asleep() {
		t.Error("asleep before its time")
	}
	n.pass(p, 20*time.Millisecond)
	if !p.s.Asleep() {
		t.Error("awake when its time is over")
	}
}
