package tls

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
)

// flags is the state of a Session between calls.
type flags uint16

const (
	established   flags = 1 << iota // the handshake is over
	opened                          // Opened was called on upper
	inside                          // a call from the transport is in progress
	wantsWritable                   // upper waits for Writable
	paused                          // upper accepts no Rx
	inDone                          // the peer has sent close_notify
	outDone                         // we have sent close_notify, or our direction has ended in another way
	finAsked                        // CloseWrite was called
	owesKeys                        // a KeyUpdate must be sent before further data
	closing                         // only Closed may be called on upper
	ours                            // the record layer was taken over from crypto/tls
	resumed                         // with a ticket
	closed                          // Closed was called
	wantsWoken                      // upper waits for Woken
	corked                          // between Cork and Uncork, outside of a call from the transport
)

// Session is the TLS of one connection: the roles.Upper of its transport and the roles.Lower of the protocol above
// it. Embed it as a value: call InitServer or InitClient, then SetUpper or SetChooser, and pass it to the transport.
// It must not be copied afterwards.
//
// Upper's Opened is called at the end of the handshake; if the handshake fails, only Closed is called. The peer's
// close_notify is reported as RxEnd; a connection that ends without one is closed with ErrTruncated.
//
// Session keeps the contract of roles.Lower with one exception. After Close(Graceful) the transport is closed when it
// has accepted our close_notify, since without it the peer could not distinguish our end from a truncation. If the
// transport refuses output meanwhile, Closed is called later than in this turn, after five seconds at the latest.
type Session struct {
	low          roles.Lower
	upper        roles.Upper
	endpoint     *endpoint
	hs           *handshake  // until the session is established
	conn         *stdConn    // of sessions that keep their tls.Conn
	pendingOut   *pendingOut // output that the transport refused, and the actions after it
	aw           *awake      // nil while the session sleeps
	plain        uint32      // see rxRecords
	skip         uint32
	flags        flags
	suite        uint8 // index in suites
	emptyRecords uint8 // successive records without data
	fragLen      uint8 // bytes in frag
	alpn         uint8 // index in endpoint.alpn, from 1
	group        uint16
	in, out      direction // of sessions whose record layer is ours

	// The following fields are not used for a record with data.

	peer    *peer  // nil if nothing is known about the peer
	updates uint32 // KeyUpdates in the ten seconds with number window
	window  uint32
	frag    [4]byte // start of a handshake message that continues in the next record
	version uint16
	cipher  uint16
}

var (
	_ roles.Upper = (*Session)(nil)
	_ roles.Lower = (*Session)(nil)
)

// InitServer initialises s as the server side of a connection on low. s must not be in use.
func (s *Session) InitServer(v *Server, low roles.Lower) { s.init(&v.endpoint, low) }

// InitClient initialises s as the client side of a connection on low. s must not be in use.
func (s *Session) InitClient(v *Client, low roles.Lower) { s.init(&v.endpoint, low) }

// Lower returns the transport of s.
func (s *Session) Lower() roles.Lower { return s.low }

func (s *Session) init(e *endpoint, low roles.Lower) {
	*s = Session{low: low, endpoint: e}
	s.hs = &handshake{s: s}
}

// SetUpper sets the protocol above s.
func (s *Session) SetUpper(u roles.Upper) { s.upper = u }

// SetChooser sets a function that selects the protocol by the negotiated ALPN name, or "" if there is none. It is
// called at the end of the handshake, before Opened. f must not return nil. If the handshake fails, Closed is called
// on the Upper set by SetUpper, if any.
func (s *Session) SetChooser(f func(alpn string) roles.Upper) { s.hs.choose = f }

// Upper returns the protocol above s.
func (s *Session) Upper() roles.Upper { return s.upper }

// Label names the connection in reports, by the label of its protocol if it has one.
func (s *Session) Label() string {
	if l, ok := s.upper.(roles.Labelled); ok {
		return l.Label() + " over TLS"
	}
	return "TLS"
}

// Opened implements roles.Upper.
func (s *Session) Opened(now time.Duration) {
	s.enter(now)
	s.hs.limit = now + s.endpoint.sh.cfg.Handshake
	s.hs.due = s.hs.limit
	s.advance(now)
	s.leave(now, false)
}

// Rx implements roles.Upper.
func (s *Session) Rx(now time.Duration, b []byte) (used int) {
	if s.flags&closing != 0 {
		return len(b)
	}
	s.enter(now)
	if s.hs != nil {
		used = s.rxHandshake(now, b)
	}
	if s.flags&(established|closing) == established {
		used += s.rxRecords(now, b[used:])
	}
	s.leave(now, used > 0)
	return used
}

// RxEnd implements roles.Upper.
func (s *Session) RxEnd(now time.Duration, _ int) {
	if s.flags&(inDone|closing) != 0 {
		return
	}
	s.enter(now)
	s.endpoint.sh.Counters.Truncated++
	op := "read"
	if s.hs != nil {
		op = "handshake"
	}
	err := error(ErrTruncated)
	if s.hs != nil && s.hs.silent() {
		err = s.endpoint.markSilent(err)
	}
	s.flags |= outDone // the peer does not wait for our close_notify
	s.finish(roles.Graceful, &Error{Op: op, Peer: s.endpoint.name, Err: err})
	s.leave(now, false)
}

// HungUp implements roles.HangUpWatcher: it forwards the call.
func (s *Session) HungUp(now time.Duration) {
	u, ok := s.upper.(roles.HangUpWatcher)
	if !ok || s.flags&(opened|closing) != opened {
		return
	}
	s.enter(now)
	u.HungUp(now)
	s.leave(now, false)
}

// Writable implements roles.Upper.
func (s *Session) Writable(now time.Duration) {
	s.enter(now)
	switch {
	case s.pendingOut != nil && !s.flushPending():
	case s.flags&closing != 0:
	case s.hs != nil:
		s.advance(now)
	default:
		s.open(now)
		s.sendPending()
		if s.flags&(wantsWritable|closing|outDone) == wantsWritable {
			// The transport promises MaxRoom, and so do we, which includes the record's overhead.
			if s.low.Room(roles.MaxRecord) == nil {
				s.low.WantWrite()
			} else {
				s.flags &^= wantsWritable
				s.upper.Writable(now)
			}
		}
	}
	s.leave(now, false)
}

// Woken implements roles.Upper. The session itself never calls Wake.
func (s *Session) Woken(now time.Duration) {
	if s.flags&(wantsWoken|opened|closing) != wantsWoken|opened {
		return
	}
	s.flags &^= wantsWoken
	s.enter(now)
	s.upper.Woken(now)
	s.leave(now, false)
}

// Deadline implements roles.Upper.
func (s *Session) Deadline() time.Duration {
	switch {
	case s.pendingOut != nil && s.pendingOut.due != 0:
		return s.pendingOut.due
	case s.flags&closing != 0:
		return 0
	case s.hs != nil:
		return s.hs.due
	case s.flags&opened != 0:
		return s.upper.Deadline()
	}
	return 0
}

// Timeout implements roles.Upper.
func (s *Session) Timeout(now time.Duration) {
	s.enter(now)
	switch {
	case s.pendingOut != nil && s.pendingOut.due != 0:
		if s.pendingOut.due <= now {
			s.abandon()
		}
	case s.flags&closing != 0:
	case s.hs != nil:
		if s.hs.due != 0 && s.hs.due <= now {
			if s.hs.due < s.hs.limit {
				s.endpoint.sh.Counters.NoReply++
			}
			err := error(ErrTimeout)
			if s.hs.silent() {
				err = s.endpoint.markSilent(err)
			}
			s.finish(roles.Immediate, &Error{Op: "handshake", Peer: s.endpoint.name, Err: err})
		}
	case s.flags&opened != 0:
		if d := s.upper.Deadline(); d != 0 && d <= now {
			s.upper.Timeout(now)
		}
	}
	s.leave(now, false)
}

// Closed implements roles.Upper.
func (s *Session) Closed(cause error) {
	if s.flags&closed != 0 {
		return
	}
	if s.hs != nil && s.hs.silent() && s.flags&closing == 0 && cause != nil {
		// The transport was reset, or timed out before the session did.
		cause = s.endpoint.markSilent(cause)
	}
	s.flags |= closing | closed
	sh := s.endpoint.sh
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

// wipe frees the session's resources and overwrites its secrets.
func (s *Session) wipe() {
	sh := s.endpoint.sh
	if s.pendingOut != nil {
		s.low.Hold(roles.HoldOutput, -cap(s.pendingOut.b))
		s.pendingOut = nil
	}
	if s.conn != nil {
		s.conn = nil
		s.low.Hold(roles.HoldSession, -stdCost)
	}
	if s.aw != nil {
		sh.giveAwake(s.aw)
		s.aw = nil
	}
	s.in, s.out = direction{}, direction{}
}

func (s *Session) enter(now time.Duration) {
	s.flags |= inside
	s.endpoint.sh.now = now
}

// leave ends a call from the transport: output committed meanwhile becomes a record. After an Rx that used some
// bytes, and will therefore be repeated, upper may be asked for output at once, so that its answers to one read
// become one record.
func (s *Session) leave(now time.Duration, more bool) {
	if s.flags&(established|closing) == established {
		s.open(now)
		if more && s.flags&(wantsWritable|closing|outDone) == wantsWritable && roles.OutputFirst(true, s.roomy()) {
			s.flags &^= wantsWritable
			s.upper.Writable(now)
			s.open(now)
		}
		s.sendPending()
	}
	s.seal()
	s.flags &^= inside
	if s.flags&(wantsWritable|established|closing|outDone|finAsked) == wantsWritable|established {
		s.low.WantWrite()
	}
}

// open calls Opened of upper unless it was called, also if that replaces upper.
func (s *Session) open(now time.Duration) {
	for s.flags&(established|opened|closing) == established {
		s.flags |= opened
		s.upper.Opened(now)
		if s.flags&wantsWoken != 0 {
			s.low.Wake() // upper asked for it before, or just now
		}
	}
}

// rxRecords decrypts the records in b, offers their content to upper, and returns how many bytes of b are finished.
//
// Plaintext that upper does not use stays in b, the transport's buffer. In the next call b[0:s.plain] is that
// plaintext, the following s.skip bytes are remains of decrypted records, and then records from the peer follow.
func (s *Session) rxRecords(now time.Duration, b []byte) (used int) {
	var taken int // plaintext, which upper credits itself
	fresh := true // there are bytes that upper has not seen yet
	for s.flags&closing == 0 {
		s.open(now)
		if s.flags&(paused|closing) != 0 {
			break
		}
		if s.flags&inDone != 0 {
			// Bytes after close_notify are ignored (RFC 8446 s.6.1).
			s.skip = uint32(len(b)-used) - s.plain
		}
		if s.plain > 0 && fresh {
			n := s.upper.Rx(now, b[used:used+int(s.plain)])
			if n < 0 || n > int(s.plain) {
				panic(fmt.Sprintf("tls: rx: %T used %d of %d bytes", s.upper, n, s.plain))
			}
			used, taken, s.plain = used+n, taken+n, s.plain-uint32(n)
			// Unused bytes are offered again until upper uses none, as a transport does.
			fresh = n > 0 || s.flags&opened == 0
			if fresh && s.plain > 0 {
				if roles.OutputFirst(s.flags&wantsWritable != 0, true) {
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

// join moves plaintext of size bytes, in the record of n bytes at b[at:], next to the plaintext that upper did not
// use at b[used:], and returns the start of both. It never moves more bytes than arrived: a peer that sends single
// bytes must not cause all the others to be moved each time.
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
		// The gap after it would keep the transport's buffer in use: when it is as long as the plaintext, the plaintext
		// moves across it.
		if gap := end - used - plain; gap >= plain {
			copy(b[end-plain:end], b[used:used+plain])
			used = end - plain
		}
	}
	s.plain, s.skip = uint32(plain), uint32(end-used-plain)
	return used
}

// record decrypts the record at the head of b in place and handles it. n is its length, or 0 if it is incomplete or
// the session has failed. content is its data, at b[headerLen:], or empty.
func (s *Session) record(now time.Duration, b []byte) (n int, content []byte) {
	if s.conn != nil {
		return s.readStd(now, b)
	}
	n, e := whole(b)
	if e != nil {
		s.protocolError(e)
		return 0, nil
	}
	if n == 0 {
		return 0, nil
	}
	content, typ, e := s.wakeIn(now).open(b[:n], s.in.seq, &s.endpoint.sh.nonce)
	if e == nil {
		s.in.seq++
		s.endpoint.sh.Counters.RecordsIn++
		content, e = s.handleRecord(now, content, typ)
	}
	if e != nil {
		s.protocolError(e)
		return 0, nil
	}
	return n, content
}

// peerEnded reports a close_notify to upper. Bytes that upper does not use are offered again afterwards.
func (s *Session) peerEnded(now time.Duration) {
	s.flags |= inDone
	s.upper.RxEnd(now, int(s.plain))
}

func (s *Session) protocolError(e *ProtocolError) {
	s.fail(e.Alert, &Error{Op: "read", Peer: s.endpoint.name, Err: e})
}
