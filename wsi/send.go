package wsi

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
)

// Room implements roles.Lower. Output can be produced only while the connection is served, or between Cork and
// Uncork; at other times Room returns nil.
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

// canProduce reports whether Writable can be called: Room would return MaxRoom.
func (w *Wsi) canProduce() bool { return w.roomFor(roles.MaxRoom) }

// roomFor provides space for min bytes in the arena, which it writes if necessary. While the connection is served, it
// has refused output only without wrReady: serve first writes that output, and a partial write clears wrReady.
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

// flushRefused writes output that the socket refused before.
func (w *Wsi) flushRefused(now time.Duration) {
	o := w.out
	k := w.write(o.bytes())
	o.off += k
	w.moved(k)
	switch {
	case w.flags&outBroken != 0 || o.off == len(o.b):
		w.net.freeBuffer(o)
		w.out = nil
	case w.bytesOut-o.taken >= WriteLeast:
		o.since, o.taken = now, w.bytesOut
	}
}
