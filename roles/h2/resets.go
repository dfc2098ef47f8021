package h2

// howReset is who ended a stream before its time.
type howReset uint8

const (
	notReset howReset = iota
	resetByUs
	resetByPeer
)

// resets remembers the streams that were reset lately.
type resets struct {
	ids       [64]uint32 // the number, its top bit set if the peer reset it
	n         uint32     // ever
	forgotten uint32     // the highest number that was forgotten
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

// howReset tells how a stream that is closed was reset. Of one so old that it may have been forgotten it says
// that we did, which costs its peer nothing.
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
