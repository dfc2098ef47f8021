package ss

import (
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/raw"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// rawClient carries a client stream over a connection without framing.
type rawClient struct {
	connectionDefaults
	o *direct
	c *rawConn // nil between connections
}

// forget implements binding: a raw attempt has no state.
func (a *rawClient) forget() {}

func (a *rawClient) begin(t *target) {
	c := &rawConn{pipe: rawPipe{h: a.o.h}, binding: a}
	var low roles.Lower = &c.w
	var up roles.Upper = &c.pipe
	if t.secure != nil {
		s := new(tls.Session)
		s.InitClient(t.secure, &c.w)
		s.SetUpper(up)
		low, up = s, s
	}
	c.pipe.Init(low, c)
	a.c = c
	a.flow(a.o.h.flags&isPaused != 0)
	a.o.h.rt.net.Dial(&c.w, t.dial, up, a.o.dialOptions())
}

func (a *rawClient) requestTx() {
	if a.c != nil && a.o.phase == phaseUp {
		a.c.pipe.WantWrite()
	}
}

func (a *rawClient) flow(paused bool) {
	if a.c != nil {
		a.c.pipe.flow(paused)
	}
}

func (a *rawClient) drop() {
	if c := a.c; c != nil {
		a.c, c.binding = nil, nil
		c.pipe.release()
	}
}

func (a *rawClient) outcome(cause error) (told error, again bool) { return cause, true }

// overdue implements binding: a raw attempt has no timer of its own.
func (a *rawClient) overdue(time.Duration) {}

func (a *rawClient) attemptFailed()        {}
func (a *rawClient) settlePayload(*Handle) {}
func (a *rawClient) peerEnded() bool       { return a.c != nil && a.c.pipe.peerEnded() }

func (a *rawClient) send(_ *Handle, b []byte, _ Flags) (n int, err error) {
	if a.c == nil || a.o.phase != phaseUp {
		return 0, ErrNotConnected
	}
	return a.c.pipe.send(b)
}

func (a *rawClient) tlsState() (s tls.State, ok bool) {
	if a.c == nil {
		return s, false
	}
	return stateOf(a.c.pipe.Lower)
}

func (a *rawClient) wsi() *wsi.Wsi {
	if a.c == nil {
		return nil
	}
	return &a.c.w
}

func (a *rawClient) protocol() (policy.Protocol, bool) { return policy.Raw, a.c != nil }

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
	binding *rawClient // nil once dropped
}

var _ raw.Handler = (*rawConn)(nil)

// Label returns the name of the stream for reports.
func (c *rawConn) Label() string { return c.pipe.h.Label() }

// Opened implements raw.Handler: raw is established with its connection.
func (c *rawConn) Opened(*raw.Conn) {
	a := c.binding
	if a == nil {
		return
	}
	c.w.Established()
	a.o.perfUp()
	if !a.o.reportPerf() {
		return
	}
	a.o.connected()
	if c.binding != nil && c.pipe.h.flags&txWanted != 0 {
		c.pipe.WantWrite()
	}
}

// Rx implements raw.Handler.
func (c *rawConn) Rx(_ *raw.Conn, b []byte) {
	if c.binding != nil {
		c.pipe.h.rx(b, 0)
	}
}

// RxEnd implements raw.Handler.
func (c *rawConn) RxEnd(*raw.Conn) {
	if c.binding != nil {
		c.pipe.rxEnd()
	}
}

// Writable implements raw.Handler.
func (c *rawConn) Writable(*raw.Conn) {
	if c.binding != nil {
		c.pipe.writable()
	}
}

// Closed implements raw.Handler.
func (c *rawConn) Closed(_ *raw.Conn, cause error) {
	a := c.binding
	if a == nil {
		return
	}
	a.c, c.binding = nil, nil
	if a.o.phase == phaseAttempt {
		a.o.failed(cause, 0)
		return
	}
	how := endCut
	if cause == nil {
		how = endClosed
	}
	a.o.lost(cause, how)
}
