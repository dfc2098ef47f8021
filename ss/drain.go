package ss

import (
	"time"
)

// drainLook is the interval at which a Drain checks whether the last connection is gone. A connection whose peer is
// slow to read the last bytes ends without a call to the runtime.
const drainLook = 10 * time.Millisecond

// Drain ends the runtime in order: it closes listening sockets and connections without a transaction, and completes
// started transactions, and announces the end of the connection with them. Raw streams and client streams are destroyed;
// what they committed is still sent. done is called once, on the loop's goroutine, when no stream and no connection
// is left. The caller limits the wait, and calls Close when it is over. Create fails from now on.
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

// checkDrained checks whether a Drain is complete.
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
