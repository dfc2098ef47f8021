package ss

import (
	"time"
)

// How a stream begins and ends, and what happens to it at the end of a turn, whatever its backend is.

// begin makes the program's object and delivers CREATING. False: the stream is destroyed already.
func (h *Handle) begin(make func(h *Handle) Stream) bool {
	r := h.rt
	r.table.add(h)
	h.streamType.streams++
	r.Counters.Created++
	was := r.at
	r.at = h
	if make != nil {
		h.stream = make(h)
	}
	if h.stream == nil {
		h.stream = ignore{}
	}
	h.tell(Creating, Notice{})
	r.at = was // a callback that creates a stream is again the one to be named
	if h.flags&wantDestroy != 0 {
		h.end()
		return false
	}
	return true
}

// ignore is the stream of a program that gave none.
type ignore struct{}

func (ignore) State(*Handle, State, Notice) Ret { return OK }

func (ignore) Rx(*Handle, []byte, Flags) Ret { return OK }

func (ignore) Tx(*Handle, uint32, []byte) (int, Flags, Ret) { return 0, 0, TxDontSend }

// settle does what was noted.
func (h *Handle) settle(now time.Duration) {
	switch {
	case h.flags&destroyed != 0:
	case h.flags&wantDestroy != 0:
		h.end()
	default:
		h.be.settle(h, now)
	}
}

// end destroys the stream.
func (h *Handle) end() { h.endWith(nil) }

// endWith destroys the stream; cause goes with DISCONNECTED.
func (h *Handle) endWith(cause error) {
	h.be.release(h)
	h.CancelTimeout()
	h.flags |= wantDestroy
	if h.Life() == Connected || h.Life() == Connecting && h.accepted() {
		h.tell(Disconnected, Notice{Cause: cause})
	}
	h.tell(Destroying, Notice{})
	h.flags |= destroyed
	h.dropMetadata()
	h.dropSource()
	h.rt.table.remove(h)
	h.rt.streamEnded(h.streamType)
	h.rt.Counters.Destroyed++
	if h.flags&hasCleanup != 0 {
		h.rt.cleanups.run(h)
	}
}

// closed ends an accepted stream whose connection is over.
func (h *Handle) closed(cause error) {
	if h.flags&destroyed != 0 || h.be == nil {
		return
	}
	h.endWith(cause)
}
