package h2

import "encoding/binary"

// frameType is the type of a frame (RFC 9113 s.6).
type frameType uint8

const (
	frameData           frameType = 0x0
	frameHeaders        frameType = 0x1
	framePriority       frameType = 0x2
	frameReset          frameType = 0x3
	frameSettings       frameType = 0x4
	framePush           frameType = 0x5
	framePing           frameType = 0x6
	frameGoAway         frameType = 0x7
	frameWindow         frameType = 0x8
	frameContinuation   frameType = 0x9
	framePriorityUpdate frameType = 0x10 // RFC 9218 s.7.1
)

// Frame flags; END_STREAM and ACK are the same bit.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// headerLen is the length of a frame header.
const headerLen = 9

// defaultWindow is the initial window of connections, and of streams before SETTINGS (RFC 9113 s.6.9.2).
const defaultWindow = 1<<16 - 1

// maxWindow is the largest window and the largest stream id.
const maxWindow = 1<<31 - 1

// minFrameSize and maxFrameSize bound SETTINGS_MAX_FRAME_SIZE.
const (
	minFrameSize = 1 << 14
	maxFrameSize = 1<<24 - 1
)

// frame is a frame header.
type frame struct {
	length uint32
	typ    frameType
	flags  uint8
	stream uint32
}

// parseFrame parses the header at the front of b, which has at least headerLen bytes.
func parseFrame(b []byte) frame {
	_ = b[8]
	return frame{
		length: uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]),
		typ:    frameType(b[3]),
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maxWindow,
	}
}

func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// put writes the header into the first headerLen bytes of b.
func (f frame) put(b []byte) {
	_ = b[8]
	b[0], b[1], b[2] = byte(f.length>>16), byte(f.length>>8), byte(f.length)
	b[3], b[4] = byte(f.typ), f.flags
	binary.BigEndian.PutUint32(b[5:], f.stream)
}

// unpad returns the payload without its padding (RFC 9113 s.6.1).
func (f frame) unpad(p []byte) ([]byte, *fault) {
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, errFrameLen
	}
	pad := int(p[0])
	if p = p[1:]; pad > len(p) {
		return nil, errPadding
	}
	return p[:len(p)-pad], nil
}
