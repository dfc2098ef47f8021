package tls

import "errors"

const (
	// ticketRecords is how many records of tickets are looked for. crypto/tls sends one ticket, which
	// holds the client's chain and is at most 64 KiB.
	ticketRecords = 8
	// handshakeRecords is how many records a server's flight may have up to its Finished.
	handshakeRecords = 16
	// finished is a HandshakeType (RFC 8446 s.B.3).
	finished = 20
)

var errTakeover = errors.New("the record layer cannot be taken over: what the handshake sent is not understood")

// takeOver makes the record layer of s ours. The client's first record under the application keys is
// number 0: its Finished came under the handshake's, and the transport gave the tls.Conn nothing behind
// it. Ours is found by nextSeq.
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
	s.end.sh.Counters.TakenOver++
	if out.aead != nil {
		// The first answer is not far: its keys need not be expanded twice.
		s.stir(s.end.sh.now)
		s.aw.out = out
	}
	return nil
}

// note remembers the last record that the tls.Conn has written.
func (h *handshake) note(b []byte) {
	if len(b) > 0 && !h.s.end.keep {
		h.last = append(h.last[:0], lastRecord(b)...)
	}
}

// nextSeq finds the sequence number of our next record. It is not guessed: the last record is opened with
// each candidate. When none opens under the application keys, then nothing was sent under them if, and
// only if, the last record is the Finished. out is made of keys, our application keys, if they opened it.
func (h *handshake) nextSeq(c *suite, keys *trafficKeys) (seq uint64, out half, ok bool) {
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
	return 0, half{}, ok && first == finished
}

// try opens the last record with the sequence numbers below n. first is the first byte of the message in
// it.
func (h *handshake) try(k *half, n uint64) (seq uint64, first byte, ok bool) {
	sh := h.s.end.sh
	buf := append(sh.scratch[:0], h.last...)
	defer clear(buf)
	for seq = range n {
		copy(buf, h.last) // what does not open is overwritten
		content, typ, e := k.open(buf, seq, &sh.nonce)
		if e == nil && len(content) > 0 {
			return seq, content[0], typ == typeHandshake
		}
	}
	return 0, 0, false
}

// lastRecord returns the last of the whole records that b consists of, nil if it does not.
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
