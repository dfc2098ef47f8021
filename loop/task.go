package loop

import "time"

// Runner is called at the end of a turn.
type Runner interface {
	// RunTask is called once per Defer. The task may be deferred again at once. If the Runner has a method Label()
	// string, reports name it by that, otherwise by its type.
	RunTask(now time.Duration)
}

// Task is an entry in the queue of runners for the end of the turn. It is embedded in the object that defers it; the
// zero value is not queued.
type Task struct {
	r    Runner
	pos  int32 // position in the list, from 1; 0: not queued
	list uint8
}

// Queued reports whether the task waits to run.
func (t *Task) Queued() bool { return t.pos != 0 }

// Defer calls r once at the end of this turn, in the order of the calls of Defer. If it is called while tasks run or
// between turns, r runs at the end of the next turn. Defer of a queued task has no effect.
func (l *Loop) Defer(t *Task, r Runner) {
	if t.pos != 0 {
		return
	}
	q := &l.tasks[l.filled]
	q.add(t)
	t.r, t.pos, t.list = r, int32(len(q.items)), l.filled
}

// Undefer removes the task from the queue. It has no effect on a task that is not queued.
func (l *Loop) Undefer(t *Task) {
	if t.pos != 0 {
		l.tasks[t.list].items[t.pos-1] = nil
		t.r, t.pos = nil, 0
	}
}

func (l *Loop) runTasks() {
	list := l.filled
	q := &l.tasks[list]
	if len(q.items) == 0 {
		return
	}
	l.filled ^= 1
	for i, t := range q.items {
		// Reset of the owner to its zero value also removes its task from the queue.
		if t == nil || int(t.pos) != i+1 || t.list != list {
			continue
		}
		r := t.r
		t.r, t.pos = nil, 0
		l.active.kind, l.active.runner = activeRunner, r
		r.RunTask(l.now)
		l.checkSlow()
	}
	l.active.runner = nil
	q.reset()
}
