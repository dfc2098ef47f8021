package looptest

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/millrace/millrace/loop"
)

// panickers are the callbacks that can panic, with the label that the report must contain.
var panickers = []struct {
	name string
	who  string
	lay  func(r *rig, h *hand, boom func())
}{
	{"a posted function", "posted function", func(r *rig, h *hand, boom func()) { r.l.Post(boom) }},
	{"a timer", "alarm", func(r *rig, h *hand, boom func()) {
		a := &alarm{r: r, name: "alarm", does: boom}
		r.l.Arm(&a.Timer, 0, a)
	}},
	{"a ready source", "hand", func(r *rig, h *hand, boom func()) {
		h.does = func(loop.Ready) bool { boom(); return false }
		r.l.Kick(&h.Source)
	}},
	{"a task", "chore", func(r *rig, h *hand, boom func()) {
		c := &chore{r: r, name: "chore", does: boom}
		r.l.Defer(&c.Task, c)
	}},
	{"the after-turn hook", "after-turn", func(r *rig, h *hand, boom func()) { r.after = boom }},
	{"the end of offloaded work", "posted function", func(r *rig, h *hand, boom func()) {
		r.l.Offload(func() error { return nil }, func(error) { boom() })
	}},
	{"the account's hook", "account", func(r *rig, h *hand, boom func()) {
		r.l.Account().Watch(func(loop.Level) { boom() })
		r.l.Account().Charge(1 << 30)
	}},
}

var panicScenarios = buildPanics()

func buildPanics() (all []scenario) {
	for _, b := range panickers {
		all = append(all,
			scenario{name: "in " + b.name, run: func(r *rig) {
				r.newLoop(loop.Config{})
				h, _ := r.hand("hand")
				b.lay(r, h, func() { panic("boom") })
				func() {
					defer func() {
						if p := recover(); p != "boom" {
							r.Fatalf("Run: got panic %v, want the callback's own", p)
						}
					}()
					r.l.Run(context.Background())
				}()
				r.poisoned(b.who)
			}},
			scenario{name: "runtime.Goexit in " + b.name, threads: true, run: func(r *rig) {
				r.newLoop(loop.Config{})
				h, _ := r.hand("hand")
				b.lay(r, h, runtime.Goexit)
				done := make(chan struct{})
				go func() {
					defer close(done)
					r.l.Run(context.Background())
				}()
				<-done
				r.poisoned(b.who)
			}})
	}
	return all
}

// poisoned checks that every method fails with an error that names who.
func (r *rig) poisoned(who string) {
	r.Helper()
	calls := []struct {
		name string
		err  error
	}{
		{"Poisoned", r.l.Poisoned()},
		{"Run", r.l.Run(context.Background())},
		{"Service", r.l.Service()},
		{"Post", r.l.Post(func() { r.Error("a function posted to a poisoned loop was called") })},
		{"Offload", r.l.Offload(func() error { return nil }, nil)},
		{"Watch", r.l.Watch(new(loop.Source), 1<<20, &hand{})},
		{"Run", r.l.Run(context.Background())},
	}
	for _, c := range calls {
		var p *loop.PoisonedError
		if !errors.Is(c.err, loop.ErrPoisoned) || !errors.As(c.err, &p) || !strings.Contains(p.Who, who) {
			r.Errorf("%s: got %v, want a PoisonedError that names %q", c.name, c.err, who)
		}
	}
}
