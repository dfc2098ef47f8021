package loop

import (
	"testing"
	"time"
)

// BenchmarkTimers works among a million armed timers.
func BenchmarkTimers(b *testing.B) {
	const n = 1_000_000
	l := New(&fakeSystem{now: 1}, Config{Slow: -1})
	timers := make([]quiet, n)
	at := func(i int) time.Duration { return time.Hour + time.Duration(uint64(i)*0x9e3779b97f4a7c15>>34) }
	for i := range timers {
		l.Arm(&timers[i].Timer, at(i), &timers[i])
	}
	b.Run("later", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			q := &timers[i*7919%n]
			l.Arm(&q.Timer, q.At()+1, q)
		}
	})
	b.Run("earlier", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			q := &timers[i*7919%n]
			l.Arm(&q.Timer, at(i)-30*time.Minute, q)
		}
	})
	b.Run("cancel and arm", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			q := &timers[i*7919%n]
			l.Disarm(&q.Timer)
			l.Arm(&q.Timer, at(i), q)
		}
	})
}
