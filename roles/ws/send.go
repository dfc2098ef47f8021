package ws

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles"
)

// MaxMin is the most that Room can be asked for.
const MaxMin = roles.MaxRoom - 64

// What is reserved in front of a payload: a header of the longer kind and a key. Room is bounded so that
// a length of 16 bits always does; a payload that needs none moves down by two octets.
const (
	frontServer = 4
	frontClient = 4 + 4
	maxFrame    = 0xffff
)

func (c *Conn) front() int {
	if c.is(isClient) {
		return frontClient
	}
	return frontServer
}

// WantWrite asks for one Writable.
func (c *Conn) WantWrite() {
	if c.sends() || c.phase == awaitOpened {
		c.flags |= wants
		c.low.WantWrite()
	}
}

// Room returns space for a piece of a message, at least min octets (at most MaxMin may be asked for), or
// nil when nothing can be taken now: then WantWrite, and wait for Writable. Valid until the next call
// on any Conn or its transport.
func (c *Conn) Room(min int) []byte {
	sh := c.sh
	sh.room.Take(c)
	if !c.sends() {
		return nil
	}
	if c.packer != nil {
		return c.plainRoom(min)
	}
	front := c.front()
	r := c.low.Room(front + min)
	if r == nil {
		return nil
	}
	if len(r) > front+maxFrame {
		r = r[:front+maxFrame]
	}
	sh.room.Give(c, r)
	sh.given = len(r) - front
	return r[front:len(r):len(r)]
}

// Commit sends the first n octets of Room as the next piece of a message: First begins it, as Binary or
// text, and Last ends it. n may be 0, and then needs no Room before. Text is the caller's to get right:
// it is not checked. The error wraps ErrMisuse, and nothing was sent; or it is ErrNoRoom or ErrClosing,
// if there was no Room.
func (c *Conn) Commit(n int, f Flags) error {
	sh := c.sh
	r := sh.room.Take(c)
	switch {
	case !c.sends():
		return ErrClosing
	case f&First != 0 && c.is(txBegun):
		return errCommitFirst
	case f&First == 0 && !c.is(txBegun):
		return errCommitNone
	}
	front := c.front()
	if r == nil && n == 0 {
		if r = c.low.Room(front + emptyPacked); r == nil {
			return ErrNoRoom
		}
	} else if n < 0 || r == nil || n > sh.given {
		return errCommitOver
	}
	bits := c.bits(f)
	if c.packer != nil {
		n, bits = c.deflate(r[front:], n, f, bits)
	}
	c.flags |= txBegun
	if f&Last != 0 {
		c.flags &^= txBegun
	}
	c.frame(r, n, bits)
	return nil
}

// bits is the first octet of the frame that carries a piece of a message.
func (c *Conn) bits(f Flags) byte {
	b := byte(opContinuation)
	if f&First != 0 {
		c.sh.Counters.TxMessages++
		b = opText
		if f&Binary != 0 {
			b = opBinary
		}
	}
	if f&Last != 0 {
		b |= bitFin
	}
	return b
}

// frame sends the first n octets behind the front of r.
func (c *Conn) frame(r []byte, n int, bits byte) {
	front := c.front()
	client := c.is(isClient)
	h := putHeader(r, bits, client, n)
	if client {
		k := c.sh.key()
		binary.LittleEndian.PutUint32(r[h:], k)
		h += 4
		mask(r[front:front+n], k)
	}
	if h < front {
		copy(r[h:], r[front:front+n])
	}
	c.low.Commit(h + n)
}
