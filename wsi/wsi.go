package wsi

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// flags are what a connection remembers between calls.
type flags uint32

const (
	rdReady    flags = 1 << iota // the next read will tell something
	wrReady                      // the socket takes bytes, as far as we know
	hungUp                       // the peer's end is announced: read to it
	ended                        // the peer's end was read
	endTold                      // RxEnd was called
	paused                       // no Rx
	wantWrite                    // Writable is owed
	serving                      // inside serve: output may be produced
	unopened                     // upper waits for Opened
	finAsked                     // CloseWrite was called
	finSent                      // our direction is over
	outBroken                    // the socket takes no more, ever; input may still tell why
	closing                      // Close was called
	closedTold                   // Closed was called
	stalledRx                    // not reading because the memory account is high
	torn                         // writing failed, and not because the peer had ended in order
	gone                         // the connection is over in both directions: nothing can be sent any more
	failed                       // gone, and by a failure of the socket: what came may not be all
	hangUpTold                   // HungUp was called
	corked                       // between Cork and Uncork, outside of its turn
	offered                      // Rx was called with all of the input that is held, and left it
	wakes                        // Woken is owed
)

// Wsi is one connection. It is made by Net.Dial, or provided by an Acceptor, embedded in whatever
// object its owner keeps per connection; it must not be copied or used again after its end.
type Wsi struct {
	src      loop.Source
	timer    loop.Timer
	net      *Net
	upper    roles.Upper
	times    *Timeouts
	*holding               // what is held; Net.none as long as that is nothing
	dial     *dialling     // nil once connected, and for accepted connections
	clock    time.Duration // phaseOpen: when a byte last moved; else the deadline, 0 for none
	bytesIn  uint64
	bytesOut uint64
	cause    *reason // of its end; nil as long as nothing is wrong
	flags    flags
	phase    phase
	mode     roles.CloseMode
}

// reason is why a connection ends, out of the way of those that do not.
type reason struct{ err error }

// blame makes err, unless it is nil, the cause of the connection's end, in place of an earlier one.
func (w *Wsi) blame(err error) {
	w.cause = nil
	if err != nil {
		w.cause = &reason{err}
	}
}

// blamed is the cause of the connection's end, nil without one.
func (w *Wsi) blamed() error {
	if w.cause == nil {
		return nil
	}
	return w.cause.err
}

// Net is what the connection shares with others.
func (w *Wsi) Net() *Net { return w.net }

// Label names the connection in reports: what its protocol says of it if it says anything, and the
// phase and addresses.
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

// Peer names the other end for reports. For a dialled connection it is what was dialled.
func (w *Wsi) Peer() string {
	if w.dial != nil {
		return w.dial.Target().String()
	}
	if a, ok := w.PeerAddr(); ok {
		return a.String()
	}
	return "unknown peer"
}

// PeerAddr and LocalAddr are the addresses of the open connection's ends, asked from the system: a
// connection keeps no copy. ok is false when there is none, or the system no longer knows.
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

// LocalAddr is our end: see PeerAddr.
func (w *Wsi) LocalAddr() (a loop.Addr, ok bool) {
	if !w.src.Watched() {
		return a, false
	}
	return w.net.sys.LocalAddr(w.src.FD())
}

// Moved is when a byte last moved, in either direction, on an established connection; 0 on others. While a connection that
// is over waits for its Upper to resume, it is when that wait ends.
func (w *Wsi) Moved() time.Duration {
	if w.phase != phaseOpen && w.phase != phaseUnread {
		return 0
	}
	return w.clock
}

// InputDue implements roles.Conn.
func (w *Wsi) InputDue() bool { return w.flags&rdReady != 0 || w.src.Due() }

// BytesIn and BytesOut count what the socket gave and took.
func (w *Wsi) BytesIn() uint64 { return w.bytesIn }

// BytesOut counts what the socket took.
func (w *Wsi) BytesOut() uint64 { return w.bytesOut }

// IsClosed reports whether the descriptor has been given back (or there never was one, and never will
// be).
func (w *Wsi) IsClosed() bool { return w.phase == phaseClosed }

// Established implements roles.Conn: it ends Timeouts.Establish and begins Timeouts.Idle. From now on the loop serves the
// connection before those that do not stand yet.
func (w *Wsi) Established() {
	switch w.phase {
	case phaseOpening:
		w.net.loop.SetUnestablished(&w.src, false)
		w.move(phaseOpen)
		w.clock = w.net.loop.Now()
		if w.flags&serving == 0 {
			w.rearm()
		}
	case phaseUnread:
		w.net.loop.SetUnestablished(&w.src, false)
	}
}

// SetOptions applies socket options to the open connection, as far as the platform knows them.
func (w *Wsi) SetOptions(o loop.SocketOptions) error {
	if !w.src.Watched() {
		return nil
	}
	return w.net.sys.SetOptions(w.src.FD(), o)
}

// Pause implements roles.Lower.
func (w *Wsi) Pause() { w.flags |= paused }

// Resume implements roles.Lower.
func (w *Wsi) Resume() {
	if w.flags&paused != 0 {
		w.flags &^= paused
		w.kick()
	}
}

// WantWrite implements roles.Lower. After CloseWrite it asks for nothing.
func (w *Wsi) WantWrite() {
	if w.flags&(wantWrite|finAsked) == 0 {
		w.flags |= wantWrite
		w.kick()
	}
}

// Credit implements roles.Lower. A socket's window is the kernel's business.
func (w *Wsi) Credit(int) {}

// CloseWrite implements roles.Lower.
func (w *Wsi) CloseWrite() {
	w.flags = w.flags&^wantWrite | finAsked
	w.kick()
}

// Replace implements roles.Lower.
func (w *Wsi) Replace(u roles.Upper) {
	w.upper = u
	w.flags |= unopened
	w.flags &^= endTold | hangUpTold
	w.kick()
}

// Rearm implements roles.Lower.
func (w *Wsi) Rearm() {
	if w.flags&serving == 0 {
		w.rearm()
	}
}

// Wake implements roles.Lower.
func (w *Wsi) Wake() {
	w.flags |= wakes
	w.kick()
}

// Now implements roles.Lower.
func (w *Wsi) Now() time.Duration {
	if w.net == nil {
		return 0 // it is neither dialled nor accepted yet
	}
	return w.net.loop.Current()
}

// Info implements roles.Lower.
func (w *Wsi) Info() roles.Info { return roles.Info{Layer: roles.LayerSocket, Conn: w} }

// Under returns the connection at the bottom of what carries low, through any number of layers; nil when that is none of
// this package's.
func Under(low roles.Lower) *Wsi {
	w, _ := low.Info().Conn.(*Wsi)
	return w
}

// kick has the connection served soon, unless it is being served.
func (w *Wsi) kick() {
	if w.flags&serving == 0 && w.src.Watched() {
		w.net.loop.Kick(&w.src)
	}
}
