package loop

import (
	"fmt"
	"math/bits"
	"reflect"
	"runtime"
	"time"
)

// Stats are the counters of a loop. The time of a turn runs from the return of its wait to its end.
type Stats struct {
	Turns   uint64
	Events  uint64        // fetched
	Slow    uint64        // callbacks that took longer than Config.Slow
	Sources int           // watched now
	Timers  int           // armed now
	Last    time.Duration // time of the last turn
	Max     time.Duration // of the longest turn
	Total   time.Duration // of all turns
	// Hist counts turns by time: Hist[i] counts those of at least 2^(i-1) and less than 2^i nanoseconds, Hist[0] those
	// of 0.
	Hist [40]uint64
}

func (s *Stats) turn(events int, took time.Duration) {
	took = max(0, took)
	s.Turns++
	s.Events += uint64(events)
	s.Last = took
	s.Max = max(s.Max, took)
	s.Total += took
	s.Hist[min(bits.Len64(uint64(took)), len(s.Hist)-1)]++
}

// Quantile returns an upper bound for the time of the given share of turns: the upper end of its histogram bucket,
// which is at most twice too large. It returns 0 if there were no turns.
func (s *Stats) Quantile(share float64) time.Duration {
	var n uint64
	for i, c := range s.Hist {
		if n += c; n > 0 && float64(n) >= share*float64(s.Turns) {
			return min(s.Max, time.Duration(1)<<i)
		}
	}
	return s.Max
}

type activeKind uint8

const (
	activeNone activeKind = iota
	activeLoop            // our own code between callbacks
	activePosted
	activeExpirer
	activeHandler
	activeRunner
	activeAfterTurn
)

// active is the running callback. A report reads its label.
type active struct {
	kind    activeKind
	posted  func()
	expirer Expirer
	handler Handler
	runner  Runner
}

func (a *active) label() string {
	switch a.kind {
	case activePosted:
		name := "?"
		if f := runtime.FuncForPC(reflect.ValueOf(a.posted).Pointer()); f != nil {
			name = f.Name()
		}
		return "posted function " + name
	case activeExpirer:
		return "timer of " + a.expirer.Label()
	case activeHandler:
		return a.handler.Label()
	case activeRunner:
		if l, ok := a.runner.(interface{ Label() string }); ok {
			return "task of " + l.Label()
		}
		return fmt.Sprintf("task of a %T", a.runner)
	case activeAfterTurn:
		return "the after-turn hook"
	}
	return "the loop itself"
}

// checkSlow reports the callback that has just ended if it was slow, and starts the time of the next.
func (l *Loop) checkSlow() {
	if l.c.Slow <= 0 {
		return
	}
	now := l.sys.Now()
	took := now - l.checked
	l.checked = now
	if took > l.c.Slow {
		l.stats.Slow++
		if l.c.OnSlow != nil {
			l.c.OnSlow(l.active.label(), took)
		}
	}
}
