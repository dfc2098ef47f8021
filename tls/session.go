package tls

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
)

// flags are what a Session remembers between calls.
type flags uint16

const (
	stands   flags = 1 << iota // the handshake is over
	opened                     // upper was told Opened
	inside                     // a call from the transport is in progress
	wants                      // Writable is owed to upper
	paused                     // upper takes no Rx
	inDone                     // the peer has sent close_notify
	outDone                    // we have sent close_notify, or our direction is over in another way
	finAsked                   // CloseWrite was called
	owesKeys                   // a KeyUpdate is to go before the next data
	closing                    // nothing more for upper but Closed
	ours                       // the record layer was taken over
	resumed                    // from a ticket
	closed                     // Closed was told
	wakes                      // Woken is owed to upper
)

// Session is one connection's TLS: the roles.Upper of its transport and the roles.Lower of the protocol
// that stands on it. It is a value to embed: call InitServer or InitClient, then SetUpper or SetChooser,
// and hand it to the transport. It must not be copied afterwards.
//
// Upper's Opened comes when the handshake is over; a handshake that fails is told by its Closed alone.
// The peer's close_notify is RxEnd; a connection that ends without one is closed with ErrTruncated.
//
// It keeps the contract of roles.Lower with one exception. After Close(Graceful) the transport is closed
// when it has taken our close_notify, for without it the peer could not tell our end from a cut; when it
// refuses output meanwhile, Closed comes later than in this turn, after five seconds at the latest.
type Session struct {
	low     roles.Lower
	upper   roles.Upper
	end     *end
	hs      *handshake // until the session stands
	conn    *keptConn  // of sessions that keep their tls.Conn
	held    *held      // output that the transport refused, and what waits for it
	aw      *awake     // nil asleep
	plain   uint32     // see rxRecords
	skip    uint32
	flags   flags
	suite   uint8 // index in suites
	useless uint8 // records that brought nothing, in a row
	fragLen uint8 // bytes in frag
	alpn    uint8 // index in end.alpn, from 1
	group   uint16
	in, out direction // of sessions whose record layer is ours

	// What follows is not looked at for a record that brings data.

	peer    *peer  // nil when there is nothing to tell of the peer
	updates uint32 // KeyUpdates in the ten seconds numbered window
	window  uint32
	frag    [4]byte // a handshake message that was cut by the end of a record
	version uint16
	cipher  uint16
}

var (
	_ roles.Upper = (*Session)(nil)
	_ roles.Lower = (*Session)(nil)
)

// InitServer makes s the server's side of a connection on low. s must not be in use.
func (s *Session) InitServer(v *Server, low roles.Lower) { s.init(&v.end, low) }

// InitClient makes s the client's side of a connection on low. s must not be in use.
func (s *Session) InitClient(v *Client, low roles.Lower) { s.init(&v.end, low) }

// Lower is what s stands on.
func (s *Session) Lower() roles.Lower { return s.low }

func (s *Session) init(e *end, low roles.Lower) {
	*s = Session{low: low, end: e}
	s.hs = &handshake{s: s}
}

// SetUpper sets the protocol that will stand on s.
func (s *Session) SetUpper(u roles.Upper) { s.upper = u }

// SetChooser has the protocol chosen by the name that ALPN settled on, "" for none, when the handshake is
// over and before Opened. f must not return nil. A handshake that fails is told to the Upper that SetUpper
// named, if any.
func (s *Session) SetChooser(f func(alpn string) roles.Upper) { s.hs.choose = f }

// Upper is the protocol that stands on s.
func (s *Session) Upper() roles.Upper { return s.upper }

// Label names the connection in reports: by its protocol's name, if it has one.
func (s *Session) Label() string {
	if l, ok := s.upper.(roles.Labelled); ok {
		return l.Label() + " over TLS"
	}
	return "TLS"
}

// Opened is roles.Upper's.
func (s *Session) Opened(now time.Duration) {
	s.enter(now)
	s.hs.limit = now + s.end.sh.cfg.Handshake
	s.hs.due = s.hs.limit
	s.advance(now)
	s.leave(now, false)
}

// Rx is roles.Upper's.
func (s *Session) Rx(now time.Duration, b []byte) (used int) {
	if s.flags&closing != 0 {
		return len(b)
	}
	s.enter(now)
	if s.hs != nil {
		used = s.rxHandshake(now, b)
	}
	if s.flags&(stands|closing) == stands {
		used += s.rxRecords(now, b[used:])
	}
	s.leave(now, used > 0)
	return used
}

// RxEnd is roles.Upper's.
func (s *Session) RxEnd(now time.Duration, _ int) {
	if s.flags&(inDone|closing) != 0 {
		return
	}
	s.enter(now)
	s.end.sh.Counters.Truncated++
	op := "read"
	if s.hs != nil {
		op = "handshake"
	}
	err := error(ErrTruncated)
	if s.hs != nil && s.hs.silent() {
		err = s.end.unanswered(err)
	}
	s.flags |= outDone // nobody waits for our close_notify
	s.finish(roles.Graceful, &Error{Op: op, Peer: s.end.name, Err: err})
	s.leave(now, false)
}

// HungUp is roles.HangUpWatcher's: it is passed on.
func (s *Session) HungUp(now time.Duration) {
	u, ok := s.upper.(roles.HangUpWatcher)
	if !ok || s.flags&(opened|closing) != opened {
		return
	}
	s.enter(now)
	u.HungUp(now)
	s.leave(now, false)
}

// Writable is roles.Upper's.
func (s *Session) Writable(now time.Duration) {
	s.enter(now)
	switch {
	case s.held != nil && !s.flushHeld():
	case s.flags&closing != 0:
	case s.hs != nil:
		s.advance(now)
	default:
		s.open(now)
		s.settle()
		if s.flags&(wants|closing|outDone) == wants {
			// The transport promises MaxRoom, and that is what we promise: with the record around it.
			if s.low.Room(roles.MaxRecord) == nil {
				s.low.WantWrite()
			} else {
				s.flags &^= wants
				s.upper.Writable(now)
			}
		}
	}
	s.leave(now, false)
}

// Woken is roles.Upper's. The session asks for none itself.
func (s *Session) Woken(now time.Duration) {
	if s.flags&(wakes|opened|closing) != wakes|opened {
		return
	}
	s.flags &^= wakes
	s.enter(now)
	s.upper.Woken(now)
	s.leave(now, false)
}

// Deadline is roles.Upper's.
func (s *Session) Deadline() time.Duration {
	switch {
	case s.held != nil && s.held.due != 0:
		return s.held.due
	case s.flags&closing != 0:
		return 0
	case s.hs != nil:
		return s.hs.due
	case s.flags&opened != 0:
		return s.upper.Deadline()
	}
	return 0
}

// Timeout is roles.Upper's.
func (s *Session) Timeout(now time.Duration) {
	s.enter(now)
	switch {
	case s.held != nil && s.held.due != 0:
		if s.held.due <= now {
			s.giveUp()
		}
	case s.flags&closing != 0:
	case s.hs != nil:
		if s.hs.due != 0 && s.hs.due <= now {
			if s.hs.due < s.hs.limit {
				s.end.sh.Counters.NoReply++
			}
			err := error(ErrTimeout)
			if s.hs.silent() {
				err = s.end.unanswered(err)
			}
			s.finish(roles.Immediate, &Error{Op: "handshake", Peer: s.end.name, Err: err})
		}
	case s.flags&opened != 0:
		if d := s.upper.Deadline(); d != 0 && d <= now {
			s.upper.Timeout(now)
		}
	}
	s.leave(now, false)
}

// Closed is roles.Upper's.
func (s *Session) Closed(cause error) {
	if s.flags&closed != 0 {
		return
	}
	if s.hs != nil && s.hs.silent() && s.flags&closing == 0 && cause != nil {
		// The transport was reset or ran out of time before we did.
		cause = s.end.unanswered(cause)
	}
	s.flags |= closing | closed
	sh := s.end.sh
	sh.open.Drop(s)
	if h := s.hs; h != nil {
		if h.resume != nil {
			sh.Counters.Failed++
		}
		h.release()
		s.hs = nil
	}
	s.wipe()
	if s.upper != nil {
		s.upper.Closed(cause)
	}
}

// wipe gives back what the session holds and overwrites our copies of its secrets.
func (s *Session) wipe() {
	sh := s.end.sh
	if s.held != nil {
		s.low.Hold(roles.HoldOutput, -cap(s.held.b))
		s.held = nil
	}
	if s.conn != nil {
		s.conn = nil
		s.low.Hold(roles.HoldSession, -keptCost)
	}
	if s.aw != nil {
		sh.giveAwake(s.aw)
		s.aw = nil
	}
	s.in, s.out = direction{}, direction{}
}

func (s *Session) enter(now time.Duration) {
	s.flags |= inside
	s.end.sh.now = now
}

// leave ends a call from the transport: what was committed meanwhile becomes a record. After an Rx that
// used something, and will therefore be repeated, upper may be asked for output at once, so that what it
// has to say to one read leaves in one record.
func (s *Session) leave(now time.Duration, more bool) {
	if s.flags&(stands|closing) == stands {
		s.open(now)
		if more && s.flags&(wants|closing|outDone) == wants && roles.OutputFirst(true, s.roomy()) {
			s.flags &^= wants
			s.upper.Writable(now)
			s.open(now)
		}
		s.settle()
	}
	s.seal()
	s.flags &^= inside
	if s.flags&(wants|stands|closing|outDone|finAsked) == wants|stands {
		s.low.WantWrite()
	}
}

// open tells upper Opened if it has not been told, also when that leads to another one.
func (s *Session) open(now time.Duration) {
	for s.flags&(stands|opened|closing) == stands {
		s.flags |= opened
		s.upper.Opened(now)
		if s.flags&wakes != 0 {
			s.low.Wake() // asked for before, or just now
		}
	}
}

// rxRecords opens the records in b and offers what is in them, and returns how many bytes of b are done
// with.
//
// What upper leaves stays in b, which is the transport's, as plaintext: b[0:s.plain] of the next call is
// what upper has left, s.skip bytes of opened records' ends follow, and then come records as the peer
// sent them.
func (s *Session) rxRecords(now time.Duration, b []byte) (used int) {
	var taken int // plaintext, which upper credits itself
	fresh := true // there is something that upper has not seen since it was last asked
	for s.flags&closing == 0 {
		s.open(now)
		if s.flags&(paused|closing) != 0 {
			break
		}
		if s.flags&inDone != 0 {
			// Nothing counts behind close_notify (RFC 8446 s.6.1).
			s.skip = uint32(len(b)-used) - s.plain
		}
		if s.plain > 0 && fresh {
			n := s.upper.Rx(now, b[used:used+int(s.plain)])
			if n < 0 || n > int(s.plain) {
				panic(fmt.Sprintf("tls: rx: %T used %d of %d bytes", s.upper, n, s.plain))
			}
			used, taken, s.plain = used+n, taken+n, s.plain-uint32(n)
			// What is left is offered until nothing moves, as a transport does.
			fresh = n > 0 || s.flags&opened == 0
			if fresh && s.plain > 0 {
				if roles.OutputFirst(s.flags&wants != 0, true) {
					break
				}
				continue
			}
		}
		if s.plain == 0 {
			used += int(s.skip)
			s.skip = 0
		}
		if s.flags&(paused|closing) != 0 || used == len(b) {
			break
		}
		at := used + int(s.plain) + int(s.skip)
		n, content := s.record(now, b[at:])
		if n == 0 {
			break
		}
		if len(content) == 0 {
			s.skip += uint32(n)
			continue
		}
		used = s.join(b, used, at, n, len(content))
		fresh = true
	}
	if over := used - taken; over > 0 {
		s.low.Credit(over)
	}
	return used
}

// join brings plaintext of size bytes, in the record of n bytes at b[at:], together with what upper has
// left at b[used:], and returns where the two begin. It never moves more bytes than came: a peer that
// sends its bytes one by one must not have us move all the others each time.
func (s *Session) join(b []byte, used, at, n, size int) int {
	plain, content, end := int(s.plain), at+headerLen, at+n
	switch {
	case plain <= size:
		copy(b[content-plain:content], b[used:used+plain])
		used = content - plain
		plain += size
	default:
		copy(b[used+plain:], b[content:content+size])
		plain += size
		// The gap behind would keep the transport's buffer from being used: when it has grown as long
		// as the plaintext, that moves across it.
		if gap := end - used - plain; gap >= plain {
			copy(b[end-plain:end], b[used:used+plain])
			used = end - plain
		}
	}
	s.plain, s.skip = uint32(plain), uint32(end-used-plain)
	return used
}

// record opens the record at the head of b in place and acts on it. n is its length, 0 when it is not all
// there or the session has failed; content is the data in it, at b[headerLen:], empty if it had none.
func (s *Session) record(now time.Duration, b []byte) (n int, content []byte) {
	if s.conn != nil {
		return s.readKept(now, b)
	}
	n, e := whole(b)
	if e != nil {
		s.protocolError(e)
		return 0, nil
	}
	if n == 0 {
		return 0, nil
	}
	content, typ, e := s.wakeIn(now).open(b[:n], s.in.seq, &s.end.sh.nonce)
	if e == nil {
		s.in.seq++
		s.end.sh.Counters.RecordsIn++
		content, e = s.judge(now, content, typ)
	}
	if e != nil {
		s.protocolError(e)
		return 0, nil
	}
	return n, content
}

// peerEnded tells upper of a close_notify. What it has left is offered again afterwards.
func (s *Session) peerEnded(now time.Duration) {
	s.flags |= inDone
	s.upper.RxEnd(now, int(s.plain))
}

func (s *Session) protocolError(e *ProtocolError) {
	s.fail(e.Alert, &Error{Op: "read", Peer: s.end.name, Err: e})
}
