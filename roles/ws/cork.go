package ws

import "github.com/millrace/millrace/roles"

// Send sends a message, or a piece of one, that the caller has in memory, or as much of it as there is room for, and
// returns how much that was: f says what b is the beginning or the end of, and what is left of it goes on without
// First. It may be called at any time, from inside a Handler's methods or not, and calls none of them; b is the
// caller's again. An empty b sends what f says. A server sends from b itself where the transport can do that; a client
// must mask, and compression makes new octets. Send forgets an earlier Room. When n is less than len(b), or b is
// empty and the error is ErrNoRoom, WantWrite asks for the moment to go on. The other errors are Commit's.
func (c *Conn) Send(b []byte, f Flags) (n int, err error) {
	sh := c.sh
	sh.room.Drop(c)
	switch {
	case !c.sends():
		return 0, ErrClosing
	case f&First != 0 && c.is(txBegun):
		return 0, errCommitFirst
	case f&First == 0 && !c.is(txBegun):
		return 0, errCommitNone
	case !c.low.Cork():
		if len(b) == 0 {
			err = ErrNoRoom
		}
		return 0, err
	}
	room, given := sh.room, sh.given // of another connection, whose handler fills it
	n, err = c.send(b, f)
	sh.room, sh.given = room, given
	c.low.Uncork()
	return n, err
}

func (c *Conn) send(b []byte, f Flags) (n int, err error) {
	if len(b) == 0 {
		return 0, c.Commit(0, f)
	}
	for n < len(b) {
		rest, g := b[n:], f
		if n > 0 {
			g &^= First
		}
		if len(rest) >= roles.LendMin && c.packer == nil && !c.is(isClient) {
			if most := c.low.Lendable(maxHeader); most >= roles.LendMin {
				n += c.lend(rest[:min(len(rest), most)], g, len(rest) > most)
				continue
			}
		}
		r := c.Room(min(len(rest), MaxMin))
		if r == nil {
			return n, nil
		}
		k := copy(r, rest)
		if k < len(rest) {
			g &^= Last
		}
		if err = c.Commit(k, g); err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// lend sends b as one frame, from where it lies. more says that the piece goes on.
func (c *Conn) lend(b []byte, f Flags, more bool) int {
	if more {
		f &^= Last
	}
	h := putLongHeader(c.low.Room(maxHeader), c.bits(f), len(b))
	c.flags |= txBegun
	if f&Last != 0 {
		c.flags &^= txBegun
	}
	c.low.Commit(h)
	return c.low.Lend(b)
}
