package loop

import (
	"sync"
	"sync/atomic"
)

// inbox receives functions from other goroutines.
type inbox struct {
	full   atomic.Bool // functions may be queued, or the loop must check its flags
	mu     sync.Mutex
	closed bool
	in     queue[func()] // under mu
	out    queue[func()] // the loop's
}

// Post calls f on the loop's goroutine, in the order of posting, in this turn or the next. It may be called from any
// goroutine. A function that is posted by a posted function runs in the next turn. On ErrClosed or ErrPoisoned f is
// never called; nor is it if the loop never runs another turn.
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
		l.sys.Wake() // under the lock, so that Close cannot close the descriptor first
	}
	return nil
}

// alert makes the present or next wait return, so that the loop checks its flags.
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

// close refuses further functions and drops the queued ones. It returns false if the inbox was closed before.
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
		l.checkSlow()
	}
	l.active.posted = nil
	b.out.reset()
}

// Offload runs job, which may block, outside the loop's thread, and later calls done with its error on the loop's
// goroutine. done may be nil. After Close neither is called. The errors are those of Post.
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
