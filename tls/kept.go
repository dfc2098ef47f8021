package tls

import (
	"errors"
	"io"
	"time"

	stdtls "crypto/tls"
)

// keptExtra is what a record of any version and suite has beside its plaintext at the most: header, IV,
// the longest MAC, and CBC padding as crypto/tls makes it.
const keptExtra = headerLen + 16 + 48 + 16

// keptConn is the tls.Conn of a session that keeps it: all clients, which need it for tickets, and TLS
// 1.2. It costs about 7 KB that Go has no way of giving back.
type keptConn struct {
	*stdtls.Conn
	pipe *pipe
}

// span returns how much of b a tls.Conn may be given: one whole record. A header that it will refuse goes
// to it alone.
func span(b []byte, first bool) int {
	if len(b) < headerLen {
		return 0
	}
	if first && (b[0] != byte(typeHandshake) && b[0] != byte(typeAlert) || b[1] >= 0x10) {
		return headerLen
	}
	n := recordLen(b)
	if n > maxSealed12 {
		return headerLen
	}
	if len(b) < headerLen+n {
		return 0
	}
	return headerLen + n
}

// readKept has the tls.Conn read the record at the head of b. The plaintext is put where our own record
// layer would leave it.
func (s *Session) readKept(now time.Duration, b []byte) (n int, content []byte) {
	n = span(b, false)
	if len(b) >= headerLen && b[1] != 3 {
		n = headerLen // refused for its version; the length is not worth waiting for
	}
	if n == 0 {
		return 0, nil
	}
	c := s.conn
	c.pipe.feed = b[:n]
	k, err := c.Read(b[headerLen:max(n, headerLen+1)])
	c.pipe.feed = nil
	s.flush()
	switch {
	case err == nil:
		return n, b[headerLen : headerLen+k]
	case errors.Is(err, errWouldBlock):
		return n, nil
	case errors.Is(err, io.EOF):
		s.peerEnded(now)
		return n, nil
	}
	// The tls.Conn has sent its alert, and nothing can follow that.
	s.flags |= outDone
	err = s.end.explain("read", err)
	var a *AlertError
	if errors.As(err, &a) {
		s.end.sh.Counters.AlertsIn++
	} else {
		s.end.sh.Counters.AlertsOut++
	}
	if s.held != nil {
		s.farewell(AlertCloseNotify, 0, err)
	} else {
		s.broken(err)
	}
	return 0, nil
}

// writeKept has the tls.Conn make a record of b, which lies in the transport's room: the record is made in
// scratch space and then takes b's place.
func (s *Session) writeKept(b []byte) {
	_, err := s.conn.Write(b)
	s.flush()
	if err != nil && s.flags&closing == 0 {
		s.flags |= outDone
		s.broken(s.end.explain("write", err))
	}
}

// closeKept has the tls.Conn send its close_notify.
func (s *Session) closeKept(a Alert) {
	if a == AlertCloseNotify {
		_ = s.conn.CloseWrite() // fails only for an earlier fault
		s.flush()
	}
}
