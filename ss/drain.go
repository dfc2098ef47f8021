package ss

// draining is a Drain under way.
type draining struct{ done func() }

// Drain ends the runtime in an orderly way: listening sockets are closed, connections without a
// transaction too, and transactions that have begun are completed, with word to the peer that the
// connection ends with them. Raw streams and client streams are destroyed; what they committed is
// still sent. done is called, once, on the loop's goroutine, when no stream and no connection is left. The caller
// bounds the wait, and calls Close when its patience is over.
func (r *Runtime) Drain(done func()) {
	if r.drain != nil {
		return
	}
	r.drain = &draining{done}
	r.table.each(func(h *Handle) {
		switch b := h.be.(type) {
		case *server:
			b.l.Close()
		case *acceptedHTTP:
			b.Server.Drain()
		default:
			h.Destroy()
		}
	})
	r.warm.closeAll()
	r.loop.Defer(&r.task, r)
}

// checkDrained looks whether a Drain is over.
func (r *Runtime) checkDrained() {
	d := r.drain
	if d == nil || d.done == nil {
		return
	}
	servers := 0
	r.table.each(func(h *Handle) {
		if _, ok := h.be.(*server); ok {
			servers++
		}
	})
	if r.table.live > servers {
		return
	}
	if servers > 0 {
		r.table.each(func(h *Handle) { h.Destroy() })
		return
	}
	if r.net.Open() == 0 {
		done := d.done
		d.done = nil
		done()
	}
}
