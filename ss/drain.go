package ss

import (
	"time"
)

// drainLook is how often a Drain looks whether the last connection has gone. Connections end without a
// word to us when their peer is slow to take its last bytes; nobody notices a hundredth of a second.
const drainLook = 10 * time.Millisecond

// Drain ends the runtime in an orderly way: listening sockets are closed, connections without a
// transaction too, and transactions that have begun are completed, with word to the peer that the
// connection ends with them. Raw streams and client streams are destroyed; what they committed is
// still sent. done is called, once, on the loop's goroutine, when no stream and no connection is left. The caller
// bounds the wait, and calls Close when its patience is over. No stream can be created any more.
func (r *Runtime) Drain(done func()) {
	if r.astray("Drain") || r.drain != nil {
		return
	}
	r.drain = &draining{rt: r, done: done}
	r.table.each(func(h *Handle) { h.be.drain(h) })
	r.http.pool.Close()
	r.cookies.Flush()
	r.loop.Defer(&r.task, r)
}

// Expired implements loop.Expirer.
func (d *draining) Expired(time.Duration) { d.rt.checkDrained() }

// Label implements loop.Expirer.
func (d *draining) Label() string { return "drain" }

// checkDrained looks whether a Drain is over.
func (r *Runtime) checkDrained() {
	d := r.drain
	if d == nil || d.done == nil {
		return
	}
	switch {
	case r.table.live > r.table.servers:
	case r.table.live > 0:
		r.table.each(func(h *Handle) { h.Destroy() })
	case r.net.Open() == 0 && r.cookies.Kept():
		r.loop.Disarm(&d.timer)
		done := d.done
		d.done = nil
		done()
		return
	}
	if !d.timer.Armed() {
		r.loop.Arm(&d.timer, r.loop.Now()+drainLook, d)
	}
}
