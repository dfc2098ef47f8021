package wsi

import (
	"syscall"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

const (
	// readMin is the minimal space for a read after stored input.
	readMin = 256
	// shrinkAt: bytes move to a smaller buffer if theirs is this many times too large, so that the tail of one large
	// unit does not keep the space of the whole.
	shrinkAt = 16
)

// mayRead reports whether more input may be read, with held bytes of it unused.
func (w *Wsi) mayRead(held int) bool {
	if held >= blockedMax && w.flags&wantWrite != 0 {
		return false
	}
	n := w.net
	if held >= n.cfg.MaxUnread {
		n.Counters.InputOverflow++
		w.Close(roles.Graceful, &Error{Op: "keep", Wsi: w.Label(), Err: ErrParked})
		return false
	}
	if n.account.Level() < loop.LevelStopReading {
		return true
	}
	all := w.unshared()
	if w.in == nil {
		all += held
	}
	if n.mustStall(all) {
		w.stall()
		return false
	}
	return true
}

// read reads from the socket after in, which is in the shared buffer or in w.in, and returns both together.
func (w *Wsi) read(in []byte) []byte {
	n := w.net
	var dst []byte // free space, directly after in
	switch {
	case len(in) == 0:
		w.freeInput()
		in, dst = n.in[:0], n.in
	case w.in == nil:
		if cap(in)-len(in) < len(n.in)/2 {
			in = n.in[:copy(n.in, in)]
		}
		dst = in[len(in):cap(in)]
		if len(dst) < readMin {
			w.keep(in)
			return w.read(w.in.bytes())
		}
	default:
		b := w.in
		b.off = len(b.b) - len(in)
		if cap(b.b)-len(b.b) < readMin {
			if b.off >= cap(b.b)/2 {
				b.b = b.b[:copy(b.b[:cap(b.b)], in)]
				b.off = 0
			} else {
				b = n.grown(b, 2*cap(b.b))
				w.in = b
			}
		}
		in, dst = b.bytes(), b.b[len(b.b):cap(b.b)]
	}
	dst = dst[:min(len(dst), n.cfg.MaxUnread-len(in))]
	k, e := n.sys.Read(w.src.FD(), dst)
	switch {
	case e == syscall.EAGAIN:
		w.flags &^= rdReady
		n.Counters.EmptyReads++
		return in
	case e != 0:
		w.flags &^= rdReady
		n.Counters.Reads++
		w.broken("read", e)
		return in
	case k == 0:
		w.flags = w.flags&^rdReady | ended
		n.Counters.Reads++
		if w.flags&writeFailed != 0 {
			// The failed write has returned the reset already, so this looks like an orderly end to the reader.
			w.broken("read", syscall.ECONNRESET)
		}
		return in
	}
	n.Counters.Reads++
	n.Counters.BytesIn += uint64(k)
	w.bytesIn += uint64(k)
	w.flags &^= offered
	if k < len(dst) && w.flags&hungUp == 0 {
		w.flags &^= rdReady
	}
	if w.in != nil {
		w.in.b = w.in.b[:len(w.in.b)+k]
	}
	return in[:len(in)+k]
}

// broken ends a connection whose socket reports e. An earlier write error takes precedence as the cause.
func (w *Wsi) broken(op string, e syscall.Errno) {
	w.net.Counters.Resets++
	w.flags |= ended
	cause := w.closeCause()
	if cause == nil {
		cause = &Error{Op: op, Wsi: w.Label(), Err: e}
	}
	if w.flags&(gone|paused) == gone|paused {
		w.flags |= endTold // this is no orderly end; peerGone determines when it is reported
		w.net.Counters.Resets--
		w.setCause(cause)
		return
	}
	w.Close(roles.Immediate, cause)
}

// park stores the unused part of in, or releases the buffer if nothing is left.
func (w *Wsi) park(in []byte) {
	switch {
	case len(in) == 0:
		w.freeInput()
	case w.in != nil:
		w.in.off = len(w.in.b) - len(in)
		if size := len(in) + readMin; cap(w.in.b) >= shrinkAt*size && cap(w.in.b) > classes[0] {
			w.in = w.net.grown(w.in, size)
		}
	default:
		w.keep(in)
	}
}

// keep copies in, which is in the shared buffer, into a buffer of the connection.
func (w *Wsi) keep(in []byte) {
	b := w.net.newBuffer(w, roles.HoldInput, len(in)+readMin) // before w.in is evaluated: newBuffer may create w.holding
	b.b = append(b.b, in...)
	w.in = b
}
