package main

import (
	"errors"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// wsFetch is what a fetcher knows besides when its stream is a WebSocket.
type wsFetch struct {
	text   textCheck // of what is sent
	line   []byte    // what a piece that came looks like in print
	begun  bool      // something is sent
	said   bool      // all is
	answer bool      // the message that came last began after the former
	within bool      // and has not ended
}

// orderly says whether a connection ended as it should: a WebSocket's peer may say that it has done.
func orderly(cause error) bool {
	var bye *ss.CloseError
	if errors.As(cause, &bye) {
		return bye.Code == ws.Normal || bye.Code == ws.GoingAway || bye.Code == ws.NoCode
	}
	return cause == nil
}

// closedBadly says whether the peer of a WebSocket has given a reason why it did not go well.
func closedBadly(cause error) bool {
	var bye *ss.CloseError
	return errors.As(cause, &bye) && !orderly(cause)
}

// refused says whether a server's answer to a handshake is its last word.
func refused(cause error) bool {
	var s *ss.StatusError
	return errors.As(cause, &s) && s.Status != 429 && s.Status != 503
}

// say sends what a WebSocket has to say, and when that is over has it end as the command line has it.
func (f *fetcher) say(h *ss.Handle, buf []byte) (n int, flags ss.Flags, r ss.Ret) {
	if f.o.lines {
		n, flags, r = f.up.fillLine(buf)
	} else {
		n, flags, r = f.up.fill(buf)
	}
	if r == ss.OK && !h.Policy().WS.Binary && !f.ws.text.takes(buf[:n], flags&ss.EOM != 0) {
		return 0, 0, f.end(h, verdictLocal, errText)
	}
	f.ws.begun = f.ws.begun || r == ss.OK
	if f.ws.said = f.o.lines && f.up.sent() || flags&ss.EOM != 0 && !f.o.lines; !f.ws.said {
		return n, flags, r
	}
	switch {
	case f.o.sendOnly:
		f.sent = true
		h.RequestTx() // what this call gives is committed by the next
	case f.o.lines && !f.o.noClose:
		if err := h.Finish(ws.Normal, ""); err != nil {
			return 0, 0, f.end(h, verdictLocal, err)
		}
	}
	return n, flags, r
}

// message is what is printed of a piece of a message. With --data the first is the last that began
// to come behind the beginning of what was sent, which an echo sends back while it comes, and ended behind its end.
func (f *fetcher) message(b []byte, flags ss.Flags) []byte {
	w := &f.ws
	if flags&ss.SOM != 0 {
		w.answer = w.begun
	}
	w.within = flags&ss.EOM == 0
	if flags&ss.EOM != 0 && w.answer && w.said && f.o.hasData && !f.o.sendOnly && f.o.bytes == 0 {
		f.verdict = verdictDone
	}
	if f.o.raw {
		return b
	}
	w.line = asLine(w.line[:0], b, flags)
	return w.line
}
