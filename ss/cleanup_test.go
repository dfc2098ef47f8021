package ss_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

func TestCleanups(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	var got []string
	add := func(name string) func() { return func() { got = append(got, name) } }
	s := newScript()
	s.When(ss.Destroying, func(*ss.Handle) ss.Ret { got = append(got, "destroying"); return ss.OK })
	h := w.Create("t", s)
	var a, b, c, d, e, rt ss.Cleanup
	h.AddCleanup(&a, add("a"))
	h.AddCleanup(&b, add("b"))
	h.AddCleanup(&c, func() { // may register and remove
		got = append(got, "c")
		b.Remove()
		h.AddCleanup(&e, add("e"))
	})
	h.AddCleanup(&d, add("d"))
	d.Remove()
	d.Remove()
	h.AddCleanup(&a, add("a again"))
	w.Client.Runtime.AddCleanup(&rt, add("runtime"))
	h.Destroy()
	w.Settle()
	h.AddCleanup(&d, add("late"))
	w.Client.Runtime.Close()
	w.Client.Runtime.AddCleanup(&rt, add("late"))
	const want = "destroying, a again, c, e, late, runtime, late"
	if line := strings.Join(got, ", "); line != want {
		t.Errorf("calls\n  got  %s\n  want %s", line, want)
	}
}
