package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// This file sends the messages of streams: Writable, which the transport calls, serves the streams of conn.ready in turn,
// and their handlers call SendHead, Room, Commit and SendTrailers. Frames of the connection itself are in control.go.

const (
	// maxPerWritable is how much one Writable produces before the transport may do other work: four records.
	maxPerWritable = 64 << 10
	// leastRoom is the least room that is asked for a DATA frame, if body and windows allow that much: less is not worth
	// a frame header.
	leastRoom = 4096
	// leastMove is the smallest payload of a DATA frame that counts as progress when it uses up a window: a peer must
	// not cause many small frames by small windows (CVE-2019-9511).
	leastMove = 256
)

// Writable implements roles.Upper: it sends stored control frames, and then serves the streams in turn.
func (c *conn) Writable(now time.Duration) {
	c.beginCall(now)
	if c.resumedCount > 0 {
		c.deliverResumed()
	}
	if c.phase >= expectClose || !c.flushOwed() {
		c.endWritable()
		return
	}
	c.noRoom, c.produced = false, 0
	fruitless := 0 // consecutive streams that wanted to write and wrote nothing
	for c.produced < maxPerWritable && !c.noRoom && fruitless <= len(c.streams) {
		x := c.ready.pop()
		if x == nil {
			break
		}
		x.setOut(outIdle)
		was := c.produced
		c.serve(x)
		if fruitless++; c.produced > was {
			fruitless = 0
			if c.peerEnded && !x.over() && !x.tunnelled() {
				c.startAnswerTimer(x)
			}
		}
		if x.is(wants) && x.out <= outQueued {
			c.enqueue(x)
			if c.noRoom && c.produced == was {
				c.ready.first(x) // it keeps its turn: the transport had no room for it
			}
		}
		if c.phase >= expectClose {
			break
		}
	}
	c.endWritable()
}

// endWritable ends a call of Writable, and asks for the next one if output waits.
func (c *conn) endWritable() {
	c.wakeConnBlocked()
	c.endCall()
	if c.phase < expectClose && (c.ready.First() != nil || len(c.owed) > 0) {
		c.low.WantWrite()
	}
}

// serve asks the handler or the owner of one stream for output, or sends 100 (Continue) for it. x is in no queue.
func (c *conn) serve(x *stream) {
	if x.is(owes100) && x.sending == unsent && !x.is(paused|wants) {
		c.send100(x)
		return
	}
	if x.tunnelled() {
		c.tunnelWritable(x)
		return
	}
	if !c.server && x.sending == unsent && c.opened >= c.peer.streams {
		x.moveOut(awaitSlot)
		c.slotsShort = true
		return
	}
	if x.is(wants) {
		x.flags &^= wants
		x.h.Writable(x)
		c.endRoom(x)
	}
	if !x.over() && x.flags&(owes100|paused) == owes100 && x.sending == unsent {
		c.send100(x)
	}
	c.afterOutput(x)
}

// afterOutput ends an exchange whose messages are both complete, and handles a request that is longer than its
// response.
func (c *conn) afterOutput(x *stream) {
	if x.over() || x.receiving == discardBody || x.sending != endSent {
		return
	}
	if x.inDone() && (!x.is(paused) || x.receiving == endDelivered) {
		c.complete(x)
		return
	}
	if !c.server {
		c.startResponseTimer(x)
		return
	}
	switch {
	case x.is(owes100), x.inLeft > c.sh.cfg.Limits.Drain:
		c.resetStream(x, NoError, errUnread)
	case x.is(paused):
		c.discardRest(x)
	}
}

// discardRest drops the kept bytes of a request whose handler has sent its whole response and has paused, and discards the
// bytes that follow.
func (c *conn) discardRest(x *stream) {
	x.flags &^= paused | manualCredit
	n := len(x.kept)
	c.dropKept(x)
	if x.inDone() {
		c.deliverEnd(x, nil)
		return
	}
	x.moveRecv(discardBody)
	c.returnStreamWindow(x, int64(n))
	x.pace.Resume(c.sh.now)
	c.startBodyTimer(x)
	c.drainBody(x, n)
}

// space returns the transport's room for a frame header and a payload of at least least bytes, or nil, and sets noRoom
// then. The room is the transport's: it is valid until commit or the next call of Room of the transport.
func (c *conn) space(least int) []byte {
	if c.phase >= expectClose || len(c.owed) > 0 {
		c.noRoom = true
		return nil
	}
	r := c.low.Room(least + headerLen)
	if r == nil {
		c.noRoom = true
	}
	return r
}

// commit sends the first n bytes of the room that space returned last.
func (c *conn) commit(n int) {
	c.low.Commit(n)
	c.produced += n
}

// sendBlock copies a header block into the transport's room, in as many frames as the peer's limit requires. prefix is sent
// before block, unless it is 0: the byte that sets the size of the peer's table. It returns false if there is no room.
func (c *conn) sendBlock(x *stream, block []byte, prefix byte, end bool) bool {
	size := len(block)
	if prefix != 0 {
		size++
	}
	maxPayload := int(c.peer.frame)
	frames := 1 + (size-1)/maxPayload
	r := c.space(size + (frames-1)*headerLen)
	if r == nil {
		return false
	}
	f := frame{typ: frameHeaders, stream: x.id}
	if end {
		f.flags = flagEndStream
	}
	n := 0
	for {
		k := min(size, maxPayload)
		if size -= k; size == 0 {
			f.flags |= flagEndHeaders
		}
		f.length = uint32(k)
		f.put(r[n:])
		n += headerLen
		if prefix != 0 {
			r[n] = prefix
			prefix = 0
			n, k = n+1, k-1
		}
		n += copy(r[n:], block[:k])
		if block = block[k:]; size == 0 {
			break
		}
		f.typ, f.flags = frameContinuation, 0
	}
	c.commit(n)
	return true
}

// Room implements http.Exchange. The slice is the payload of a DATA frame in the transport's room. It is valid until
// Commit, the handler's return from Writable, Room of another stream, or Cork of this one.
func (x *stream) Room() []byte {
	c := x.c
	if x.sending != headSent || x.over() || x.out == await100 {
		return nil
	}
	n := min(x.sendWin, c.sendWin, int64(c.peer.frame))
	if x.outLeft >= 0 {
		n = min(n, x.outLeft)
	}
	if n <= 0 {
		if x.outLeft != 0 {
			c.waitForWindow(x)
		}
		return nil
	}
	r := c.space(int(min(n, leastRoom)))
	if r == nil {
		return nil
	}
	n = min(n, int64(len(r)-headerLen))
	c.giveRoom(x, r[:headerLen+n], false)
	return r[headerLen : headerLen+n]
}

// giveRoom makes r, with space for a frame's header, the room of x until its Commit. spilled reports that r is not the
// transport's.
func (c *conn) giveRoom(x *stream, r []byte, spilled bool) {
	c.sh.room.Give(x, r)
	c.sh.overflowRoom, c.roomGiven = spilled, !spilled
}

// endRoom ends the room of x, if it has one.
func (c *conn) endRoom(x *stream) {
	c.sh.room.Drop(x)
	c.roomGiven = false
}

// waitForWindow makes a stream wait for its own window or the connection's, and starts the deadline of that.
func (c *conn) waitForWindow(x *stream) {
	switch {
	case x.sendWin > 0:
		c.queueConnBlocked(x)
	case x.out <= outQueued:
		x.wait(noWindow)
	}
	if x.outDue == 0 {
		if x.outDue = c.sh.deadline(c.sh.cfg.Timeouts.Window); x.outDue != 0 {
			c.setDue(x.outDue)
		}
	}
}

// Commit implements http.Exchange.
func (x *stream) Commit(n int, end bool) {
	c := x.c
	r := c.sh.room.Take(x)
	c.roomGiven = false
	switch {
	case x.over() || x.sending == endSent:
		return
	case x.out == await100:
		c.resetStream(x, Cancel, errCommitHeld)
		return
	case x.sending == unsent:
		c.resetStream(x, InternalError, errCommitHead)
		return
	case n < 0 || n > 0 && n > len(r)-headerLen:
		c.resetStream(x, InternalError, errCommitOver)
		return
	}
	if x.outLeft >= 0 {
		x.outLeft -= int64(n)
		if x.outLeft == 0 {
			end = true
		} else if end {
			if n > 0 {
				c.putData(x, r, n, false)
			}
			c.resetStream(x, InternalError, errCommitLess)
			return
		}
	}
	switch {
	case n > 0:
		c.putData(x, r, n, end)
	case end:
		c.sendEmptyEnd(x)
	}
	if end {
		x.endSent()
	}
}

// putData sends the DATA frame whose payload is in r.
func (c *conn) putData(x *stream, r []byte, n int, end bool) {
	x.putHead(r, n, end)
	c.commit(headerLen + n)
	if n >= leastMove || x.sendWin > 0 && c.sendWin > 0 {
		c.moved()
	}
}

// sendEmptyEnd sends END_STREAM in a DATA frame without payload, which needs no window and no room.
func (c *conn) sendEmptyEnd(x *stream) {
	var b [headerLen]byte
	frame{typ: frameData, flags: flagEndStream, stream: x.id}.put(b[:])
	c.control(b[:])
}

// endSent records that END_STREAM was sent: our message is complete.
func (x *stream) endSent() {
	x.moveSend(endSent)
	x.outDue = 0
	x.flags &^= wants
	x.move(sendEnd)
	if !x.c.server && x.receiving == awaitHead {
		x.c.startResponseTimer(x)
	}
}

// SendTrailers implements http.Exchange.
func (x *stream) SendTrailers(t []http.Field) error {
	c := x.c
	if x.over() || x.out == await100 || x.sending != headSent {
		return http.ErrNoRoom
	}
	if len(t) == 0 {
		x.Commit(0, true)
		return nil
	}
	if x.outLeft > 0 {
		c.resetStream(x, InternalError, errCommitLess)
		return nil
	}
	var block []byte
	var err error
	if c.server {
		block, err = c.sh.trailers(t)
	} else if err = checkFields(t, http.Other); err == nil {
		size := maxBlockLen(0, t)
		switch {
		case size > roles.MaxRoom-headerLen:
			return errSendSize
		case c.space(size) == nil: // checked before encoding: an encoded block has changed the table, and must be sent
			return http.ErrNoRoom
		}
		block = c.side.(*Client).encoder.trailers(c.sh, t)
	}
	if err != nil {
		return err
	}
	if !c.sendBlock(x, block, 0, true) {
		return http.ErrNoRoom
	}
	x.move(sendHeaders)
	x.endSent()
	return nil
}

// SendHead implements http.Exchange.
func (x *stream) SendHead(m *http.Message, end bool) error {
	if x.over() || x.sending != unsent {
		return errSendTwice
	}
	if x.c.server {
		return x.c.sendResponse(x, m, end)
	}
	return x.c.sendRequest(x, m, end)
}
