package ss

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/millrace/millrace/loop"
)

// Do calls f on the loop's goroutine and returns nil when f has returned. Other goroutines use it to access a Handle
// or a Runtime: f may call any method, and the calls of one goroutine keep their order.
//
// An error means that f was not called and will not be: ctx is done (ctx.Err), the loop is closed (ErrClosed), or a
// callback panicked (loop.ErrPoisoned). The last one is also the error if f itself panics. Once f has started, Do
// waits for its end and ignores ctx. A closed runtime still calls f while its loop turns; if the loop neither turns
// nor is closed, Do waits until ctx is done.
//
// On the loop's own goroutine Do would deadlock. With Config.CheckThread it returns loop.ErrNested there.
func (r *Runtime) Do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return doError(err)
	}
	l := r.Loop()
	if l.IsDriver() {
		return doError(loop.ErrNested)
	}
	d := &posted{f: f, over: make(chan struct{})}
	if err := l.Post(d.call); err != nil {
		return doError(err)
	}
	var err error
	select {
	case <-d.over:
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.Done():
		if err = l.Poisoned(); err == nil {
			err = loop.ErrClosed
		}
	}
	if err != nil && d.state.CompareAndSwap(postedWaits, postedDropped) {
		return doError(err)
	}
	<-d.over
	if d.panicked {
		return doError(loop.ErrPoisoned)
	}
	return nil
}

func doError(err error) error {
	if errors.Is(err, loop.ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return fmt.Errorf("ss: Runtime.Do: %w", err)
}

// posted is a function passed to the loop.
type posted struct {
	f        func()
	state    atomic.Int32
	over     chan struct{} // closed when f has returned or panicked
	panicked bool          // written before over is closed
}

const (
	postedWaits   int32 = iota // f may still be called
	postedRuns                 // f was called
	postedDropped              // f is never called
)

func (p *posted) call() {
	if !p.state.CompareAndSwap(postedWaits, postedRuns) {
		return
	}
	p.panicked = true
	defer close(p.over)
	p.f()
	p.panicked = false
}
