package dial

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

var (
	ipA = netip.MustParseAddr("10.0.0.1")
	ipB = netip.MustParseAddr("10.0.0.2")
)

// world is a loop on host b, and a host without a loop, named "a", that listens where a test wants.
type world struct {
	t    *testing.T
	n    *sim.Network
	a, b *sim.Host
	loop *loop.Loop
}

func newWorld(t *testing.T, o sim.Options) *world {
	n := sim.New(1, o)
	wd := &world{t: t, n: n, a: n.Host("a", ipA), b: n.Host("b", ipB)}
	wd.loop = loop.New(wd.b, loop.Config{})
	return wd
}

// pass advances the time by d and runs the loop's turns.
func (wd *world) pass(d time.Duration) {
	wd.t.Helper()
	end := wd.n.Now() + d
	err := wd.n.Run(func() bool { return false }, d, wd.loop)
	switch {
	case errors.Is(err, sim.ErrDeadlock):
		wd.n.Advance(end - wd.n.Now())
	case !errors.Is(err, sim.ErrLimit):
		wd.t.Fatalf("after %v: %v", d, err)
	}
}

// wantEmpty fails unless the dial has freed all its resources.
func (wd *world) wantEmpty() {
	wd.t.Helper()
	if s := wd.loop.Stats(); s.Timers != 0 || s.Sources != 0 || len(wd.b.Open()) != 0 {
		wd.t.Errorf("at the end: got %d timers, %d sources, descriptors %q; want none", s.Timers, s.Sources, wd.b.Open())
	}
}

// owner records the outcome of its dial.
type owner struct {
	Dial
	wd  *world
	src loop.Source
	log []string
}

func (o *owner) Connected(_ time.Duration, ready loop.Ready) bool {
	o.log = append(o.log, fmt.Sprintf("connected %v, writable %v", o.Take(&o.src, o), ready&loop.Writable != 0))
	return false
}

func (o *owner) DialFailed(err *Error) {
	o.log = append(o.log, fmt.Sprintf("failed: %v, timed out %v", err, o.TimedOut()))
}

func (o *owner) Ready(_ time.Duration, r loop.Ready) bool {
	o.log = append(o.log, fmt.Sprintf("ready %d", r))
	return false
}

func (o *owner) Label() string { return "a test's dial" }

// fixed is a Resolver that returns the same addresses immediately.
type fixed []netip.Addr

func (f fixed) Resolve(_ string, done func([]netip.Addr, error)) func() { done(f, nil); return nil }
