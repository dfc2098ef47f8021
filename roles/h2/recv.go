package h2

import (
	"encoding/binary"
	"time"
)

// preface is the client's connection preface (RFC 9113 s.3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Rx implements roles.Upper.
func (c *conn) Rx(now time.Duration, b []byte) (used int) {
	c.beginCall(now)
	c.lastRx = now
	if c.resumedCount > 0 {
		c.deliverResumed()
	}
	for used < len(b) && c.phase < expectClose {
		n := c.consume(b[used:])
		if n == 0 {
			break
		}
		used += n
	}
	switch {
	case c.phase >= expectClose:
		used = len(b)
	case used == len(b) && c.phase != expectContinuation:
		c.frameDue = 0
	case c.frameDue == 0 || used > 0 && c.phase != expectContinuation:
		c.frameDue = c.sh.deadline(c.sh.cfg.Timeouts.Frame)
	}
	c.endCall()
	return used
}

// consume uses the front of b and returns how many bytes it used; 0 means that it needs more.
func (c *conn) consume(b []byte) int {
	switch c.phase {
	case expectPreface:
		n := min(len(b), len(preface))
		if string(b[:n]) != preface[:n] {
			c.fail(errPreface)
			return len(b)
		}
		if n < len(preface) {
			return 0
		}
		c.moveTo(expectSettings)
		return n
	case expectData:
		return c.consumeData(b)
	case expectPadding:
		return c.consumePadding(b)
	}
	if len(b) < headerLen {
		return 0
	}
	f := parseFrame(b)
	if bad := c.checkFrame(f); bad != nil {
		c.fail(bad)
		return len(b)
	}
	if f.typ == frameData {
		return c.startData(f, b)
	}
	n := headerLen + int(f.length)
	if len(b) < n {
		return 0
	}
	if bad := c.dispatch(f, b[headerLen:n]); bad != nil {
		c.fail(bad)
	}
	return n
}

// checkFrame checks the header of a frame.
func (c *conn) checkFrame(f frame) *fault {
	switch {
	case c.phase == expectSettings && (f.typ != frameSettings || f.has(flagAck)):
		return errFirst
	case f.length > c.sh.cfg.Limits.Frame:
		return errFrameSize
	case (c.phase == expectContinuation) != (f.typ == frameContinuation) || c.phase == expectContinuation && f.stream != c.partial.stream:
		return errInterleaved
	}
	return nil
}

// dispatch handles a complete frame. A fault ends the connection.
func (c *conn) dispatch(f frame, p []byte) *fault {
	switch f.typ {
	case frameHeaders:
		return c.onHeaders(f, p)
	case frameContinuation:
		return c.onContinuation(f, p)
	case framePriority:
		return c.onPriority(f, p)
	case frameReset:
		return c.onReset(f, p)
	case frameSettings:
		return c.onSettings(f, p)
	case framePing:
		return c.onPing(f, p)
	case frameGoAway:
		return c.onGoAway(f, p)
	case frameWindow:
		return c.onWindow(f, p)
	case framePush:
		return errPush
	case framePriorityUpdate:
		return c.onPriorityUpdate(f, p)
	}
	return c.idleFrame() // unknown types are ignored (RFC 9113 s.5.5)
}

// idleFrame counts a frame without progress.
func (c *conn) idleFrame() *fault {
	if !c.frameBudget.spend(c.sh.now, c.sh.cfg.Limits.Frames, c.sh.cfg.Limits.FrameRate) {
		return errFloodFrames
	}
	return nil
}

// countReset counts a stream that ends with a reset by a fault of the peer, or by the peer.
func (c *conn) countReset() *fault {
	if !c.resetBudget.spend(c.sh.now, c.sh.cfg.Limits.Resets, c.sh.cfg.Limits.ResetRate) {
		return errFloodResets
	}
	return nil
}

// moved forgives frames without progress, after one with progress.
func (c *conn) moved() { c.frameBudget.forgive(4) }

// neverOpened reports whether a stream is idle (RFC 9113 s.5.1).
func (c *conn) neverOpened(id uint32) bool {
	if c.isOurs(id) {
		return id >= c.nextOut
	}
	return id > c.topIn
}

// isOurs reports whether id is one that this end gives.
func (c *conn) isOurs(id uint32) bool { return (id%2 == 0) == c.server }

func (c *conn) onPriority(f frame, p []byte) *fault {
	switch {
	case f.stream == 0:
		return errFrameStream
	case len(p) != 5:
		return c.failStreamID(f.stream, errFrameLen)
	case binary.BigEndian.Uint32(p)&maxWindow == f.stream:
		return c.failStreamID(f.stream, errSelf)
	}
	return c.idleFrame()
}

// failStreamID ends a stream, open or closed, because of a fault of the peer. An idle stream cannot be reset (RFC
// 9113 s.6.4): the fault ends the connection then (s.5.4.2).
func (c *conn) failStreamID(id uint32, f *fault) *fault {
	if x := c.find(id); x != nil {
		c.failStream(x, f)
		return nil
	}
	if c.neverOpened(id) {
		return f
	}
	c.count(f)
	c.sendReset(id, f.code)
	return c.countReset()
}

func (c *conn) onReset(f frame, p []byte) *fault {
	switch {
	case f.stream == 0:
		return errFrameStream
	case len(p) != 4:
		return errFrameLen
	case c.neverOpened(f.stream):
		return errIdle
	}
	c.sh.Counters.ResetsIn++
	x := c.find(f.stream)
	how := notReset
	if x == nil {
		how = c.howReset(f.stream)
	}
	answered := x == nil && how == notReset || x != nil && x.hasResponse()
	if answered || how == resetByUs {
		// No work is lost: it costs as much as a request that ends in order, or it crossed our own reset.
		if bad := c.idleFrame(); bad != nil {
			return bad
		}
	} else if bad := c.countReset(); bad != nil {
		return bad
	}
	if x != nil || answered {
		c.noteReset(f.stream, true)
	}
	if x == nil {
		return nil
	}
	if x.state != closed {
		x.move(recvReset)
	}
	code := Code(binary.BigEndian.Uint32(p))
	switch {
	case code != NoError || !answered:
	case !c.server:
		// The server has answered and does not want the rest of the request (RFC 9113 s.8.1). The handler still gets
		// what is kept of the response.
		if x.sending != endSent {
			x.moveSend(endSent)
		}
		x.stopOutput()
		c.complete(x)
		return nil
	case x.owner == nil && x.received == 0 && x.inLeft <= 0:
		// The request had no body. The client sends no END_STREAM but resets each stream once it has the response.
		if x.receiving == endDelivered {
			c.complete(x)
		} else {
			c.deliverEnd(x, nil)
		}
		return nil
	}
	c.finish(x, &ResetError{code})
	return nil
}

// hasResponse reports whether the response is complete: sent at a server, received at a client.
func (x *stream) hasResponse() bool {
	if x.c.server {
		return x.sending == endSent
	}
	return x.inDone()
}

func (c *conn) onSettings(f frame, p []byte) *fault {
	switch {
	case f.stream != 0:
		return errFrameStream
	case f.has(flagAck):
		if len(p) > 0 {
			return errSettingsAck
		}
		c.settingsDue = 0
		c.settingsAcked()
		return c.idleFrame()
	case len(p)%settingLen != 0:
		return errFrameLen
	}
	first := c.phase == expectSettings
	if first {
		c.moveTo(expectFrame)
		c.peer.streams = maxWindow // no limit unless the frame has one
	}
	was := c.peer
	if bad := c.peer.apply(p, c.server); bad != nil {
		return bad
	}
	if delta := int64(c.peer.window) - int64(was.window); delta != 0 {
		for _, x := range c.streams {
			if x.sendWin += delta; x.sendWin > maxWindow {
				if !c.tolerant {
					return errWindowBig
				}
				x.sendWin = maxWindow
			}
			c.windowGrew(x)
		}
	}
	if first {
		for _, x := range c.streams {
			if x.out == awaitSettings {
				x.moveOut(outIdle)
				if x.is(wants) {
					x.WantWrite()
				}
			}
		}
	}
	if !c.server && c.peer.table != was.table {
		c.side.(*Client).encoder.resize(c.sh, c.peer.table)
	}
	c.control([]byte{0, 0, 0, byte(frameSettings), flagAck, 0, 0, 0, 0})
	c.side.slotsChanged()
	if first {
		return nil
	}
	return c.idleFrame()
}

// settingsAcked applies our SETTINGS: the peer uses them from now on.
func (c *conn) settingsAcked() {
	if c.settingsSeen {
		return
	}
	c.settingsSeen = true
	c.dec.SetAllowedMaxDynamicTableSize(c.sh.cfg.Limits.Table)
	if less := int64(defaultWindow - c.window); c.server && less > 0 {
		for _, x := range c.streams {
			x.recvWin -= less
		}
	}
}

// drainPing is the payload of a drain's PING, whose acknowledgement proves that the peer has seen GOAWAY.
const drainPing = "millrdrn"

func (c *conn) onPing(f frame, p []byte) *fault {
	switch {
	case f.stream != 0:
		return errFrameStream
	case len(p) != 8:
		return errFrameLen
	case f.has(flagAck):
		c.pingSent = false
		if c.draining == drainPinged && string(p) == drainPing {
			c.drainDue = 0
			c.drainTo(drainLast)
			c.ignoreAbove = c.lastIn
			c.sendGoAway(c.lastIn, NoError, "")
		}
		return c.idleFrame()
	}
	b := [headerLen + 8]byte{2: 8, 3: byte(framePing), 4: flagAck}
	copy(b[headerLen:], p)
	c.control(b[:])
	return c.idleFrame()
}

// maxDebug is how much of a GOAWAY's debug data is kept.
const maxDebug = 120

func (c *conn) onGoAway(f frame, p []byte) *fault {
	switch {
	case f.stream != 0:
		return errFrameStream
	case len(p) < 8:
		return errFrameLen
	}
	c.sh.Counters.GoneAway++
	if bad := c.idleFrame(); bad != nil {
		return bad
	}
	g := &GoAwayError{
		Last: binary.BigEndian.Uint32(p) & maxWindow,
		Code: Code(binary.BigEndian.Uint32(p[4:])),
	}
	g.Debug = string(p[8:min(len(p), 8+maxDebug)])
	if c.goAway != nil && g.Last > c.goAway.Last {
		g.Last = c.goAway.Last // it must not increase (RFC 9113 s.6.8)
	}
	c.goAway = g
	if c.server {
		return nil // it limits pushes, of which there are none
	}
	if c.draining == notDraining {
		c.drainTo(drainLast)
	}
	for i := len(c.streams) - 1; i >= 0; i-- {
		x := c.streams[i]
		if x.id > g.Last || x.id == 0 {
			c.finish(x, &GoAwayError{Code: g.Code, Last: g.Last, Debug: g.Debug, Unseen: true})
		}
	}
	c.side.noMoreStreams()
	return nil
}

func (c *conn) onWindow(f frame, p []byte) *fault {
	if len(p) != 4 {
		return errFrameLen
	}
	n := int64(binary.BigEndian.Uint32(p) & maxWindow)
	if bad := c.idleFrame(); bad != nil {
		return bad
	}
	if f.stream == 0 {
		if n == 0 {
			return errWindowZero
		}
		if c.sendWin += n; c.sendWin > maxWindow {
			if !c.tolerant {
				return errWindowBig
			}
			c.sendWin = maxWindow
		}
		c.wakeConnBlocked()
		return nil
	}
	if c.neverOpened(f.stream) {
		return errIdle
	}
	x := c.find(f.stream)
	switch {
	case x == nil:
		return nil
	case n == 0:
		c.failStream(x, errWindowZero)
		return nil
	}
	if x.sendWin += n; x.sendWin > maxWindow {
		if !c.tolerant {
			c.failStream(x, errWindowBig)
			return nil
		}
		x.sendWin = maxWindow
	}
	c.windowGrew(x)
	return nil
}
