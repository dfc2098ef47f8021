package tls

import "time"

const (
	// emptyRecordsMax is how many successive records may have no data: the same number as in crypto/tls.
	emptyRecordsMax = 16
	// updateWindow is the period for Config.KeyUpdates.
	updateWindow = 10 * time.Second
)

// handleRecord processes the content of a record, and returns it if it is application data.
func (s *Session) handleRecord(now time.Duration, content []byte, typ recordType) ([]byte, *ProtocolError) {
	if s.fragLen > 0 && typ != typeHandshake {
		// RFC 8446 s.5.1: no other record may occur between the parts of a handshake message.
		return nil, &ProtocolError{AlertUnexpectedMessage, "a record of type " + typ.String() + " inside a handshake message"}
	}
	if typ == typeData && len(content) > 0 {
		s.emptyRecords = 0
		return content, nil
	}
	if s.emptyRecords++; s.emptyRecords > emptyRecordsMax {
		return nil, &ProtocolError{AlertUnexpectedMessage, "too many records without data"}
	}
	switch typ {
	case typeData:
		return nil, nil
	case typeAlert:
		return nil, s.alerted(now, content)
	case typeHandshake:
		return nil, s.handshakeMessage(now, content)
	}
	return nil, &ProtocolError{AlertUnexpectedMessage, "a record of inner type " + typ.String()}
}

// alerted handles an alert (RFC 8446 s.6). TLS 1.3 ignores the level.
func (s *Session) alerted(now time.Duration, b []byte) *ProtocolError {
	if len(b) == 0 {
		return &ProtocolError{AlertUnexpectedMessage, "an empty alert"}
	}
	if len(b) != 2 {
		return &ProtocolError{AlertDecodeError, "an alert of a wrong length"}
	}
	switch a := Alert(b[1]); a {
	case AlertCloseNotify:
		s.peerEnded(now)
	case AlertUserCanceled:
		// The peer should send a close_notify next; some peers send this alert spontaneously and continue.
	default:
		s.endpoint.sh.Counters.AlertsIn++
		s.flags |= outDone
		s.broken(&Error{Op: "read", Peer: s.endpoint.name, Err: &AlertError{a}})
	}
	return nil
}

// handshakeMessage handles messages after the handshake. A client may send only KeyUpdate: a server of this package
// never requests a certificate later, and tickets go to the client (RFC 8446 s.4.6).
func (s *Session) handshakeMessage(now time.Duration, b []byte) *ProtocolError {
	if len(b) == 0 {
		return &ProtocolError{AlertUnexpectedMessage, "an empty handshake record"}
	}
	var m [keyUpdateLen]byte
	n := copy(m[:], s.frag[:s.fragLen])
	k := copy(m[n:], b)
	n += k
	if m[0] != keyUpdate {
		return &ProtocolError{AlertUnexpectedMessage, "handshake message " + number(m[0]) + " after the handshake"}
	}
	for i, want := range [...]byte{0, 0, 1} {
		if n > 1+i && m[1+i] != want {
			return &ProtocolError{AlertDecodeError, "a KeyUpdate of a wrong length"}
		}
	}
	if n < keyUpdateLen {
		s.fragLen = uint8(copy(s.frag[:], m[:n]))
		return nil
	}
	s.fragLen = 0
	switch {
	case k < len(b):
		// RFC 8446 s.5.1: a message that changes keys must end its record.
		return &ProtocolError{AlertUnexpectedMessage, "a record that continues after a KeyUpdate"}
	case m[4] > 1:
		return &ProtocolError{AlertIllegalParameter, "a KeyUpdate with an unknown request"}
	}
	if w := uint32(now / updateWindow); w != s.window {
		s.window, s.updates = w, 0
	}
	if s.updates++; s.updates > uint32(s.endpoint.sh.cfg.KeyUpdates) {
		return &ProtocolError{AlertUnexpectedMessage, "too many KeyUpdates"}
	}
	s.endpoint.sh.Counters.KeyUpdatesIn++
	c := &suites[s.suite]
	s.in.update(c)
	s.aw.in.wipe()
	if m[4] == 1 {
		// One KeyUpdate answers all requests that arrive before it is sent (RFC 8446 s.4.6.3).
		s.flags |= owesKeys
	}
	return nil
}
