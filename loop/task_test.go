package loop

import "testing"

// The owner of a queued task may be reset to zero and used again before the turn ends.
func TestWipedTask(t *testing.T) {
	l := New(&fakeSystem{now: 1}, Config{})
	runs := ""
	var a, b funcs
	a.task = func() { runs += "a" }
	b.task = func() { runs += "b" }
	l.Defer(&a.Task, &a)
	l.Defer(&b.Task, &b)
	a.Task = Task{}
	l.Defer(&a.Task, &a) // queued again after the reset
	b.Task = Task{}
	if err := l.turn(0); err != nil {
		t.Fatal(err)
	}
	if runs != "a" {
		t.Errorf("got runs %q, want %q: once, for the second Defer", runs, "a")
	}
	if l.Timeout() != Forever {
		t.Errorf("Timeout: got %v, want Forever: nothing is queued", l.Timeout())
	}
}

func TestUndeferWhileTasksRun(t *testing.T) {
	l := New(&fakeSystem{now: 1}, Config{})
	runs := ""
	var a, b funcs
	a.task = func() {
		runs += "a"
		l.Undefer(&b.Task)
		if b.Queued() {
			t.Error("queued after Undefer")
		}
	}
	b.task = func() { runs += "b" }
	l.Defer(&a.Task, &a)
	l.Defer(&b.Task, &b)
	for range 2 {
		if err := l.turn(0); err != nil {
			t.Fatal(err)
		}
	}
	if runs != "a" {
		t.Errorf("got runs %q, want %q", runs, "a")
	}
}
