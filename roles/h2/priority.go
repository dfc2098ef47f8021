package h2

import "encoding/binary"

// defaultUrgency is the urgency of a request without a Priority field (RFC 9218 s.4.1).
const defaultUrgency = 3

// parseUrgency returns the urgency in a Priority field value: the parameter u of a dictionary (RFC 9218 s.5). It
// ignores what it does not understand.
func parseUrgency(v []byte) uint8 {
	for i := 0; i+2 < len(v); i++ {
		start := i == 0 || v[i-1] == ' ' || v[i-1] == ','
		if start && v[i] == 'u' && v[i+1] == '=' && v[i+2] >= '0' && v[i+2] <= '7' {
			if i+3 == len(v) || v[i+3] == ',' || v[i+3] == ' ' || v[i+3] == ';' {
				return v[i+2] - '0'
			}
		}
	}
	return defaultUrgency
}

// onPriorityUpdate handles PRIORITY_UPDATE (RFC 9218 s.7.1).
func (c *conn) onPriorityUpdate(f frame, p []byte) *fault {
	switch {
	case !c.server || f.stream != 0:
		return errFrameStream
	case len(p) < 4:
		return errFrameLen
	}
	id := binary.BigEndian.Uint32(p) & maxWindow
	if id == 0 || c.isOurs(id) {
		return errFrameStream
	}
	// A frame before its request, which is legal, is ignored: it is a hint.
	if x := c.find(id); x != nil {
		if u := parseUrgency(p[4:]); u != x.urgency {
			x.urgency = u
			c.ready.mixedUrgency = true
		}
	}
	return c.idleFrame()
}
