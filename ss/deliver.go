package ss

import (
	"fmt"
)

// tell delivers a state to the stream, if the tables allow it, and acts on the return code.
func (h *Handle) tell(s State, n Notice) {
	r := h.rt
	if h.flags&destroyed != 0 || h.flags&wantDestroy != 0 && s != Disconnected && s != Destroying && s != Creating {
		return
	}
	switch s {
	case Connecting, Disconnected, Unreachable, Destroying:
		h.dropFile(s)
	}
	if s == ServerTxn && State(h.last) == Timeout {
		// libwebsockets has no step from TIMEOUT to SERVER_TXN, except through CONNECTED.
		h.tell(Connected, Notice{})
		if h.flags&doomed != 0 {
			return
		}
	}
	if !h.legal(s) {
		err := &IllegalMove{Stream: h.Label(), From: h.Life(), To: s}
		r.Counters.Illegal++
		if r.cfg.PanicOnIllegal {
			panic(err)
		}
		r.log.Error(err.Error())
		return
	}
	if s < UserBase && isMove.has(s) {
		h.life = known(s)
	}
	if !passes(s) {
		h.last = known(s)
	}
	if r.cfg.Observe != nil {
		r.cfg.Observe(h, s, n)
	}
	was := r.at
	r.at = h
	h.answer(h.stream.State(h, s, n))
	r.at = was
}

// legal checks s against both tables.
func (h *Handle) legal(s State) bool {
	switch {
	case s >= UserBase:
		return true
	case s >= maxState:
		return false
	case isMove.has(s):
		if !lifeMoves[h.life].has(s) {
			return false
		}
	case !eventAt[s].has(h.Life()):
		return false
	}
	return LegalInReference(State(h.last), s)
}

// answer acts on a callback's return code.
func (h *Handle) answer(r Ret) {
	switch r {
	case OK, TxDontSend:
	case DisconnectMe:
		h.pend(wantDisconnect)
	case DestroyMe, Destroyed:
		h.pend(wantDestroy)
	default:
		h.misuse(fmt.Sprintf("a callback returned %d, which is not an LWSSSSRET", r))
	}
}

// misuse reports a program that broke the rules of Stream, and disconnects the stream: its message is in an unknown
// state.
func (h *Handle) misuse(what string) {
	h.rt.Counters.Misuse++
	h.rt.log.Error("ss: "+what, "stream", h.streamType.pol.Name, "err", ErrMisuse)
	h.pend(wantDisconnect)
}

// rx delivers payload. It returns false if the stream accepts no more of it.
func (h *Handle) rx(b []byte, f Flags) bool {
	if h.flags&doomed != 0 {
		return false
	}
	h.rt.at = h
	if h.flags&hasReceived == 0 && f&PerfJSON == 0 && (len(b) > 0 || f&SOM != 0) {
		h.flags |= hasReceived // the end of a direction is not payload, an empty message is
	}
	if r := h.stream.Rx(h, b, f); r != OK {
		h.answer(r)
	}
	return h.flags&doomed == 0
}

// tx calls Tx to fill buf. ok is false when nothing is to be sent. What Tx returned with LWSSSSRET_OK is sent, even
// if Tx also requested the end of the connection.
func (h *Handle) tx(buf []byte) (n int, f Flags, ok bool) {
	h.flags &^= txWanted
	if h.flags&doomed != 0 {
		return 0, 0, false
	}
	h.rt.at = h
	h.flags &^= sentInTx
	h.rt.filling = h
	if h.flags&hasFile != 0 {
		h.rt.files[h].tx()
		h.rt.filling = nil
		return 0, 0, false
	}
	var from Source = h.stream
	if h.flags&hasSource != 0 {
		from = h.rt.table.sources[h]
	}
	n, f, r := from.Tx(h, h.ordinal, buf)
	h.rt.filling = nil
	if f&EOM != 0 {
		h.dropSource()
	}
	h.ordinal++
	if r != OK {
		h.answer(r)
		return 0, 0, false
	}
	if n < 0 || n > len(buf) {
		h.misuse(fmt.Sprintf("Tx returned %d bytes of a buffer of %d", n, len(buf)))
		return 0, 0, false
	}
	if h.flags&sentInTx != 0 {
		if n > 0 {
			h.misuse(fmt.Sprintf("Tx returned %d bytes of a buffer whose place Send has taken", n))
		}
		return 0, 0, false
	}
	if n > 0 && h.flags&hasSent == 0 {
		h.flags |= hasSent
	}
	return n, f, true
}

// payloadSource sends payload for a stream. Runtime.files has those that are at work, and hasFile marks their streams.
type payloadSource interface {
	// tx is called in place of Tx, and sends by Handle.Send.
	tx()
	// told is called before a state that ends a connection, a transaction or an attempt is reported, or that begins an
	// attempt: the source ends if its payload was for another.
	told(s State)
}

// dropFile ends what h sends, if s is its end.
func (h *Handle) dropFile(s State) {
	if h.flags&hasFile != 0 {
		h.rt.files[h].told(s)
	}
}
