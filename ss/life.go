package ss

import (
	"time"
)

// The start and the end of a stream, and its work at the end of a turn, for every backend.

// begin makes the program's Stream and delivers CREATING. It returns false if the stream is destroyed already.
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
	r.at = was // the callback that creates a stream runs on
	if h.flags&wantDestroy != 0 {
		h.end()
		return false
	}
	return true
}

// ignore is the Stream of a program that returned none.
type ignore struct{}

func (ignore) State(*Handle, State, Notice) Ret { return OK }

func (ignore) Rx(*Handle, []byte, Flags) Ret { return OK }

func (ignore) Tx(*Handle, uint32, []byte) (int, Flags, Ret) { return 0, 0, TxDontSend }

// settle carries out the requests of this turn.
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

// endWith destroys the stream; cause is the Cause of DISCONNECTED.
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
