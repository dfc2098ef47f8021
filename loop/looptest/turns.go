package looptest

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/loop"
)

var turnScenarios = []scenario{
	{name: "the order of a turn", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("after")() }})
		h, _ := r.hand("hand")
		h.does = func(loop.Ready) bool { tr.say("ready")(); return false }
		a := &alarm{r: r, name: "alarm", does: tr.say("timer")}
		c := &chore{r: r, name: "chore", does: tr.say("task")}
		tr = nil
		l.Defer(&c.Task, c)
		l.Kick(&h.Source)
		l.Arm(&a.Timer, l.Now(), a)
		l.Post(tr.say("posted"))
		r.turns(1)
		tr.want(r, "posted timer ready task after")
	}},
	{name: "posted functions run in order, and the functions that they post in the next turn", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("|")() }})
		l.Post(func() {
			tr.say("1")()
			l.Post(tr.say("4"))
		})
		l.Post(tr.say("2"))
		l.Post(tr.say("3"))
		r.until("4 has run", func() bool { return strings.Contains(strings.Join(tr, ""), "4") })
		tr.want(r, "1 2 3 | 4 |")
	}},
	{name: "requests of a posted function are served in the same turn", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("|")() }})
		h, _ := r.hand("hand")
		h.does = func(loop.Ready) bool { tr.say("ready")(); return false }
		a := &alarm{r: r, name: "alarm", does: tr.say("timer")}
		c := &chore{r: r, name: "chore", does: tr.say("task")}
		tr = nil
		l.Post(func() {
			l.Kick(&h.Source)
			l.Defer(&c.Task, c)
			l.Arm(&a.Timer, 0, a)
		})
		r.turns(1)
		tr.want(r, "timer ready task |")
	}},
	{name: "kicks", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("|")() }})
		a, _ := r.hand("a")
		b, _ := r.hand("b")
		c := &chore{r: r, name: "chore", does: func() { l.Kick(&b.Source) }}
		a.does = func(loop.Ready) bool {
			tr.say("a")()
			if a.calls == 1 {
				l.Kick(&a.Source) // itself: next turn
				l.Kick(&b.Source) // not called yet: this turn
				l.Defer(&c.Task, c)
			}
			return false
		}
		b.does = func(loop.Ready) bool {
			tr.say("b")()
			if b.calls == 1 {
				l.Kick(&a.Source) // has run
			}
			return false
		}
		tr = nil
		l.Kick(&a.Source)
		l.Kick(&a.Source) // once is enough
		r.turns(3)
		tr.want(r, "a b | a b | |")
		if a.last != 0 || b.last != 0 {
			r.Errorf("kicked sources got readiness: a %s, b %s, want none", readyString(a.last), readyString(b.last))
		}
	}},
	{name: "a source that wants to be called again", run: func(r *rig) {
		r.newLoop(loop.Config{})
		h, _ := r.hand("hand")
		h.does = func(loop.Ready) bool { return h.calls < 5 }
		r.l.Kick(&h.Source)
		r.turns(2)
		if h.calls != 2 {
			r.Errorf("after two turns: got %d calls, want 2", h.calls)
		}
		if got := r.l.Timeout(); got != 0 {
			r.Errorf("Timeout while a source wants to be called again: got %v, want 0", got)
		}
		r.turns(6)
		if h.calls != 5 {
			r.Errorf("at the end: got %d calls, want 5", h.calls)
		}
	}},
	{name: "readiness is merged into one call", run: func(r *rig) {
		r.newLoop(loop.Config{})
		h, peer := r.hand("hand")
		r.sys.Write(peer, []byte("hi"))
		r.sys.CloseWrite(peer)
		r.l.Kick(&h.Source)
		var all loop.Ready
		h.does = func(n loop.Ready) bool { all |= n; return false }
		r.until("HangUp was received", func() bool { return all&loop.HangUp != 0 })
		if h.calls > 3 || all&loop.Readable == 0 {
			r.Errorf("got %d calls with %s, want at most 3 with RH", h.calls, readyString(all))
		}
	}},
	{name: "tasks", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("|")() }})
		a := &chore{r: r, name: "a"}
		b := &chore{r: r, name: "b", does: tr.say("b")}
		c := &chore{r: r, name: "c", does: tr.say("c")}
		d := &chore{r: r, name: "d", off: true}
		a.does = func() {
			tr.say("a")()
			if a.runs == 1 {
				l.Defer(&a.Task, a) // next turn
				l.Undefer(&c.Task)  // not at all
				l.Defer(&c.Task, c) // next turn, then
			}
		}
		l.Defer(&a.Task, a)
		l.Defer(&d.Task, d)
		l.Defer(&b.Task, b)
		l.Defer(&b.Task, b)
		l.Defer(&c.Task, c)
		l.Undefer(&d.Task)
		l.Undefer(&d.Task)
		r.turns(3)
		tr.want(r, "a b | a c | |")
	}},
	{name: "accepts and handshakes are bounded per turn", run: func(r *rig) {
		l := r.newLoop(loop.Config{Accepts: 3, Handshakes: 2})
		for turn := range 3 {
			var accepts, handshakes int
			l.Post(func() {
				for l.TakeAccept() {
					accepts++
				}
				for l.TakeHandshake() {
					handshakes++
				}
			})
			r.turns(1)
			if accepts != 3 || handshakes != 2 {
				r.Errorf("turn %d: got %d accepts and %d handshakes, want 3 and 2", turn, accepts, handshakes)
			}
		}
	}},
	{name: "watching twice", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		h, peer := r.hand("hand")
		other := &hand{r: r, name: "other"}
		if err := l.Watch(&h.Source, peer, h); err == nil {
			r.Error("Watch of a watched source: got success")
		}
		if err := l.Watch(&other.Source, h.FD(), other); err == nil || !strings.Contains(err.Error(), "hand") {
			r.Errorf("Watch of a watched descriptor: got %v, want an error that names its owner", err)
		}
		if err := l.Watch(&other.Source, loop.NoFD, other); err == nil {
			r.Error("Watch of NoFD: got success")
		}
		if other.FD() != loop.NoFD || other.Watched() {
			r.Errorf("after failing: got fd %d, watched %v, want none", other.FD(), other.Watched())
		}
		fd := h.FD()
		r.unwatch(h)
		r.unwatch(h)
		if h.FD() != fd || h.Watched() || l.Stats().Sources != 0 {
			r.Errorf("after Unwatch: got fd %d, watched %v, %d sources, want %d, false, 0", h.FD(), h.Watched(), l.Stats().Sources, fd)
		}
		l.Kick(&h.Source)
		r.turns(2)
	}},
	{name: "offloaded work", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		fault := errors.New("it did not work")
		var got []error
		for i := range 20 {
			var err error
			if i%2 == 1 {
				err = fault
			}
			if e := l.Offload(func() error { return err }, func(err error) { got = append(got, err) }); e != nil {
				r.Fatalf("Offload: %v", e)
			}
		}
		if e := l.Offload(func() error { return nil }, nil); e != nil {
			r.Fatalf("Offload without done: %v", e)
		}
		r.until("all jobs have reported", func() bool { return len(got) == 20 })
		failed := 0
		for _, err := range got {
			if err == fault {
				failed++
			}
		}
		if failed != 10 {
			r.Errorf("got %d failures of 20, want 10", failed)
		}
	}},
	{name: "the account's levels", run: func(r *rig) {
		l := r.newLoop(loop.Config{Memory: 1000})
		var told []loop.Level
		l.Account().Watch(func(v loop.Level) { told = append(told, v) })
		steps := []struct {
			add  int
			want loop.Level
		}{
			{499, loop.LevelNormal}, {1, loop.LevelStopReading}, {-50, loop.LevelStopReading},
			{-50, loop.LevelStopReading}, {-1, loop.LevelNormal}, {351, loop.LevelStopAccepting},
			{-100, loop.LevelStopAccepting}, {-1, loop.LevelStopReading}, {351, loop.LevelCloseWorst},
			{-100, loop.LevelCloseWorst}, {-1, loop.LevelStopAccepting}, {-899, loop.LevelNormal},
		}
		for i, s := range steps {
			if s.add > 0 {
				l.Account().Charge(s.add)
			} else {
				l.Account().Release(-s.add)
			}
			if got := l.Account().Level(); got != s.want {
				r.Errorf("step %d, at %d of 1000 bytes: got level %q, want %q", i, l.Account().Used(), got, s.want)
			}
		}
		l.Account().Charge(600)
		r.turns(1)
		l.Account().Charge(400)
		l.Account().Release(400)
		l.Account().Release(600)
		r.turns(1)
		if len(told) != 2 || told[0] != loop.LevelStopReading || told[1] != loop.LevelNormal {
			r.Errorf("the watch was called with %q, want stop reading, then normal: once for each turn, with the level at its end", told)
		}
	}},
}
