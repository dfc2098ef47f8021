package loop

import (
	"sync"
	"sync/atomic"
)

// inbox is the one door for other goroutines.
type inbox struct {
	full   atomic.Bool // there may be something, or somebody wants the loop's attention
	mu     sync.Mutex
	closed bool
	in     queue[func()] // under mu
	out    queue[func()] // the loop's
}

// Post has f called on the loop's goroutine, in the order of posting, in this turn or soon. It may be
// called from any goroutine; a function posted by a posted one waits for the next turn. The error is
// ErrClosed or ErrPoisoned; then f will not be called. It is also not called when the loop never turns
// again.
func (l *Loop) Post(f func()) error {
	if p := l.poison.Load(); p != nil {
		return p
	}
	b := &l.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.in.add(f)
	b.full.Store(true)
	if l.asleep.Load() {
		l.sys.Wake() // under the lock: Close must not take the descriptor from under it
	}
	return nil
}

// alert makes a wait return, present or next, and the loop look around.
func (l *Loop) alert() {
	b := &l.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.full.Store(true)
		l.sys.Wake()
	}
}

func (b *inbox) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// close refuses what comes from now on and drops what is there. It is false when it was closed before.
func (b *inbox) close() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.closed
	b.closed = true
	b.in.reset()
	return !was
}

func (l *Loop) runPosted() {
	b := &l.inbox
	b.mu.Lock()
	b.full.Store(false)
	b.in, b.out = b.out, b.in
	b.mu.Unlock()
	for _, f := range b.out.items {
		l.active.kind, l.active.posted = activePosted, f
		f()
		l.lap()
	}
	l.active.posted = nil
	b.out.reset()
}

// Offload runs job, which may block, away from the loop's thread, and later calls done with its error
// on the loop's goroutine. done may be nil. After Close neither is called. Errors as for Post.
func (l *Loop) Offload(job func() error, done func(error)) error {
	if p := l.poison.Load(); p != nil {
		return p
	}
	if l.inbox.isClosed() {
		return ErrClosed
	}
	if done == nil {
		done = func(error) {}
	}
	l.sys.Offload(job, done, l.post)
	return nil
}
