package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi"
)

// rawClient carries a client stream over a connection without framing.
type rawClient struct {
	o *onward
	c *rawConn // nil between connections
}

func (a *rawClient) begin(t *target) {
	c := &rawConn{pipe: rawPipe{h: a.o.h}, carrier: a}
	c.pipe.low = &c.w
	a.c = c
	a.flow(a.o.h.flags&isPaused != 0)
	a.o.h.rt.net.Dial(&c.w, t.dial, c, a.o.dialOptions())
}

func (a *rawClient) requestTx() {
	if a.c != nil && a.o.phase == phaseUp {
		a.c.w.WantWrite()
	}
}

func (a *rawClient) flow(paused bool) {
	switch {
	case a.c == nil:
	case paused:
		a.c.w.Pause()
	default:
		a.c.w.Resume()
	}
}

func (a *rawClient) drop() {
	if c := a.c; c != nil {
		a.c, c.carrier = nil, nil
		c.w.Resume()
		c.w.Close(roles.Graceful, nil)
	}
}

func (a *rawClient) describe() string {
	if a.c == nil {
		return "no connection"
	}
	return a.c.w.Label()
}

// rawConn is one connection of a rawClient.
type rawConn struct {
	w       wsi.Wsi
	pipe    rawPipe
	carrier *rawClient // nil once dropped
}

var _ roles.Upper = (*rawConn)(nil)

// Label names the stream in reports.
func (c *rawConn) Label() string { return c.pipe.h.Label() }

// Opened is roles.Upper's: raw stands as soon as its connection does.
func (c *rawConn) Opened(time.Duration) {
	a := c.carrier
	if a == nil {
		return
	}
	c.w.Established()
	a.o.connected()
	if c.carrier != nil && c.pipe.h.flags&txWanted != 0 {
		c.w.WantWrite()
	}
}

// Rx is roles.Upper's.
func (c *rawConn) Rx(_ time.Duration, b []byte) int {
	if c.carrier != nil {
		c.pipe.rx(b)
	}
	return len(b)
}

// RxEnd is roles.Upper's.
func (c *rawConn) RxEnd(time.Duration, int) { c.pipe.rxEnd() }

// Writable is roles.Upper's.
func (c *rawConn) Writable(time.Duration) {
	if c.carrier != nil {
		c.pipe.writable()
	}
}

// Deadline is roles.Upper's: raw has none.
func (c *rawConn) Deadline() time.Duration { return 0 }

// Timeout is roles.Upper's.
func (c *rawConn) Timeout(time.Duration) {}

// Closed is roles.Upper's.
func (c *rawConn) Closed(cause error) {
	a := c.carrier
	if a == nil {
		return
	}
	a.c, c.carrier = nil, nil
	if a.o.phase == phaseAttempt {
		a.o.failed(cause, 0)
		return
	}
	a.o.lost(cause, true)
}
