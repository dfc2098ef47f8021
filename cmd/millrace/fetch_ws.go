package main

import (
	"errors"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// wsFetch is the state of a fetcher for a WebSocket.
type wsFetch struct {
	text    textCheck // of sent messages
	line    []byte    // the printed form of a received piece
	begun   bool      // a byte is sent
	allSent bool      // all payload is sent
	answer  bool      // the last received message started after the first byte was sent
	within  bool      // the last received message is incomplete
}

// orderly reports whether a connection ended without an error; the peer of a WebSocket may send Close.
func orderly(cause error) bool {
	var closeErr *ss.CloseError
	if errors.As(cause, &closeErr) {
		return closeErr.Code == ws.Normal || closeErr.Code == ws.GoingAway || closeErr.Code == ws.NoCode
	}
	return cause == nil
}

// closedBadly reports whether the peer of a WebSocket has closed with an error code.
func closedBadly(cause error) bool {
	var closeErr *ss.CloseError
	return errors.As(cause, &closeErr) && !orderly(cause)
}

// refused reports whether a server's answer to a handshake is final.
func refused(cause error) bool {
	var s *ss.StatusError
	return errors.As(cause, &s) && s.Status != 429 && s.Status != 503
}

// sendMessage sends the messages of a WebSocket, and after the last one ends the stream as the flags require.
func (f *fetcher) sendMessage(h *ss.Handle, buf []byte) (n int, flags ss.Flags, r ss.Ret) {
	if f.o.lines {
		n, flags, r = f.up.fillLine(buf)
	} else {
		n, flags, r = f.up.fill(buf)
	}
	if r == ss.OK && !h.Policy().WS.Binary && !f.ws.text.valid(buf[:n], flags&ss.EOM != 0) {
		return 0, 0, f.end(h, verdictLocal, errText)
	}
	f.ws.begun = f.ws.begun || r == ss.OK
	if f.ws.allSent = f.o.lines && f.up.sent() || flags&ss.EOM != 0 && !f.o.lines; !f.ws.allSent {
		return n, flags, r
	}
	switch {
	case f.o.sendOnly:
		f.sent = true
		h.RequestTx() // the payload of this call is committed before the next call
	case f.o.lines && !f.o.noClose:
		if err := h.Finish(ws.Normal, ""); err != nil {
			return 0, 0, f.end(h, verdictLocal, err)
		}
	}
	return n, flags, r
}

// message returns the printed form of a received piece. With --data the stream ends with the first message that started
// after the first byte was sent, and ended after the last: an echo answers while it receives.
func (f *fetcher) message(b []byte, flags ss.Flags) []byte {
	w := &f.ws
	if flags&ss.SOM != 0 {
		w.answer = w.begun
	}
	w.within = flags&ss.EOM == 0
	if flags&ss.EOM != 0 && w.answer && w.allSent && f.o.hasData && !f.o.sendOnly && f.o.bytes == 0 {
		f.verdict = verdictDone
	}
	if f.o.raw {
		return b
	}
	w.line = asLine(w.line[:0], b, flags)
	return w.line
}
