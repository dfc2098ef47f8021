package ss

import "github.com/millrace/millrace/roles/ws"

// Messages gives a stream whole messages instead of pieces. It is a Stream, made to be embedded: a stream with an Rx of its
// own calls that of the Messages from it. A message that comes in one piece is passed on as it lies; the pieces of others
// are collected, and charged to the connection (Memory). It is meant for protocols with messages, such as WebSocket.
type Messages struct {
	Base
	// MaxMessage is the most bytes that a message may have; 0 means 64 KiB.
	MaxMessage int
	// OnMessage receives each message. m is valid during the call. f is Text or Binary on WebSockets. The answer is
	// passed on to the stream: see Stream.
	OnMessage func(h *Handle, m []byte, f Flags) Ret
	// OnTooLong is called, once for each, for messages that are longer than MaxMessage; the rest of such a message is
	// dropped. nil closes the connection, on WebSockets with code 1009.
	OnTooLong func(h *Handle) Ret

	held gather
	skip bool // the rest of the message is not wanted
}

// Rx collects. It implements Rx of Stream.
func (m *Messages) Rx(h *Handle, b []byte, f Flags) Ret {
	if f&PerfJSON != 0 {
		return OK
	}
	if f&SOM != 0 {
		m.held.drop()
		m.skip = false
	}
	limit := m.MaxMessage
	if limit <= 0 {
		limit = defaultLimit
	}
	whole := f&(SOM|EOM) == SOM|EOM
	switch {
	case m.skip:
		return OK
	case whole && len(b) > limit, !whole && !m.held.add(h, b, limit):
		m.skip = true
		m.held.drop()
		if m.OnTooLong != nil {
			return m.OnTooLong(h)
		}
		_ = h.DisconnectWith(ws.TooBig, "") // the code and the reason can be sent
		return OK
	case f&EOM == 0 || m.OnMessage == nil:
		return OK
	case whole:
		return m.OnMessage(h, b, f&(Text|Binary))
	}
	r := m.OnMessage(h, m.held.bytes(), f&(Text|Binary))
	m.held.drop()
	return r
}
