package tls

import "errors"

const (
	// ticketRecords is the maximum of records of tickets. crypto/tls sends one ticket, which contains the client's chain
	// and is at most 64 KiB.
	ticketRecords = 8
	// handshakeRecords is the maximum of records of a server's flight up to its Finished.
	handshakeRecords = 16
	// finished is a HandshakeType (RFC 8446 s.B.3).
	finished = 20
)

var errTakeover = errors.New("the record layer cannot be taken over: unexpected output of the handshake")

// takeOver takes the record layer of s over from crypto/tls. The client's first record under the application keys has
// number 0: its Finished was sent under the handshake keys, and the transport passed no later byte to the tls.Conn.
// nextSeq finds the number of our next record.
func (s *Session) takeOver(h *handshake, cipher uint16) error {
	i := suiteOf(cipher)
	if i < 0 || h.secrets.have != haveHandshake|haveClient|haveServer || h.secrets.n != suites[i].secret {
		return errTakeover
	}
	c := &suites[i]
	theirs, own := c.derive(h.secrets.client[:]), c.derive(h.secrets.server[:])
	seq, out, ok := h.nextSeq(c, &own)
	if !ok {
		return errTakeover
	}
	s.suite = uint8(i)
	s.in.set(&h.secrets.client, &theirs)
	s.out.set(&h.secrets.server, &own)
	s.out.seq = seq
	s.flags |= ours
	s.endpoint.sh.Counters.TakenOver++
	if out.aead != nil {
		// The first answer is probably near, so keep the expanded keys.
		s.touch(s.endpoint.sh.now)
		s.aw.out = out
	}
	return nil
}

// note stores the last record that the tls.Conn has written.
func (h *handshake) note(b []byte) {
	if len(b) > 0 && !h.s.endpoint.keep {
		h.last = append(h.last[:0], lastRecord(b)...)
	}
}

// nextSeq finds the sequence number of our next record without guessing: it decrypts the last record with each
// candidate. If none decrypts it under the application keys, then nothing was sent under them if, and only if, the
// last record is the Finished. out is made of keys, our application keys, if they decrypted it.
func (h *handshake) nextSeq(c *suite, keys *trafficKeys) (seq uint64, out cipherState, ok bool) {
	if len(h.last) == 0 {
		return 0, out, false
	}
	out.expand(c, keys)
	if seq, _, ok = h.try(&out, ticketRecords); ok {
		return seq + 1, out, true
	}
	shaking := c.derive(h.secrets.handshake[:])
	out.expand(c, &shaking)
	_, first, ok := h.try(&out, handshakeRecords)
	return 0, cipherState{}, ok && first == finished
}

// try decrypts the last record with the sequence numbers below n. first is the first byte of its message.
func (h *handshake) try(k *cipherState, n uint64) (seq uint64, first byte, ok bool) {
	sh := h.s.endpoint.sh
	buf := append(sh.scratch[:0], h.last...)
	defer clear(buf)
	for seq = range n {
		copy(buf, h.last) // a failed decryption overwrites it
		content, typ, e := k.open(buf, seq, &sh.nonce)
		if e == nil && len(content) > 0 {
			return seq, content[0], typ == typeHandshake
		}
	}
	return 0, 0, false
}

// lastRecord returns the last record of b, or nil if b does not consist of whole records.
func lastRecord(b []byte) (rec []byte) {
	for len(b) >= headerLen && len(b) >= headerLen+recordLen(b) {
		n := headerLen + recordLen(b)
		rec, b = b[:n], b[n:]
	}
	if len(b) > 0 {
		return nil
	}
	return rec
}
