package tls

import (
	"errors"
	"io"
	"time"

	stdtls "crypto/tls"
)

// stdExtra is the maximal overhead of a record of any version and suite: header, IV, the longest MAC, and CBC padding
// as crypto/tls makes it.
const stdExtra = headerLen + 16 + 48 + 16

// stdConn is the tls.Conn of a session that keeps it: of all clients, which need it for tickets, and of TLS 1.2. It
// uses about 7 KB that Go cannot release.
type stdConn struct {
	*stdtls.Conn
	pipe *pipe
}

// span returns how much of b to pass to a tls.Conn: one whole record. A header that the tls.Conn will reject is
// passed alone.
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

// readStd reads the record at the head of b through the tls.Conn. It stores the plaintext where our own record layer
// would.
func (s *Session) readStd(now time.Duration, b []byte) (n int, content []byte) {
	n = span(b, false)
	if len(b) >= headerLen && b[1] != 3 {
		n = headerLen // rejected for its version, so its length is not waited for
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
	// The tls.Conn has sent its alert, and no output may follow it.
	s.flags |= outDone
	err = s.endpoint.explain("read", err)
	var a *AlertError
	if errors.As(err, &a) {
		s.endpoint.sh.Counters.AlertsIn++
	} else {
		s.endpoint.sh.Counters.AlertsOut++
	}
	if s.pendingOut != nil {
		s.sendAlertAndClose(AlertCloseNotify, 0, err)
	} else {
		s.broken(err)
	}
	return 0, nil
}

// writeStd replaces b, which is in the transport's buffer, by a record that the tls.Conn makes of it in scratch
// space.
func (s *Session) writeStd(b []byte) {
	_, err := s.conn.Write(b)
	s.flush()
	if err != nil && s.flags&closing == 0 {
		s.flags |= outDone
		s.broken(s.endpoint.explain("write", err))
	}
}

// closeStd sends the close_notify of the tls.Conn.
func (s *Session) closeStd(a Alert) {
	if a == AlertCloseNotify {
		_ = s.conn.CloseWrite() // returns only an earlier error
		s.flush()
	}
}
