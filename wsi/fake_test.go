package wsi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
)

// fake is an Upper that records its calls, checks the transport's contract, and runs its hooks. Without hooks it uses
// all input and sends the bytes given to send.
type fake struct {
	t    testing.TB
	name string
	w    *Wsi
	log  []string
	got  []byte // used by Rx
	out  []byte // to be sent by Writable
	now  time.Duration

	unestablished bool // Opened does not call Established
	deadline      time.Duration
	cause         error
	closed        int

	onOpened   func()
	onRx       func(b []byte) int
	onRxEnd    func(unused int)
	onWritable func()
	onTimeout  func()
	onWoken    func()
	onClosed   func()

	open, ended, inside bool
	unused              int // at the end of input
}

func newFake(t testing.TB, name string) *fake { return &fake{t: t, name: name, w: new(Wsi)} }

func (f *fake) Label() string { return f.name }

// enter records a call and checks the contract.
func (f *fake) enter(format string, args ...any) func() {
	call := fmt.Sprintf(format, args...)
	switch {
	case f.inside:
		f.t.Errorf("%s: %s inside another call", f.name, call)
	case f.closed > 0:
		f.t.Errorf("%s: %s after Closed: %q", f.name, call, f.log)
	case !f.open && call != "opened" && !strings.HasPrefix(call, "closed"):
		f.t.Errorf("%s: %s before Opened", f.name, call)
	case f.w.flags&paused != 0 && strings.HasPrefix(call, "rx"):
		f.t.Errorf("%s: %s while paused", f.name, call)
	}
	f.log = append(f.log, call)
	f.inside = true
	return func() { f.inside = false }
}

func (f *fake) Opened(now time.Duration) {
	defer f.enter("opened")()
	if f.open {
		f.t.Errorf("%s: Opened twice", f.name)
	}
	f.open, f.now = true, now
	if !f.unestablished {
		f.w.Established()
	}
	if f.onOpened != nil {
		f.onOpened()
	}
}

func (f *fake) Rx(now time.Duration, b []byte) int {
	defer f.enter("rx %s", short(b))()
	f.now = now
	if f.ended && len(b) > f.unused {
		f.t.Errorf("%s: Rx of %d bytes after RxEnd, which reported %d unused", f.name, len(b), f.unused)
	}
	used := len(b)
	if f.onRx != nil {
		used = f.onRx(b)
	}
	f.got = append(f.got, b[:used]...)
	return used
}

func (f *fake) RxEnd(now time.Duration, unused int) {
	defer f.enter("end %d", unused)()
	f.now, f.ended, f.unused = now, true, unused
	if f.onRxEnd != nil {
		f.onRxEnd(unused)
	}
}

func (f *fake) Writable(now time.Duration) {
	defer f.enter("writable")()
	f.now = now
	if f.onWritable != nil {
		f.onWritable()
		return
	}
	room := f.w.Room(roles.MaxRoom)
	if len(room) < roles.MaxRoom {
		f.t.Errorf("%s: room in Writable: got %d bytes, want at least %d", f.name, len(room), roles.MaxRoom)
		return
	}
	n := copy(room, f.out)
	f.w.Commit(n)
	if f.out = f.out[n:]; len(f.out) > 0 {
		f.w.WantWrite()
	}
}

func (f *fake) Deadline() time.Duration { return f.deadline }

func (f *fake) Timeout(now time.Duration) {
	defer f.enter("timeout")()
	f.now = now
	if f.deadline == 0 || now < f.deadline {
		f.t.Errorf("%s: Timeout at %v, want not before %v", f.name, now, f.deadline)
	}
	f.deadline = 0
	if f.onTimeout != nil {
		f.onTimeout()
	}
}

func (f *fake) Woken(now time.Duration) {
	defer f.enter("woken")()
	f.now = now
	if f.onWoken != nil {
		f.onWoken()
	}
}

func (f *fake) Closed(cause error) {
	defer f.enter("closed %v", cause)()
	f.cause = cause
	if f.onClosed != nil {
		f.onClosed()
	}
	f.closed++
}

// send queues text to be sent.
func (f *fake) send(text string) {
	f.out = append(f.out, text...)
	f.w.WantWrite()
}

// wantLog fails unless the calls since its last use were these, and clears the log.
func (f *fake) wantLog(want ...string) {
	f.t.Helper()
	if strings.Join(f.log, "; ") != strings.Join(want, "; ") {
		f.t.Errorf("%s: calls: got %q, want %q", f.name, f.log, want)
	}
	f.log = f.log[:0]
}

// wantClosed fails unless Closed was called once, with the cause want (nil: an orderly end).
func (f *fake) wantClosed(want error) {
	f.t.Helper()
	switch {
	case f.closed != 1:
		f.t.Errorf("%s: times closed: got %d, want 1; calls %q", f.name, f.closed, f.log)
	case want == nil && f.cause != nil, !errors.Is(f.cause, want):
		f.t.Errorf("%s: closed with: got %v, want %v", f.name, f.cause, want)
	}
}

func (f *fake) wantOpen() {
	f.t.Helper()
	if f.closed != 0 || !f.open {
		f.t.Fatalf("%s: got calls %q, want an open connection", f.name, f.log)
	}
}

// short returns b in quotes, or its length if it is long.
func short(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return fmt.Sprintf("%q", b)
}
