package h1

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// sendKind is how our body is framed, or what has become of it.
type sendKind uint8

const (
	sendNothing sendKind = iota // the final head is not sent
	sendLength                  // counted
	sendChunked
	sendClose   // the connection's end is the body's
	sendDropped // the handler gives a body that may not be sent: HEAD, 204, 304
	sendLast    // only the last chunk is missing, for want of room
	sendDone
)

// Framing around a chunk's payload, laid out before the payload's size is known: four digits and CRLF
// in front, CRLF and perhaps the last chunk behind. Leading zeros are legal (RFC 9112 s.7.1), and spare
// us to move the payload.
const (
	chunkFront = 4 + 2
	chunkLast  = "0\r\n\r\n"
	chunkBack  = 2 + len(chunkLast)
	chunkMost  = 0xffff
)

// sender writes a body into a Lower.
type sender struct {
	kind sendKind
	left int64  // of sendLength
	room []byte // what space gave: payload, with the chunk's framing around it
}

func (o *sender) begun() bool { return o.kind != sendNothing }
func (o *sender) done() bool  { return o.kind == sendDone }

// space reserves room for payload, nil when there is none now.
func (o *sender) space(low roles.Lower) []byte {
	o.room = nil
	switch o.kind {
	case sendChunked:
		r := low.Room(chunkFront + http.MinRoom + chunkBack)
		if r == nil {
			return nil
		}
		o.room = r[:min(len(r), chunkFront+chunkMost+chunkBack)]
		end := len(o.room) - chunkBack
		return o.room[chunkFront:end:end]
	case sendLength:
		n := min(o.left, http.MinRoom)
		if o.room = low.Room(int(n)); int64(len(o.room)) > o.left {
			o.room = o.room[:o.left]
		}
	case sendClose, sendDropped:
		o.room = low.Room(http.MinRoom)
	}
	return o.room[:len(o.room):len(o.room)]
}

// commit sends n octets of the space.
func (o *sender) commit(low roles.Lower, n int, end bool) error {
	r := o.room
	o.room = nil
	front, most := 0, len(r)
	if o.kind == sendChunked && r != nil {
		front, most = chunkFront, len(r)-chunkFront-chunkBack
	}
	if n < 0 || n > most {
		return errCommitOver
	}
	switch o.kind {
	case sendNothing:
		return errCommitHead
	case sendLength:
		if o.left -= int64(n); end && o.left > 0 {
			return errCommitLess
		}
		end = o.left == 0
		low.Commit(n)
	case sendClose:
		low.Commit(n)
	case sendChunked:
		// A chunk of size 0 would be the last one.
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
		low.Commit(n)
		if end && r == nil {
			o.kind = sendLast
			o.last(low)
			return nil
		}
	case sendLast, sendDone:
		return nil
	}
	if end {
		o.kind = sendDone
	}
	return nil
}

// last sends the last chunk, now or in a later Writable.
func (o *sender) last(low roles.Lower) {
	r := low.Room(len(chunkLast))
	if r == nil {
		low.WantWrite()
		return
	}
	low.Commit(copy(r, chunkLast))
	o.kind = sendDone
}

// trailers completes the body with trailer fields, or without them where it is not chunked.
func (o *sender) trailers(low roles.Lower, t []http.Field) error {
	if o.kind != sendChunked {
		return o.commit(low, 0, true)
	}
	n, err := fieldsSize(t, http.Other)
	if err != nil {
		return err
	}
	if n += len(chunkLast); n > roles.MaxRoom {
		return errHeadSize
	}
	r := low.Room(n)
	if r == nil {
		return http.ErrNoRoom
	}
	b := append(r[:0], "0\r\n"...)
	b = appendFields(b, t)
	b = append(b, crlf...)
	low.Commit(len(b))
	o.kind = sendDone
	return nil
}

const hexDigits = "0123456789abcdef"
