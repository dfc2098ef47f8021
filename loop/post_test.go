package loop

import (
	"context"
	"testing"
)

// A loop that is awake need not be woken.
func TestPostWakesOnlyASleeper(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	l.Post(func() {
		f.woken = false
		l.Post(func() {})
		if f.woken {
			t.Error("Post from a callback woke the loop, which costs a system call for nothing")
		}
	})
	if err := l.turn(0); err != nil {
		t.Fatal(err)
	}
	if err := l.Service(); err != nil {
		t.Fatal(err)
	}
	f.woken = false
	l.Post(func() {})
	if !f.woken {
		t.Error("Post between two Services did not wake: an outer loop that polls FD would not hear of it")
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
