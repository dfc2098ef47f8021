package ss

import "github.com/millrace/millrace/roles/ws"

// Messages delivers whole messages to a stream instead of pieces. It is a Stream to be embedded: a stream with an Rx
// of its own calls the Rx of Messages from it. A message in one piece is passed on without a copy; the pieces of
// others are collected, and charged to the connection (Memory). It is for protocols with messages, such as WebSocket.
type Messages struct {
	Base
	// MaxMessage is the largest message, in bytes; 0 means 64 KiB.
	MaxMessage int
	// OnMessage receives each message. m is valid during the call. f is Text or Binary on WebSockets. The return
	// value is that of the stream's Rx: see Stream.
	OnMessage func(h *Handle, m []byte, f Flags) Ret
	// OnTooLong is called once for each message longer than MaxMessage, whose rest is dropped. nil closes the
	// connection, on WebSockets with code 1009.
	OnTooLong func(h *Handle) Ret

	held gather
	skip bool // the rest of the message is dropped
}

// Rx implements Stream: it collects the pieces of messages.
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
