package h1

import (
	"math/bits"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Cork is http.Exchange's.
func (x *exchange) Cork() bool { return x.out.state != await100 && x.low.Cork() }

// Uncork is http.Exchange's.
func (x *exchange) Uncork() { x.low.Uncork() }

// Send is http.Exchange's.
func (x *exchange) Send(b []byte, end bool) (n int, whole bool) {
	n, err := x.send(b, end)
	if err != nil {
		x.side.reset(x, err)
		return n, false
	}
	if n > 0 {
		x.side.committed(x)
	}
	if x.out.done() {
		x.low.WantWrite() // Writable ends the exchange
	}
	return n, n == len(b)
}

func (x *exchange) send(b []byte, end bool) (n int, err error) {
	o := &x.out
	o.room = nil
	switch o.state {
	case awaitHead:
		return 0, errCommitHead
	case sendDropped:
		n = len(b)
	case sendToClose:
		n = x.sendPlain(b)
	case sendChunked:
		return x.sendChunks(b, end)
	case sendCounted:
		n = x.sendPlain(b[:min(int64(len(b)), o.left)])
		o.left -= int64(n)
		switch {
		case o.left == 0:
			x.moveSend(sent)
		case end && n == len(b):
			return n, errCommitLess
		}
		return n, nil
	default: // nothing more is taken
		return 0, nil
	}
	if end && n == len(b) {
		x.moveSend(sent)
	}
	return n, nil
}

// sendPlain sends bytes that have no framing.
func (x *exchange) sendPlain(b []byte) (n int) {
	if len(b) >= roles.LendMin && x.low.Lendable(0) > 0 {
		return x.low.Lend(b)
	}
	for n < len(b) {
		r := x.low.Room(min(len(b)-n, http.MinRoom))
		if r == nil {
			break
		}
		k := copy(r, b[n:])
		x.low.Commit(k)
		n += k
	}
	return n
}

// lentFront is the longest size line of a lent chunk: eight digits.
const lentFront = 8 + 2

// sendChunks sends b in as few chunks as the transport takes it in.
func (x *exchange) sendChunks(b []byte, end bool) (n int, err error) {
	for n < len(b) {
		rest := b[n:]
		if len(rest) >= roles.LendMin {
			if most := x.low.Lendable(lentFront + chunkBack); most >= roles.LendMin {
				n += x.lendChunk(rest[:min(len(rest), most)], end && len(rest) <= most)
				continue
			}
		}
		r := x.Room()
		if r == nil {
			return n, nil
		}
		k := copy(r, rest)
		n += k
		if err = x.commit(k, end && n == len(b)); err != nil {
			return n, err
		}
	}
	if len(b) == 0 && end {
		err = x.commit(0, true)
	}
	return n, err
}

// lendChunk sends b as one chunk, from where it lies.
func (x *exchange) lendChunk(b []byte, end bool) int {
	x.low.Commit(putSize(x.low.Room(lentFront), len(b)))
	n := x.low.Lend(b)
	back := append(x.low.Room(chunkBack)[:0], crlf...)
	if end {
		back = append(back, chunkLast...)
		x.moveSend(sent)
	}
	x.low.Commit(len(back))
	return n
}

// putSize writes the size line of a chunk, in an even number of digits, and returns its length.
func putSize(b []byte, size int) int {
	digits := (bits.Len(uint(size)) + 7) / 8 * 2
	for i := range digits {
		b[i] = hexDigits[size>>(4*(digits-1-i))&15]
	}
	return digits + copy(b[digits:], crlf)
}
