package looptest

import (
	"context"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
)

// hand is a watched descriptor of a scenario.
type hand struct {
	loop.Source
	r     *rig
	name  string
	calls int
	last  loop.Ready
	gone  bool // fail if it is called
	does  func(r loop.Ready) (again bool)
}

func (h *hand) Label() string { return h.name }

func (h *hand) Ready(now time.Duration, ready loop.Ready) bool {
	h.calls++
	h.last = ready
	if h.gone {
		h.r.Errorf("%s: Ready(%s) after it was unwatched", h.name, readyString(ready))
	}
	if now != h.r.l.Now() {
		h.r.Errorf("%s: Ready got the time %v, the turn's is %v", h.name, now, h.r.l.Now())
	}
	return h.does != nil && h.does(ready)
}

// alarm is a timer of a scenario.
type alarm struct {
	loop.Timer
	r    *rig
	name string
	off  bool // fail if it expires
	rang int
	does func()
}

func (a *alarm) Label() string { return a.name }

func (a *alarm) Expired(now time.Duration) {
	a.rang++
	if a.off {
		a.r.Errorf("%s expired after it was disarmed", a.name)
	}
	if now < a.At() {
		a.r.Errorf("%s expired at %v, before its time %v", a.name, now, a.At())
	}
	if a.Armed() {
		a.r.Errorf("%s is still armed while it expires", a.name)
	}
	if a.does != nil {
		a.does()
	}
}

// chore is a task of a scenario.
type chore struct {
	loop.Task
	r    *rig
	name string
	off  bool // fail if it runs
	runs int
	does func()
}

func (c *chore) Label() string { return c.name }

func (c *chore) RunTask(time.Duration) {
	c.runs++
	if c.off {
		c.r.Errorf("%s ran after it was undeferred", c.name)
	}
	if c.Queued() {
		c.r.Errorf("%s is still queued while it runs", c.name)
	}
	if c.does != nil {
		c.does()
	}
}

// newLoop makes the rig's loop.
func (r *rig) newLoop(c loop.Config) *loop.Loop {
	hook := c.AfterTurn
	c.AfterTurn = func() {
		if hook != nil {
			hook()
		}
		if r.after != nil {
			r.after()
		}
	}
	r.l = loop.New(r.sys, c)
	return r.l
}

// until runs the loop until the end of the turn in which cond becomes true.
func (r *rig) until(what string, cond func() bool) {
	r.Helper()
	late := &alarm{r: r, name: "the scenario's time limit", does: r.l.Stop}
	r.l.Arm(&late.Timer, r.sys.Now()+patience, late)
	r.after = func() {
		if cond() {
			r.l.Stop()
		}
	}
	if err := r.l.Run(context.Background()); err != nil {
		r.Fatalf("Run: %v", err)
	}
	r.after = nil
	r.l.Disarm(&late.Timer)
	if late.rang > 0 && !cond() {
		r.Fatalf("waited %v; never happened: %s", patience, what)
	}
}

// turns runs the loop for n turns that do not wait.
func (r *rig) turns(n int) {
	r.Helper()
	for done := 0; done < n; {
		nothing := func() {}
		if err := r.l.Post(nothing); err != nil {
			r.Fatalf("Post: %v", err)
		}
		r.until("the end of one turn", func() bool { done++; return true })
	}
}

// hand watches one end of a new connection, waits for its first event, and returns it with the other end.
func (r *rig) hand(name string) (*hand, loop.FD) {
	r.Helper()
	p := r.pair()
	r.sys.Remove(p.client.FD())
	r.sys.Remove(p.server.FD())
	h := &hand{r: r, name: name}
	r.watch(h, p.server.FD())
	r.until(name+" has received its present state", func() bool { return h.calls > 0 })
	if h.last&loop.Writable == 0 {
		r.Fatalf("%s: first event: got %s, want W", name, readyString(h.last))
	}
	h.calls = 0
	return h, p.client.FD()
}

func (r *rig) watch(h *hand, fd loop.FD) {
	r.Helper()
	if err := r.l.Watch(&h.Source, fd, h); err != nil {
		r.Fatalf("Watch fd %d: %v", fd, err)
	}
	h.gone = false
}

func (r *rig) unwatch(h *hand) {
	r.l.Unwatch(&h.Source)
	h.gone = true
}

// trace collects words to compare with a sentence.
type trace []string

func (t *trace) say(word string) func() { return func() { *t = append(*t, word) } }

func (t *trace) want(r *rig, sentence string) {
	r.Helper()
	if got := strings.Join(*t, " "); got != sentence {
		r.Errorf("got  %q\nwant %q", got, sentence)
	}
	*t = nil
}
