package wsi

import (
	"syscall"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

const (
	// lendMost is how many lent bytes one write takes whole, and so the most that is copied and held of them when the
	// socket refuses all: as much as of the arena.
	lendMost = outSize
	// maxLent is how many lent slices one write takes: with the arena's bytes before, between and after them, and one
	// slice that is sent at once, they make loop.MaxVector.
	maxLent = (loop.MaxVector - 2) / 2
)

// arena is where the connection being served puts its output. It is written before the next one is
// served, so it belongs to one connection at a time.
type arena struct {
	buf   []byte
	n     int
	owner *Wsi
	total uint64 // bytes ever committed or lent

	lent     [maxLent]lent // in order
	lends    int           // how many of them there are
	lentSize int           // and their bytes
}

// lent is memory of a caller, which is sent after the first at bytes of the arena.
type lent struct {
	b  []byte
	at int
}

// lendMost is the constant, or one room while memory is short: see exchange.
func (n *Net) lendMost() int {
	if n.account.Level() >= loop.LevelStopReading {
		return roles.MaxRoom
	}
	return lendMost
}

// flush writes the arena. What the socket refuses is kept, and Room gives nothing until it is gone: so
// nothing overtakes it, and a connection never holds more than one arena of it.
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

// writeLent writes the arena with what is lent in its places, and more behind, by one system call. The socket's refusal is
// held as flush does; but of a more that is longer than what is held of lent bytes, nothing is. It returns how much of
// more was taken.
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

// holdOut keeps the bytes of v from from to to, since the socket has refused them.
func (w *Wsi) holdOut(v [][]byte, from, to int) {
	if from == to {
		return
	}
	n := w.net
	b := n.take(w, roles.HoldOutput, to-from) // before w.out is looked up: see keep
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

// write gives p to the socket and returns how much it took.
func (w *Wsi) write(p []byte) int {
	k, e := w.net.sys.Write(w.src.FD(), p)
	return w.wrote(k, e, len(p))
}

// writev is write of several slices, size bytes in all.
func (w *Wsi) writev(v [][]byte, size int) int {
	k, e := w.net.sys.Writev(w.src.FD(), v)
	return w.wrote(k, e, size)
}

// wrote notes the result of a write of size bytes, and returns how many the socket took. A failure does not end the
// connection: the peer may have told why before it stopped listening, so what it sent is read first.
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
	if k < size {
		n.Counters.ShortWrites++
		w.flags &^= wrReady
	}
	return k
}
