package wsi

import (
	"fmt"
	"syscall"
	"time"

	"github.com/millrace/millrace/roles"
)

// arena is where the connection being served puts its output. It is written before the next one is
// served, so it belongs to one connection at a time.
type arena struct {
	buf   []byte
	n     int
	owner *Wsi
	total uint64 // bytes ever committed
}

// Room implements roles.Lower. Output is produced only while the connection is being served; at other
// times the answer is nil, and WantWrite brings it about.
func (w *Wsi) Room(min int) []byte {
	a := &w.net.out
	if a.owner != w || w.flags&(finAsked|closing) != 0 || !w.roomFor(min) {
		return nil
	}
	return a.buf[a.n:]
}

// Commit implements roles.Lower.
func (w *Wsi) Commit(n int) {
	a := &w.net.out
	if n > 0 && a.owner != w {
		panic(fmt.Sprintf("wsi: commit: %d bytes without room: the arena belongs to another connection, or to none", n))
	}
	if n < 0 || n > len(a.buf)-a.n || n > 0 && w.flags&wrReady == 0 {
		panic(fmt.Sprintf("wsi: commit: %d bytes into room for %d", n, len(a.buf)-a.n))
	}
	a.n += n
	a.total += uint64(n)
}

// canProduce says whether Writable can be granted: Room would give MaxRoom.
func (w *Wsi) canProduce() bool { return w.roomFor(roles.MaxRoom) }

// roomFor makes room for min bytes in the arena, writing it out if it must. While the connection is served, it holds
// refused output only without wrReady: serve begins by writing that, and a write that does not take all clears wrReady.
func (w *Wsi) roomFor(min int) bool {
	if w.flags&(wrReady|outBroken) != wrReady {
		return false
	}
	a := &w.net.out
	if len(a.buf)-a.n >= min {
		return true
	}
	w.flush()
	return w.flags&(wrReady|outBroken) == wrReady && len(a.buf) >= min
}

// flush writes the arena. What the socket refuses is kept, and Room gives nothing until it is gone: so
// nothing overtakes it, and a connection never holds more than one arena of it.
func (w *Wsi) flush() {
	a := &w.net.out
	if a.n == 0 {
		return
	}
	p := a.buf[:a.n]
	a.n = 0
	if w.flags&wrReady != 0 {
		p = p[w.write(p):]
	}
	if len(p) > 0 && w.flags&outBroken == 0 {
		b := w.net.take(w, roles.HoldOutput, len(p)) // before w.out is looked up: see keep
		b.b = append(b.b, p...)
		b.since, b.taken = w.net.loop.Now(), w.bytesOut
		w.out = b
	}
}

// flushHeld writes what the socket refused before.
func (w *Wsi) flushHeld(now time.Duration) {
	o := w.out
	k := w.write(o.bytes())
	o.off += k
	w.moved(k)
	switch {
	case w.flags&outBroken != 0 || o.off == len(o.b):
		w.net.give(o)
		w.out = nil
	case w.bytesOut-o.taken >= WriteLeast:
		o.since, o.taken = now, w.bytesOut
	}
}

// write gives p to the socket and returns how much it took. A failure does not end the connection:
// the peer may have told why before it stopped listening, so what it sent is read first.
func (w *Wsi) write(p []byte) int {
	n := w.net
	k, e := n.sys.Write(w.src.FD(), p)
	switch {
	case e == syscall.EAGAIN:
		n.Counters.EmptyWrites++
		w.flags &^= wrReady
		return 0
	case e != 0:
		n.Counters.Writes++
		w.flags |= outBroken | hungUp
		if w.flags&ended == 0 {
			w.flags |= rdReady
		}
		if e != syscall.EPIPE {
			w.flags |= torn
		}
		if w.cause == nil {
			w.blame(&Error{Op: "write", Wsi: w.Label(), Err: e})
		}
		n.loop.Kick(&w.src)
		return 0
	}
	n.Counters.Writes++
	n.Counters.BytesOut += uint64(k)
	w.bytesOut += uint64(k)
	if k < len(p) {
		n.Counters.ShortWrites++
		w.flags &^= wrReady
	}
	return k
}
