package loop

import "time"

// Runner is called at the end of a turn.
type Runner interface {
	// RunTask is called once per Defer. The task may be deferred again at once. A Runner that has a
	// Label() string is named by it in reports, others by their type.
	RunTask(now time.Duration)
}

// Task is a place in the queue of what is to be done at the end of the turn. It is embedded in the
// object that asks; the zero value is not queued.
type Task struct {
	r    Runner
	pos  int32 // place in the list, from 1; 0: not queued
	list uint8
}

// Queued says whether the task waits to be run.
func (t *Task) Queued() bool { return t.pos != 0 }

// Defer has r called once at the end of this turn, in the order of asking; asked while tasks run or
// between turns, at the end of the next. Deferring a queued task does nothing.
func (l *Loop) Defer(t *Task, r Runner) {
	if t.pos != 0 {
		return
	}
	q := &l.tasks[l.filled]
	q.add(t)
	t.r, t.pos, t.list = r, int32(len(q.items)), l.filled
}

// Undefer takes the task out of the queue. It does nothing when it is not queued.
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
		// An owner that was wiped for its next life has taken its task out by that.
		if t == nil || int(t.pos) != i+1 || t.list != list {
			continue
		}
		r := t.r
		t.r, t.pos = nil, 0
		l.active.kind, l.active.runner = activeRunner, r
		r.RunTask(l.now)
		l.lap()
	}
	l.active.runner = nil
	q.reset()
}
