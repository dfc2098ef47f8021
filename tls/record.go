package tls

import (
	"github.com/millrace/millrace/roles"
)

// recordType is the ContentType of RFC 8446 s.5.1.
type recordType uint8

const (
	typeChangeCipherSpec recordType = 20
	typeAlert            recordType = 21
	typeHandshake        recordType = 22
	typeData             recordType = 23
)

const (
	headerLen = 5
	// keyUpdate is a HandshakeType (RFC 8446 s.B.3), keyUpdateLen the length of the whole message.
	keyUpdate    = 24
	keyUpdateLen = 5
	// maxPlain is the maximum of plaintext per record (RFC 8446 s.5.1), which equals roles.MaxRoom.
	maxPlain = roles.MaxRoom
	// sealedExtra is the overhead of a TLS 1.3 record that we send: header, inner type and tag. We do not pad.
	sealedExtra = headerLen + 1 + tagLen
	// maxSealed13 is the maximal length in a TLS 1.3 header (RFC 8446 s.5.2), maxSealed12 the one of TLS 1.2 (RFC 5246
	// s.6.2.3).
	maxSealed13 = maxPlain + 256
	maxSealed12 = maxPlain + 2048
)

func recordLen(b []byte) int { return int(b[3])<<8 | int(b[4]) }

// whole returns the length of the TLS 1.3 record at the head of b with its header, or 0 if it is incomplete. An
// invalid header is rejected before the rest has arrived.
func whole(b []byte) (n int, e *ProtocolError) {
	if len(b) < headerLen {
		return 0, nil
	}
	if typ := recordType(b[0]); typ != typeData {
		// No record is unencrypted any more, and after Finished not even the change_cipher_spec of compatibility mode is
		// allowed (RFC 8446 s.5).
		return 0, &ProtocolError{AlertUnexpectedMessage, "a record of type " + typ.String() + " without encryption"}
	}
	n = recordLen(b)
	if n > maxSealed13 {
		return 0, &ProtocolError{AlertRecordOverflow, "a record longer than TLS allows"}
	}
	if len(b) < headerLen+n {
		return 0, nil
	}
	return headerLen + n, nil
}

// open decrypts the record rec in place and returns its content, which is at rec[headerLen:], and its inner type (RFC
// 8446 s.5.2, 5.4). nonce is scratch space. The caller counts sequence numbers.
func (h *cipherState) open(rec []byte, seq uint64, nonce *[ivLen]byte) (content []byte, typ recordType, e *ProtocolError) {
	h.nonce(nonce, seq)
	body := rec[headerLen:]
	plain, err := h.aead.Open(body[:0], nonce[:], body, rec[:headerLen])
	if err != nil {
		return nil, 0, &ProtocolError{AlertBadRecordMAC, "a record that does not decrypt"}
	}
	if len(plain) > maxPlain+1 {
		return nil, 0, &ProtocolError{AlertRecordOverflow, "a record with more plaintext than TLS allows"}
	}
	for i := len(plain) - 1; i >= 0; i-- {
		if plain[i] != 0 {
			return plain[:i], recordType(plain[i]), nil
		}
	}
	return nil, 0, &ProtocolError{AlertUnexpectedMessage, "a record with only padding"}
}

// seal makes a record of buf[headerLen:headerLen+n] in place and returns its length. buf must have sealedExtra more
// than n bytes.
func (h *cipherState) seal(buf []byte, n int, typ recordType, seq uint64, nonce *[ivLen]byte) int {
	size := n + 1 + tagLen
	buf[0], buf[1], buf[2], buf[3], buf[4] = byte(typeData), 3, 3, byte(size>>8), byte(size)
	buf[headerLen+n] = byte(typ)
	h.nonce(nonce, seq)
	h.aead.Seal(buf[headerLen:headerLen], nonce[:], buf[headerLen:headerLen+n+1], buf[:headerLen])
	return headerLen + size
}

func (t recordType) String() string {
	switch t {
	case typeChangeCipherSpec:
		return "change_cipher_spec"
	case typeAlert:
		return "alert"
	case typeHandshake:
		return "handshake"
	case typeData:
		return "application_data"
	}
	return number(uint8(t))
}
