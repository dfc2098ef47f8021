package h1

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// The framing around the payload of a chunk, for which Room reserves space before the size is known: four digits and CRLF
// before it, CRLF and possibly the last chunk after it. With leading zeros, which are legal (RFC 9112 s.7.1), the payload
// need not move.
const (
	chunkFront = 4 + 2
	chunkLast  = "0\r\n\r\n"
	chunkBack  = 2 + len(chunkLast)
	chunkMost  = 0xffff
)

const hexDigits = "0123456789abcdef"

// sender is the sending half of an exchange.
type sender struct {
	state sendState
	left  int64  // bytes of the body to come in sendCounted; in await100 the length, negative for a chunked body
	room  []byte // the last Room, with the framing of a chunk around the payload
}

func (o *sender) begun() bool { return o.state != awaitHead }
func (o *sender) done() bool  { return o.state == sent }

// moveSend moves the sending half to another state.
func (x *exchange) moveSend(to sendState) {
	if from := x.out.state; !sendTable.Allows(uint8(from), uint8(to)) {
		x.side.illegal(illegalMove(sendTable, uint8(from), uint8(to)))
		return
	}
	x.out.state = to
}

// SendHead is http.Exchange's.
func (x *exchange) SendHead(m *http.Message, end bool) error { return x.side.sendHead(x, m, end) }

// Room is http.Exchange's.
func (x *exchange) Room() []byte {
	o := &x.out
	o.room = nil
	switch o.state {
	case sendChunked:
		r := x.low.Room(chunkFront + http.MinRoom + chunkBack)
		if r == nil {
			return nil
		}
		o.room = r[:min(len(r), chunkFront+chunkMost+chunkBack)]
		end := len(o.room) - chunkBack
		return o.room[chunkFront:end:end]
	case sendCounted:
		n := min(o.left, http.MinRoom)
		if o.room = x.low.Room(int(n)); int64(len(o.room)) > o.left {
			o.room = o.room[:o.left]
		}
	case sendToClose, sendDropped:
		o.room = x.low.Room(http.MinRoom)
	}
	return o.room[:len(o.room):len(o.room)]
}

// Commit is http.Exchange's.
func (x *exchange) Commit(n int, end bool) {
	if err := x.commit(n, end); err != nil {
		x.side.reset(x, err)
	}
	if n > 0 {
		x.side.committed(x)
	}
}

func (x *exchange) commit(n int, end bool) error {
	o := &x.out
	r := o.room
	o.room = nil
	front, most := 0, len(r)
	if o.state == sendChunked && r != nil {
		front, most = chunkFront, len(r)-chunkFront-chunkBack
	}
	switch {
	case o.state == await100:
		return errCommitHeld
	case n < 0 || n > most:
		return errCommitOver
	}
	switch o.state {
	case awaitHead:
		return errCommitHead
	case sendCounted:
		if o.left -= int64(n); end && o.left > 0 {
			return errCommitLess
		}
		end = o.left == 0
		x.low.Commit(n)
	case sendToClose:
		x.low.Commit(n)
	case sendChunked:
		// A chunk of size 0 would end the body.
		if n > 0 {
			r[0], r[1], r[2], r[3] = hexDigits[n>>12], hexDigits[n>>8&15], hexDigits[n>>4&15], hexDigits[n&15]
			r[4], r[5] = '\r', '\n'
			n += front
			r[n], r[n+1] = '\r', '\n'
			n += 2
		}
		if end && r != nil {
			n += copy(r[n:], chunkLast)
		}
		x.low.Commit(n)
		if end && r == nil {
			x.sendLast()
			return nil
		}
	case awaitLastRoom, sent:
		return nil
	}
	if end {
		x.moveSend(sent)
	}
	return nil
}

// sendLast sends the last chunk, now or in a later Writable.
func (x *exchange) sendLast() {
	r := x.low.Room(len(chunkLast))
	if r == nil {
		if x.out.state != awaitLastRoom {
			x.moveSend(awaitLastRoom)
		}
		x.low.WantWrite()
		return
	}
	x.low.Commit(copy(r, chunkLast))
	x.moveSend(sent)
}

// SendTrailers is http.Exchange's. A body that is not chunked ends without trailers.
func (x *exchange) SendTrailers(t []http.Field) error {
	switch x.out.state {
	case await100:
		return http.ErrNoRoom
	case sendChunked:
	default:
		return x.commit(0, true)
	}
	n, err := fieldsSize(t, http.Other)
	if err != nil {
		return err
	}
	if n += len(chunkLast); n > roles.MaxRoom {
		return errHeadSize
	}
	r := x.low.Room(n)
	if r == nil {
		return http.ErrNoRoom
	}
	b := append(r[:0], "0\r\n"...)
	b = appendFields(b, t)
	b = append(b, crlf...)
	x.low.Commit(len(b))
	x.moveSend(sent)
	return nil
}

// WantWrite is http.Exchange's.
func (x *exchange) WantWrite() {
	x.wantsWrite = true
	if x.out.state != await100 {
		x.low.WantWrite()
	}
}

// startBody starts a body that waits for 100 (Continue).
func (x *exchange) startBody() {
	if x.out.state != await100 {
		return
	}
	if x.out.left < 0 {
		x.moveSend(sendChunked)
	} else {
		x.moveSend(sendCounted)
	}
	if x.wantsWrite {
		x.low.WantWrite()
	}
}

// stopSending gives up the rest of the body.
func (x *exchange) stopSending() {
	x.wantsWrite = false
	if !x.out.done() {
		x.moveSend(sent)
	}
}
