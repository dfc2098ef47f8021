package wsi

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// flags is the state of a connection between calls.
type flags uint32

const (
	rdReady     flags = 1 << iota // the next read will return bytes, an end or an error
	wrReady                       // the socket accepts bytes, as far as we know
	hungUp                        // the peer's end was reported: read up to it
	ended                         // the peer's end was read
	endTold                       // RxEnd was called
	paused                        // no Rx
	wantWrite                     // upper waits for Writable
	serving                       // inside serve: output may be produced
	unopened                      // upper waits for Opened
	finAsked                      // CloseWrite was called
	finSent                       // our direction has ended
	outBroken                     // the socket accepts no more output; input may still contain the reason
	closing                       // Close was called
	closedTold                    // Closed was called
	stalledRx                     // not reading because memory is short
	writeFailed                   // a write failed, and not because the peer had ended in order
	gone                          // both directions are broken: nothing can be sent any more
	failed                        // gone because of a socket error: the input may be incomplete
	hangUpTold                    // HungUp was called
	corked                        // between Cork and Uncork, outside of its turn
	offered                       // Rx was called with all the stored input, and did not use it
	wantsWoken                    // upper waits for Woken
)

// Wsi is one connection. Net.Dial initialises it, or an Acceptor provides it, usually embedded in an object of its
// owner. It must not be copied, or used again after its end.
type Wsi struct {
	src                loop.Source
	timer              loop.Timer
	net                *Net
	upper              roles.Upper
	timeouts           *Timeouts
	*holding                         // memory of the connection; Net.none if it has none
	dial               *dialling     // nil once connected, and for accepted connections
	activityOrDeadline time.Duration // phaseOpen: when a byte last moved; otherwise the deadline, 0 for none
	bytesIn            uint64
	bytesOut           uint64
	cause              *reason // of its end; nil while there is none
	flags              flags
	phase              phase
	mode               roles.CloseMode
}

// reason is the cause of a connection's end. It is allocated only for connections that fail.
type reason struct{ err error }

// setCause replaces the close cause; nil clears it.
func (w *Wsi) setCause(err error) {
	w.cause = nil
	if err != nil {
		w.cause = &reason{err}
	}
}

// closeCause returns the close cause, or nil.
func (w *Wsi) closeCause() error {
	if w.cause == nil {
		return nil
	}
	return w.cause.err
}

// Net returns the Net of the connection.
func (w *Wsi) Net() *Net { return w.net }

// Label names the connection in reports: by the label of its protocol if it has one, with its phase and addresses.
func (w *Wsi) Label() string {
	who := "connection"
	if l, ok := w.upper.(roles.Labelled); ok {
		who = l.Label()
	}
	phase := w.phase.String()
	if w.dial != nil {
		phase = w.dial.State()
	}
	return fmt.Sprintf("%s (%s, %s)", who, w.Peer(), phase)
}

// Peer names the other end for reports: the target for a connection being dialled, otherwise the peer's address.
func (w *Wsi) Peer() string {
	if w.dial != nil {
		return w.dial.Target().String()
	}
	if a, ok := w.PeerAddr(); ok {
		return a.String()
	}
	return "unknown peer"
}

// PeerAddr returns the address of the peer. It asks the system, since a connection stores no copy. ok is false if
// there is no open connection, or the system no longer knows.
func (w *Wsi) PeerAddr() (a loop.Addr, ok bool) {
	if !w.src.Watched() {
		return a, false
	}
	return w.net.sys.PeerAddr(w.src.FD())
}

// PeerIP implements roles.Conn: see PeerAddr.
func (w *Wsi) PeerIP() netip.AddrPort {
	a, _ := w.PeerAddr()
	return a.IP
}

// LocalAddr returns our address: see PeerAddr.
func (w *Wsi) LocalAddr() (a loop.Addr, ok bool) {
	if !w.src.Watched() {
		return a, false
	}
	return w.net.sys.LocalAddr(w.src.FD())
}

// Moved returns when a byte last moved in either direction, or 0 if the connection is not established. While a broken
// connection waits for its Upper to resume, it returns the deadline of that wait.
func (w *Wsi) Moved() time.Duration {
	if w.phase != phaseOpen && w.phase != phaseUnread {
		return 0
	}
	return w.activityOrDeadline
}

// InputDue implements roles.Conn.
func (w *Wsi) InputDue() bool { return w.flags&rdReady != 0 || w.src.Due() }

// BytesIn returns the number of bytes read from the socket.
func (w *Wsi) BytesIn() uint64 { return w.bytesIn }

// BytesOut returns the number of bytes that the socket accepted.
func (w *Wsi) BytesOut() uint64 { return w.bytesOut }

// IsClosed reports whether the descriptor is closed, or the connection failed before there was one.
func (w *Wsi) IsClosed() bool { return w.phase == phaseClosed }

// SetOptions applies socket options to the open connection, as far as the platform supports them.
func (w *Wsi) SetOptions(o loop.SocketOptions) error {
	if !w.src.Watched() {
		return nil
	}
	return w.net.sys.SetOptions(w.src.FD(), o)
}

// Under returns the connection at the bottom of the layers of low, or nil if it is not one of this package.
func Under(low roles.Lower) *Wsi {
	w, _ := low.Info().Conn.(*Wsi)
	return w
}

// kick makes the loop serve the connection soon, unless it is being served.
func (w *Wsi) kick() {
	if w.flags&serving == 0 && w.src.Watched() {
		w.net.loop.Kick(&w.src)
	}
}
