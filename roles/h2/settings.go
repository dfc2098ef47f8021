package h2

import "encoding/binary"

// The settings of RFC 9113 s.6.5.2, RFC 8441 and RFC 9218.
const (
	settingTable        = 0x1
	settingPush         = 0x2
	settingStreams      = 0x3
	settingWindow       = 0x4
	settingFrame        = 0x5
	settingHeaderList   = 0x6
	settingConnect      = 0x8
	settingNoPriorities = 0x9
)

const settingLen = 6

// settings are the peer's settings, as far as they apply to what this end sends.
type settings struct {
	streams uint32 // MAX_CONCURRENT_STREAMS
	window  int32  // INITIAL_WINDOW_SIZE
	frame   uint32 // MAX_FRAME_SIZE
	table   uint32 // HEADER_TABLE_SIZE
	connect bool   // ENABLE_CONNECT_PROTOCOL
}

// assumedStreams is how many streams a client opens before the server's SETTINGS: the least that the RFC recommends.
const assumedStreams = 100

func initialSettings() settings {
	return settings{streams: assumedStreams, window: defaultWindow, frame: minFrameSize, table: 4096}
}

// apply applies the payload of a SETTINGS frame.
func (s *settings) apply(p []byte, server bool) *fault {
	for ; len(p) >= settingLen; p = p[settingLen:] {
		v := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case settingTable:
			s.table = v
		case settingPush:
			// A server must not accept pushes (s.6.5.2).
			if v > 1 || v == 1 && !server {
				return errSettingsPush
			}
		case settingStreams:
			s.streams = min(v, maxWindow)
		case settingWindow:
			if v > maxWindow {
				return errSettingsWin
			}
			s.window = int32(v)
		case settingFrame:
			if v < minFrameSize || v > maxFrameSize {
				return errSettingsSize
			}
			s.frame = v
		case settingConnect:
			if v > 1 || v == 0 && s.connect {
				return errSettingsConn
			}
			s.connect = v == 1
		case settingNoPriorities:
			if v > 1 {
				return errSettingsPrio
			}
		}
	}
	return nil
}

// appendSettings appends the payload of our SETTINGS frame: the values that differ from the protocol's defaults.
func (sh *Shared) appendSettings(b []byte, server bool, window int32) []byte {
	put := func(id uint16, v uint32) {
		b = binary.BigEndian.AppendUint16(b, id)
		b = binary.BigEndian.AppendUint32(b, v)
	}
	l := &sh.cfg.Limits
	if l.Table != 4096 {
		put(settingTable, l.Table)
	}
	if !server {
		put(settingPush, 0)
	}
	put(settingStreams, l.Streams)
	put(settingWindow, uint32(window))
	if l.Frame != minFrameSize {
		put(settingFrame, l.Frame)
	}
	put(settingHeaderList, uint32(l.HeaderList))
	if server {
		put(settingConnect, 1)
		put(settingNoPriorities, 1)
	}
	return b
}
