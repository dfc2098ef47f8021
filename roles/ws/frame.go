package ws

import "encoding/binary"

// Opcodes of RFC 6455 s.5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// Bits in the first two octets of a frame.
const (
	bitFin  = 0x80
	bitRSV1 = 0x40 // permessage-deflate: the message is compressed (RFC 7692 s.6)
	bitsRSV = 0x70
	bitMask = 0x80
)

// maxControl is the longest payload of a control frame (RFC 6455 s.5.5), and the largest length that the second octet of a
// frame can hold.
const maxControl = 125

// maxHeader is the longest frame header: two octets, a 64-bit length, and a masking key.
const maxHeader = 2 + 8 + 4

// header is the decoded header of a frame.
type header struct {
	bits   byte // first octet
	masked bool
	key    uint32 // as mask takes it
	length uint64
}

func (h *header) op() byte      { return h.bits & 0x0f }
func (h *header) fin() bool     { return h.bits&bitFin != 0 }
func (h *header) control() bool { return h.bits&0x08 != 0 }

// first decodes the first octet. rsv1 reports whether the peer may compress.
func (h *header) first(b byte, rsv1 bool) *fault {
	h.bits = b
	switch {
	case b&bitsRSV&^bitRSV1 != 0, b&bitRSV1 != 0 && (!rsv1 || h.control()):
		return errReserved
	case h.op() > opPong, h.op() > opBinary && h.op() < opClose:
		return errOpcode
	case h.control() && !h.fin():
		return errControlFin
	}
	return nil
}

// rest decodes the header at the start of b after its first octet, and returns its length, 0 while it is incomplete. It
// returns a fault as soon as the octets with the error are there. masked reports whether the peer must mask.
func (h *header) rest(b []byte, masked bool) (n int, f *fault) {
	if len(b) < 2 {
		return 0, nil
	}
	h.masked = b[1]&bitMask != 0
	h.length = uint64(b[1] &^ bitMask)
	n = 2
	switch {
	case h.masked && !masked:
		return 0, errMasked
	case !h.masked && masked:
		return 0, errUnmasked
	case h.length > maxControl && h.control():
		return 0, errControlLong
	case h.length == 126:
		if len(b) < 4 {
			return 0, nil
		}
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
		if n = 4; h.length <= maxControl {
			return 0, errLonger
		}
	case h.length == 127:
		if len(b) > 2 && b[2]&0x80 != 0 {
			return 0, errLength63
		}
		if len(b) < 10 {
			return 0, nil
		}
		h.length = binary.BigEndian.Uint64(b[2:])
		if n = 10; h.length <= 0xffff {
			return 0, errLonger
		}
	}
	if !masked {
		return n, nil
	}
	if len(b) < n+4 {
		return 0, nil
	}
	h.key = binary.LittleEndian.Uint32(b[n:])
	return n + 4, nil
}

// putLongHeader writes the header of an unmasked payload of n octets, more than maxControl, and returns its length.
func putLongHeader(b []byte, bits byte, n int) int {
	if n <= maxFrame {
		return putHeader(b, bits, false, n)
	}
	b[0], b[1] = bits, 127
	binary.BigEndian.PutUint64(b[2:], uint64(n))
	return 10
}

// putHeader writes the header for a payload of n octets, at most 65,535, to the start of b, without a masking key, and
// returns its length: 2 or 4.
func putHeader(b []byte, bits byte, masked bool, n int) int {
	var m byte
	if masked {
		m = bitMask
	}
	b[0] = bits
	if n <= maxControl {
		b[1] = m | byte(n)
		return 2
	}
	b[1], b[2], b[3] = m|126, byte(n>>8), byte(n)
	return 4
}
