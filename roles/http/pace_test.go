package http

import (
	"testing"
	"time"
)

// TestPace receives a body in steps of a second: each step is a number of bytes, or stop for a stopped clock.
func TestPace(t *testing.T) {
	const stop = -1
	l := PaceLimits{Rate: 100, Grace: 10 * time.Second, Total: time.Minute}
	repeat := func(n, times int) (steps []int) {
		for range times {
			steps = append(steps, n)
		}
		return steps
	}
	join := func(all ...[]int) (steps []int) {
		for _, s := range all {
			steps = append(steps, s...)
		}
		return steps
	}
	for _, c := range []struct {
		name   string
		l      PaceLimits
		steps  []int
		missed PaceFault
		at     int // step
	}{
		{"nothing", l, repeat(0, 20), PaceRate, 10},
		{"just enough", l, repeat(100, 59), PaceKept, 0},
		{"just enough, to the end of the total", l, repeat(100, 70), PaceTotal, 60},
		{"half of it", l, repeat(50, 30), PaceRate, 19},
		{"one byte a second", l, repeat(1, 30), PaceRate, 11},
		{"many bytes at once do not count for later", l, join([]int{1 << 30}, repeat(0, 20)), PaceRate, 11},
		{"a gap within the grace", l, join(repeat(100, 5), repeat(0, 8), repeat(1000, 9)), PaceKept, 0},
		{"stopped", l, join(repeat(100, 5), repeat(stop, 1000), repeat(100, 5)), PaceKept, 0},
		{"stopped, then the rest of the grace", l, join(repeat(0, 6), repeat(stop, 100), repeat(0, 6)), PaceRate, 110},
		{"no rate", PaceLimits{Total: 5 * time.Second}, repeat(0, 9), PaceTotal, 5},
		{"no total", PaceLimits{Rate: 100, Grace: 2 * time.Second}, repeat(100, 100000), PaceKept, 0},
		{"no grace", PaceLimits{Rate: 100}, repeat(0, 100000), PaceKept, 0},
		{"no grace, but a total", PaceLimits{Rate: 100, Total: 5 * time.Second}, repeat(0, 9), PaceTotal, 5},
		{"no limit", PaceLimits{}, repeat(0, 100000), PaceKept, 0},
	} {
		var p Pace
		now := time.Duration(0)
		p.Start(now, &c.l)
		got, at := PaceKept, 0
		for i, n := range c.steps {
			if n == stop {
				p.Stop(now)
				p.Stop(now)
				now += time.Second
				continue
			}
			p.Resume(now)
			p.Resume(now)
			now += time.Second
			if got = p.Missed(now, &c.l); got != PaceKept {
				at = i + 1
				break
			}
			p.Took(now, n, &c.l)
		}
		if got != c.missed || at != c.at {
			t.Errorf("%s: got fault %d at second %d, want %d at %d", c.name, got, at, c.missed, c.at)
		}
	}
	var p Pace
	if p.Due(&l) != 0 {
		t.Errorf("Due of the zero Pace: got %v, want 0", p.Due(&l))
	}
	p.Start(0, &l)
	p.Took(9*time.Second, 0, &l)
	p.Refill(9*time.Second, &l)
	if got := p.Due(&l); got != 19*time.Second {
		t.Errorf("Due after Refill at 9 s: got %v, want 19s", got)
	}
}
