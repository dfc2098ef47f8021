package ss

// Cleanup is a call at the end of a stream or a runtime: see Handle.AddCleanup and Runtime.AddCleanup. Embed it in
// the object that needs the call, so that registration does not allocate; the zero value is not registered. Do not
// copy it while it is registered.
type Cleanup struct {
	run        func()
	in         cleanups // nil: not registered
	owner      any
	prev, next *Cleanup
}

// cleanups are the latest Cleanup of each owner: a *Handle, or the *Runtime.
type cleanups map[any]*Cleanup

// add registers c before the other calls of its owner.
func (l cleanups) add(c *Cleanup, owner any, f func()) {
	c.run, c.in, c.owner, c.next = f, l, owner, l[owner]
	if c.next != nil {
		c.next.prev = c
	}
	l[owner] = c
}

// run makes the calls of one owner.
func (l cleanups) run(owner any) {
	for c := l[owner]; c != nil; c = l[owner] {
		f := c.run
		c.Remove()
		f()
	}
}

// Remove cancels the call. On a Cleanup that is not registered it does nothing.
func (c *Cleanup) Remove() {
	if c.in == nil {
		return
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case c.next != nil:
		c.in[c.owner] = c.next
	default:
		delete(c.in, c.owner)
	}
	*c = Cleanup{}
}
