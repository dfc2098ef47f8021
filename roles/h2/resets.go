package h2

// howReset reports who has reset a stream.
type howReset uint8

const (
	notReset howReset = iota
	resetByUs
	resetByPeer
)

// resets remembers the streams that were reset lately.
type resets struct {
	ids       [64]uint32 // the id, with the top bit set if the peer reset it
	n         uint32     // in total
	forgotten uint32     // the highest id that was forgotten
}

const byPeerBit = 1 << 31

// noteReset remembers that a stream was reset.
func (c *conn) noteReset(id uint32, byPeer bool) {
	if c.resets == nil {
		c.resets = new(resets)
	}
	r := c.resets
	at := &r.ids[r.n%uint32(len(r.ids))]
	if *at != 0 {
		r.forgotten = max(r.forgotten, *at&^byPeerBit)
	}
	if *at = id; byPeer {
		*at |= byPeerBit
	}
	r.n++
}

// howReset reports how a closed stream was reset. For an old stream that it may have forgotten it returns resetByUs,
// which costs the peer nothing.
func (c *conn) howReset(id uint32) howReset {
	r := c.resets
	if r == nil {
		return notReset
	}
	for _, v := range r.ids {
		if v&^byPeerBit == id {
			if v&byPeerBit != 0 {
				return resetByPeer
			}
			return resetByUs
		}
	}
	if id <= r.forgotten {
		return resetByUs
	}
	return notReset
}
