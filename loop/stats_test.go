package loop

import (
	"strings"
	"testing"
	"time"
)

func TestSlowCallbacksAreNamed(t *testing.T) {
	f := &fakeSystem{now: 1}
	var reports []string
	c := Config{Slow: ms(5), OnSlow: func(who string, took time.Duration) {
		reports = append(reports, who+" "+took.String())
	}}
	drag := ms(0)
	c.AfterTurn = func() { f.now += drag }
	l := New(f, c)
	h := &funcs{name: "hand", ready: func(Ready) bool { f.now += drag; return false }}
	h.expired = func() { f.now += drag }
	h.task = func() { f.now += drag }
	if err := l.Watch(&h.Source, 1, h); err != nil {
		t.Fatal(err)
	}
	var unnamed Task
	for _, d := range []int{5, 6} {
		drag = ms(d)
		l.Post(func() { f.now += drag })
		l.Arm(&h.Timer, 0, h)
		l.Kick(&h.Source)
		l.Defer(&h.Task, h)
		l.Defer(&unnamed, plain(func() { f.now += drag }))
		if err := l.turn(0); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"posted function ", "timer of hand", "hand 6ms", "task of hand", "task of a loop.plain", "the after-turn hook"}
	if len(reports) != len(want) || l.stats.Slow != uint64(len(want)) {
		t.Fatalf("got %d reports, %d counted, want %d: %q", len(reports), l.stats.Slow, len(want), reports)
	}
	for i, r := range reports {
		if !strings.HasPrefix(r, want[i]) || !strings.HasSuffix(r, " 6ms") {
			t.Errorf("report %d: got %q, want %q and 6ms", i, r, want[i])
		}
	}
	if l.stats.Last != ms(36) || l.stats.Max != ms(36) || l.stats.Total != ms(66) {
		t.Errorf("turn times: got last %v, max %v, total %v, want 36ms, 36ms, 66ms", l.stats.Last, l.stats.Max, l.stats.Total)
	}
}

func TestQuantile(t *testing.T) {
	var s Stats
	if got := s.Quantile(0.5); got != 0 {
		t.Errorf("without turns: got %v, want 0", got)
	}
	for range 99 {
		s.turn(1, 1000)
	}
	s.turn(1, 1_000_000)
	for _, c := range []struct {
		share float64
		want  time.Duration
	}{{0, 1024}, {0.5, 1024}, {0.99, 1024}, {0.999, 1_000_000}, {1, 1_000_000}} {
		if got := s.Quantile(c.share); got != c.want {
			t.Errorf("Quantile(%v): got %d ns, want %d", c.share, got, c.want)
		}
	}
	s.turn(0, 1<<62)
	if s.Hist[len(s.Hist)-1] != 1 {
		t.Error("a turn of a hundred years is not in the last class")
	}
}
