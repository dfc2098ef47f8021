package ss_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// turning is a runtime on a loop of the real kernel, which another goroutine runs until the test ends.
func turning(t *testing.T) (rt *ss.Runtime, stop func()) {
	t.Helper()
	p, err := policy.Parse([]byte(timerPolicy))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Skip(err)
	}
	l := loop.New(sys, loop.Config{})
	if rt, err = ss.New(ss.Config{Loop: l, Policy: p, CheckThread: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { recover() }() // of TestDoPanics
		l.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-over
		l.Close()
	})
	t.Cleanup(stop)
	return rt, stop
}

// Many goroutines use one runtime without a data race, and the calls of each keep their order.
func TestDo(t *testing.T) {
	rt, _ := turning(t)
	const goroutines, each = 8, 200
	sum, last := 0, make([]int, goroutines)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := 1; i <= each; i++ {
				before := 0
				if err := rt.Do(t.Context(), func() {
					before, last[g] = last[g], i
					sum++
				}); err != nil || before != i-1 {
					t.Errorf("call %d of goroutine %d: got %v after call %d, want nil after %d", i, g, err, before, i-1)
					return
				}
			}
		})
	}
	all.Wait()
	if got := sum; got != goroutines*each {
		t.Errorf("got %d calls, want %d", got, goroutines*each)
	}
}

// If ctx ends first, f is never called; if f has started, Do waits for it.
func TestDoAndItsContext(t *testing.T) {
	rt, _ := turning(t)
	busy, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		first <- rt.Do(ctx, func() {
			close(busy)
			<-goOn
		})
	}()
	<-busy
	short, cancelShort := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelShort()
	called := false
	if err := rt.Do(short, func() { called = true }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do behind a function that blocks: got %v, want the context's error", err)
	}
	cancel()
	select {
	case err := <-first:
		t.Errorf("Do returned %v while its function runs", err)
	case <-time.After(10 * time.Millisecond):
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Errorf("Do whose context ended while its function ran: got %v, want nil", err)
	}
	if err := rt.Do(ctx, func() { called = true }); !errors.Is(err, context.Canceled) {
		t.Errorf("Do with a context that is done: got %v, want context.Canceled", err)
	}
	if err := rt.Do(context.Background(), func() {}); err != nil || called {
		t.Errorf("Do at the end: got %v, a dropped function was called: %v; want nil, false", err, called)
	}
}

// Do returns ErrClosed if the loop is closed, before or during the wait.
func TestDoOnAClosedLoop(t *testing.T) {
	rt, stop := turning(t)
	busy := make(chan struct{})
	if err := rt.Loop().Post(func() {
		close(busy)
		time.Sleep(20 * time.Millisecond)
		rt.Loop().Stop()
	}); err != nil {
		t.Fatal(err)
	}
	<-busy
	waiting := make(chan error)
	called := false
	go func() { waiting <- rt.Do(context.Background(), func() { called = true }) }()
	time.Sleep(10 * time.Millisecond)
	stop()
	if err := <-waiting; err == nil && !called || err != nil && (called || !errors.Is(err, ss.ErrClosed)) {
		t.Errorf("Do while the loop ends: got %v, called %v; want ErrClosed and false, or nil and true", err, called)
	}
	for range 2 {
		if err := rt.Do(context.Background(), func() {}); !errors.Is(err, ss.ErrClosed) || !errors.Is(err, loop.ErrClosed) {
			t.Errorf("Do on a closed loop: got %v, want ErrClosed of ss and of loop", err)
		}
	}
}

// After a panic in f this Do and later ones return ErrPoisoned.
func TestDoPanics(t *testing.T) {
	rt, _ := turning(t)
	for _, f := range []func(){func() { panic("the program's") }, func() {}} {
		if err := rt.Do(context.Background(), f); !errors.Is(err, loop.ErrPoisoned) {
			t.Errorf("Do: got %v, want loop.ErrPoisoned", err)
		}
	}
}

// On the loop's own goroutine Do returns an error instead of a deadlock.
func TestDoInACallback(t *testing.T) {
	rt, _ := turning(t)
	var inner error
	if err := rt.Do(t.Context(), func() { inner = rt.Do(context.Background(), func() {}) }); err != nil {
		t.Fatal(err)
	}
	if !rt.Loop().IsDriver() && inner == nil {
		t.Skip("the system does not name threads")
	}
	if !errors.Is(inner, loop.ErrNested) {
		t.Errorf("Do inside Do: got %v, want loop.ErrNested", inner)
	}
}
