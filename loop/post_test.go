package loop

import (
	"context"
	"testing"
)

// Done is closed by Close and by a panic, once.
func TestDone(t *testing.T) {
	over := func(l *Loop) bool {
		select {
		case <-l.Done():
			return true
		default:
			return false
		}
	}
	l := New(&fakeSystem{now: 1}, Config{})
	if err := l.Service(); err != nil || over(l) {
		t.Fatalf("after a turn: Service %v, done %v; want nil, false", err, over(l))
	}
	if err := l.Close(); err != nil || !over(l) {
		t.Errorf("Close: got %v, done %v; want nil, true", err, over(l))
	}
	l = New(&fakeSystem{now: 1}, Config{})
	l.Post(func() { panic("a callback's") })
	func() {
		defer func() { recover() }()
		l.Service()
	}()
	if l.Poisoned() == nil || !over(l) {
		t.Errorf("after a panic: poisoned %v, done %v; want an error, true", l.Poisoned(), over(l))
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close after a panic: got %v, want nil", err)
	}
}

// IsDriver is true on the thread that drives the loop, if the loop watches it, and nowhere else.
func TestIsDriver(t *testing.T) {
	for _, watch := range []bool{true, false} {
		l := New(&fakeSystem{now: 1}, Config{})
		if watch {
			l.WatchThread()
		}
		before, inside := l.IsDriver(), false
		ctx, cancel := context.WithCancel(context.Background())
		l.Post(func() {
			inside = l.IsDriver()
			cancel()
		})
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := watch && threadID() != 0; before || inside != want || l.IsDriver() {
			t.Errorf("watched %v: IsDriver before Run %v, during Run %v, after %v; want false, %v, false", watch, before, inside, l.IsDriver(), want)
		}
	}
}

// A loop that is awake is not woken.
func TestPostWakesOnlyASleepingLoop(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	l.Post(func() {
		f.woken.Store(false)
		l.Post(func() {})
		if f.woken.Load() {
			t.Error("Post from a callback woke the loop: an unnecessary system call")
		}
	})
	if err := l.turn(0); err != nil {
		t.Fatal(err)
	}
	if err := l.Service(); err != nil {
		t.Fatal(err)
	}
	f.woken.Store(false)
	l.Post(func() {})
	if !f.woken.Load() {
		t.Error("Post between two Services did not wake the loop: an outer loop that polls FD would miss it")
	}
}

func BenchmarkPost(b *testing.B) {
	l := New(&fakeSystem{now: 1}, Config{Slow: -1})
	n := 0
	f := func() { n++ }
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Post(f)
		if i%64 == 63 {
			l.turn(0)
		}
	}
}

// BenchmarkPostWakes measures the round trip from another goroutine through a sleeping loop.
func BenchmarkPostWakes(b *testing.B) {
	sys, err := NewSystem()
	if err != nil {
		b.Skip(err)
	}
	l := New(sys, Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(context.Background())
	}()
	answered := make(chan struct{}, 1)
	f := func() { answered <- struct{}{} }
	b.ReportAllocs()
	for b.Loop() {
		l.Post(f)
		<-answered
	}
	l.Stop()
	<-done
	l.Close()
}
