package h2

import "github.com/millrace/millrace/roles"

// aside is a room that a handler fills, while another connection sends.
type aside struct {
	room         roles.Claim[*stream]
	overflowRoom bool
	overflow     []byte
}

// cork opens the connection's output for stream x. While the handler of another stream of the connection fills a room,
// nothing can be sent.
func (c *conn) cork(x *stream) bool {
	sh := c.sh
	switch {
	case c.phase >= expectClose, len(c.owed) > 0, c.roomGiven && !sh.room.Is(x):
		return false
	case sh.room.Is(x):
		c.endRoom(x) // x sends instead of filling it
	}
	if !c.low.Cork() {
		return false
	}
	a := &sh.aside
	a.room, sh.room = sh.room, roles.Claim[*stream]{}
	a.overflowRoom, sh.overflowRoom = sh.overflowRoom, false
	if a.overflowRoom {
		a.overflow, sh.overflow = sh.overflow, a.overflow
	}
	return true
}

func (c *conn) uncork() {
	sh := c.sh
	a := &sh.aside
	if a.overflowRoom {
		a.overflow, sh.overflow = sh.overflow, a.overflow
	}
	sh.room, sh.overflowRoom = a.room, a.overflowRoom
	a.room, a.overflowRoom = roles.Claim[*stream]{}, false
	c.low.Uncork()
}

// Cork implements http.Exchange.
func (x *stream) Cork() bool { return !x.over() && !x.tunnelled() && x.out <= outQueued && x.c.cork(x) }

// Uncork implements http.Exchange.
func (x *stream) Uncork() { x.c.uncork() }

// Send implements http.Exchange.
func (x *stream) Send(b []byte, end bool) (n int, whole bool) {
	c := x.c
	if x.over() || x.out > outQueued || x.sending != headSent {
		return 0, len(b) == 0 && x.sending == endSent
	}
	for n < len(b) && x.outLeft != 0 {
		most := min(x.sendWin, c.sendWin, int64(c.peer.frame), int64(len(b)-n))
		if x.outLeft > 0 {
			most = min(most, x.outLeft)
		}
		if most <= 0 {
			c.waitForWindow(x)
			break
		}
		k := x.sendData(b[n:n+int(most)], end && n+int(most) == len(b))
		if n += k; k == 0 {
			break
		}
	}
	if x.sending == headSent && n == len(b) && end {
		if x.outLeft > 0 {
			c.resetStream(x, InternalError, errCommitLess)
			return n, false
		}
		var f [headerLen]byte
		frame{typ: frameData, flags: flagEndStream, stream: x.id}.put(f[:])
		c.control(f[:])
		x.endSent()
	}
	if c.peerEnded && n > 0 {
		c.startAnswerTimer(x)
	}
	if x.sending == endSent {
		c.enqueue(x) // it may be complete
		c.low.WantWrite()
	}
	return n, n == len(b)
}

// sendData sends one DATA frame with b, or with as much of it as there is room for, and returns how much that was. The
// windows have place for all of b. end says that the body ends with it.
func (x *stream) sendData(b []byte, end bool) int {
	c := x.c
	n, lend := len(b), false
	if n >= roles.LendMin {
		if most := c.low.Lendable(headerLen); most >= min(n, roles.LendMin) {
			n, lend = min(n, most), true
		}
	}
	least := headerLen
	if !lend {
		least += min(n, leastRoom)
	}
	r := c.low.Room(least)
	if r == nil {
		c.noRoom = true
		return 0
	}
	if !lend {
		n = copy(r[headerLen:], b)
	}
	if x.outLeft > 0 {
		x.outLeft -= int64(n)
	}
	end = end && n == len(b) || x.outLeft == 0
	if lend {
		x.putHead(r, n, end)
		c.commit(headerLen)
		c.low.Lend(b[:n])
		c.produced += n
	} else {
		x.putHead(r, n, end)
		c.commit(headerLen + n)
	}
	if n >= leastMove || x.sendWin > 0 && c.sendWin > 0 {
		c.moved()
	}
	if end {
		x.endSent()
	}
	return n
}

// putHead writes the header of a DATA frame with n octets, which the windows lose.
func (x *stream) putHead(r []byte, n int, end bool) {
	f := frame{length: uint32(n), typ: frameData, stream: x.id}
	if end {
		f.flags = flagEndStream
	}
	f.put(r)
	x.sendWin -= int64(n)
	x.c.sendWin -= int64(n)
}

// Cork implements roles.Lower.
func (t *tunnel) Cork() bool {
	x := (*stream)(t)
	return !x.over() && x.sending == headSent && len(x.pendingOut) == 0 && x.c.cork(x)
}

// Uncork implements roles.Lower.
func (t *tunnel) Uncork() { t.c.uncork() }

// Lendable implements roles.Lower: 0. Room holds what the windows have no place for.
func (t *tunnel) Lendable(int) int { return 0 }

// Lend implements roles.Lower.
func (t *tunnel) Lend([]byte) int { return 0 }
