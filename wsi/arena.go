package wsi

import (
	"syscall"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

const (
	// lendMost is how many lent bytes one write accepts in full, and thus the maximum that is copied and stored if the
	// socket refuses all: the size of the arena.
	lendMost = outSize
	// maxLent is how many lent slices one write accepts: together with the arena's bytes before, between and after them,
	// and one slice that is sent at once, they are at most loop.MaxVector.
	maxLent = (loop.MaxVector - 2) / 2
)

// arena contains the output of the connection being served. It is written before the next connection is served, so it
// belongs to one connection at a time.
type arena struct {
	buf   []byte
	n     int
	owner *Wsi
	total uint64 // bytes committed or lent so far

	lent     [maxLent]lent // in order
	lends    int           // number of lent slices
	lentSize int           // total of their bytes
}

// lent is a caller's slice, which is sent after the first at bytes of the arena.
type lent struct {
	b  []byte
	at int
}

// lendMost returns the constant, or MaxRoom while memory is short: see exchange.
func (n *Net) lendMost() int {
	if n.account.Level() >= loop.LevelStopReading {
		return roles.MaxRoom
	}
	return lendMost
}

// flush writes the arena. Output that the socket refuses is stored, and Room returns nil until it is written: so no
// output overtakes it, and a connection never stores more than one arena.
func (w *Wsi) flush() {
	a := &w.net.out
	if a.lends > 0 {
		w.writeLent(nil)
		return
	}
	if a.n == 0 {
		return
	}
	p := a.buf[:a.n]
	a.n = 0
	if w.flags&wrReady != 0 {
		p = p[w.write(p):]
	}
	if len(p) > 0 && w.flags&outBroken == 0 {
		w.net.vector[0] = p
		w.holdOut(w.net.vector[:1], 0, len(p))
	}
}

// writeLent writes the arena with the lent slices in their positions, and then more, with one system call. Output
// that the socket refuses is stored as in flush, except that nothing is stored of a more that exceeds the limit of
// lent bytes. It returns how many bytes of more were accepted.
func (w *Wsi) writeLent(more []byte) int {
	n := w.net
	a := &n.out
	v, from, size := n.vector[:0], 0, a.n+a.lentSize+len(more)
	for i := range a.lent[:a.lends] {
		l := &a.lent[i]
		if l.at > from {
			v = append(v, a.buf[from:l.at])
			from = l.at
		}
		v = append(v, l.b)
		l.b = nil
	}
	if from < a.n {
		v = append(v, a.buf[from:a.n])
	}
	if len(more) > 0 {
		v = append(v, more)
	}
	a.n, a.lends, a.lentSize = 0, 0, 0
	k, taken := 0, len(more)
	if w.flags&wrReady != 0 {
		k = w.writev(v, size)
	}
	if k < size && w.flags&outBroken == 0 {
		if refused := min(size-k, len(more)); refused > n.lendMost() {
			taken -= refused
			size -= refused
		}
		w.holdOut(v, k, size)
	}
	clear(v)
	return taken
}

// holdOut stores the bytes of v between from and to, which the socket has refused.
func (w *Wsi) holdOut(v [][]byte, from, to int) {
	if from == to {
		return
	}
	n := w.net
	b := n.newBuffer(w, roles.HoldOutput, to-from) // before w.out is evaluated: see keep
	at := 0
	for _, p := range v {
		if lo, hi := max(from-at, 0), min(to-at, len(p)); lo < hi {
			b.b = append(b.b, p[lo:hi]...)
		}
		at += len(p)
	}
	b.since, b.taken = n.loop.Now(), w.bytesOut
	if w.flags&corked != 0 {
		b.since = n.sys.Now()
	}
	w.out = b
}

// write writes p to the socket and returns how many bytes it accepted.
func (w *Wsi) write(p []byte) int {
	k, e := w.net.sys.Write(w.src.FD(), p)
	return w.wrote(k, e, len(p))
}

// writev writes several slices, size bytes in total.
func (w *Wsi) writev(v [][]byte, size int) int {
	k, e := w.net.sys.Writev(w.src.FD(), v)
	return w.wrote(k, e, size)
}

// wrote records the result of a write of size bytes, and returns how many the socket accepted. An error does not end
// the connection: the peer may have sent the reason before it stopped reading, so its bytes are read first.
func (w *Wsi) wrote(k int, e syscall.Errno, size int) int {
	n := w.net
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
			w.flags |= writeFailed
		}
		if w.cause == nil {
			w.setCause(&Error{Op: "write", Wsi: w.Label(), Err: e})
		}
		n.loop.Kick(&w.src)
		return 0
	}
	n.Counters.Writes++
	n.Counters.BytesOut += uint64(k)
	w.bytesOut += uint64(k)
	if k < size {
		n.Counters.ShortWrites++
		w.flags &^= wrReady
	}
	return k
}
