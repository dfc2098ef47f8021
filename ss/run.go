package ss

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/loop"
)

// ErrNotDrained: the orderly end took longer than its limit, or was interrupted, and streams or connections were
// left. They were closed at once.
var ErrNotDrained = errors.New("ss: the runtime was not drained: streams or connections were left and were closed at once")

// defaultGrace is the limit for an orderly end when Config.Grace is 0.
const defaultGrace = 10 * time.Second

// Run runs a whole program: it makes a loop, unless c has one, and a runtime, creates the streams in order, and runs
// the loop until the end. The end starts when ctx is done, when all of these streams are destroyed, or with the first
// loop.Stop. Then the runtime is drained for at most c.Grace (Runtime.Shutdown), and Run returns. A second loop.Stop,
// or one during the drain, ends it at once.
//
// The error is nil after an orderly end, also when ctx was cancelled; ErrNotDrained if streams or connections were
// left; the error of Create if a stream could not be created; and otherwise the error of loop.Loop.Run, a
// *loop.PoisonedError after a panic in a callback. Run closes a loop that it made; the caller closes c.Loop. Without
// streams only ctx and loop.Stop end it.
func Run(ctx context.Context, c Config, streams ...Info) error {
	if c.Loop == nil {
		sys, err := loop.NewSystem()
		if err != nil {
			return err
		}
		c.Loop = loop.New(sys, loop.Config{})
		defer c.Loop.Close()
	}
	rt, err := New(c)
	if err != nil {
		return err
	}
	p := &program{runtime: rt, left: len(streams), atEnd: make([]Cleanup, len(streams)), grace: c.Grace}
	for i, s := range streams {
		h, err := rt.Create(s)
		if err != nil {
			return errors.Join(err, p.abandon())
		}
		h.AddCleanup(&p.atEnd[i], p.ended)
	}
	if ctx.Err() != nil {
		p.finish()
	}
	defer context.AfterFunc(ctx, func() { _ = c.Loop.Post(p.finish) })() // a closed loop has ended already
	if err = c.Loop.Run(context.Background()); err != nil {
		return err
	}
	if !p.ending { // the first Stop
		p.finish()
		if err = c.Loop.Run(context.Background()); err != nil {
			return err
		}
	}
	if !p.over {
		return errors.Join(ErrNotDrained, p.abandon())
	}
	return p.err
}

// program is the state of Run.
type program struct {
	runtime *Runtime
	grace   time.Duration
	left    int // streams of Run that are not destroyed
	atEnd   []Cleanup
	ending  bool
	over    bool
	err     error
}

// ended is called when one of the streams is destroyed.
func (p *program) ended() {
	if p.left--; p.left == 0 {
		p.finish()
	}
}

// finish starts the orderly end.
func (p *program) finish() {
	if p.ending {
		return
	}
	p.ending = true
	p.runtime.Shutdown(p.grace, func(err error) {
		p.over, p.err = true, err
		p.runtime.Loop().Stop()
	})
}

// abandon closes the runtime, and runs the loop until that is done.
func (p *program) abandon() error {
	p.ending = true
	l := p.runtime.Loop()
	if err := l.Post(func() {
		p.runtime.Close()
		l.Stop()
	}); err != nil {
		return err
	}
	return l.Run(context.Background())
}

// Shutdown drains the runtime (Drain) for at most grace, and then closes it. A grace of 0 means 10 s; a negative one
// closes at once. done is called on the loop's goroutine when the runtime is closed, with ErrNotDrained if streams or
// connections were left; the streams that are left receive DESTROYING in the same turn. Close completes a Shutdown at
// once. Shutdown is for programs with a loop of their own; others use Run. Do not call Drain as well.
func (r *Runtime) Shutdown(grace time.Duration, done func(error)) {
	if grace == 0 {
		grace = defaultGrace
	}
	s := &shutdown{r: r, done: done, err: ErrNotDrained}
	l := r.Loop()
	l.Arm(&s.node, l.System().Now()+max(grace, 0), s)
	r.AddCleanup(&s.atEnd, s.ended)
	if grace > 0 {
		r.Drain(func() { s.finish(nil) })
	}
}

// shutdown is a Shutdown in progress.
type shutdown struct {
	r     *Runtime
	node  loop.Timer
	atEnd Cleanup
	err   error       // for done
	done  func(error) // nil once called
}

// Expired implements loop.Expirer.
func (s *shutdown) Expired(time.Duration) { s.finish(ErrNotDrained) }

// Label implements loop.Expirer.
func (s *shutdown) Label() string { return "shutdown" }

// finish closes the runtime, which calls ended. Later calls do nothing.
func (s *shutdown) finish(err error) {
	if s.done == nil {
		return
	}
	if s.r.Len() == 0 && s.r.Net().Open() == 0 {
		err = nil
	}
	s.err = err
	s.r.Close()
}

// ended is called when finish or the program has closed the runtime.
func (s *shutdown) ended() {
	s.r.Loop().Disarm(&s.node)
	done := s.done
	s.done = nil
	done(s.err)
}
