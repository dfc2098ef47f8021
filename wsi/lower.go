package wsi

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// Established implements roles.Conn: it ends Timeouts.Establish and starts Timeouts.Idle. From now on the loop serves
// the connection before unestablished ones.
func (w *Wsi) Established() {
	switch w.phase {
	case phaseOpening:
		w.net.loop.SetUnestablished(&w.src, false)
		w.move(phaseOpen)
		w.activityOrDeadline = w.net.loop.Now()
		if w.flags&serving == 0 {
			w.rearm()
		}
	case phaseUnread:
		w.net.loop.SetUnestablished(&w.src, false)
	}
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

// WantWrite implements roles.Lower. After CloseWrite it has no effect.
func (w *Wsi) WantWrite() {
	if w.flags&(wantWrite|finAsked) == 0 {
		w.flags |= wantWrite
		w.kick()
	}
}

// Credit implements roles.Lower. The kernel manages the window of a socket.
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
	w.flags |= wantsWoken
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
