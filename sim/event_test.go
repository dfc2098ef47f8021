package sim

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// The queue returns events by time, and those of equal time in order of insertion.
func TestEventQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a eventQueue
	type key struct {
		at  time.Duration
		seq uint64
	}
	var want, got []key
	for range 1000 {
		e := event{at: time.Duration(r.IntN(50))}
		a.push(e)
		want = append(want, key{e.at, a.seq})
	}
	slices.SortFunc(want, func(x, y key) int {
		if x.at != y.at {
			return int(x.at - y.at)
		}
		return int(x.seq) - int(y.seq)
	})
	for len(a.heap) > 0 {
		e := a.pop()
		got = append(got, key{e.at, e.seq})
	}
	if !slices.Equal(got, want) {
		t.Errorf("order: got %v, want %v", got, want)
	}
}

// A script runs at its time, and may schedule its next step.
func TestAt(t *testing.T) {
	n := New(1, Options{})
	start := n.Now()
	var got []time.Duration
	var step func()
	step = func() {
		got = append(got, n.Now()-start)
		if len(got) < 3 {
			n.At(time.Second, step)
		}
	}
	n.At(0, step)
	n.Advance(time.Minute)
	if want := []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("script: got %v, want %v", got, want)
	}
	if n.Now()-start != time.Minute {
		t.Errorf("advance: got %v, want a minute", n.Now()-start)
	}
}

// Stale timers of a finished connect neither stop the clock nor hide a deadlock.
func TestStaleEvents(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: time.Millisecond}})
	fd, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	p.n.Advance(10 * time.Millisecond)
	if when, ok := p.n.next(); ok {
		t.Errorf("after the connect of %d: got an event at %v, want none", fd, when)
	}
}
