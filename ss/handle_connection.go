package ss

import (
	"slices"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
)

// What a program asks of the connection that carries a stream, and tells it. The answers are the backend's.

// HTTPStatus is the status of the response that an HTTP client stream got last: from the states that tell of
// it until the next attempt begins. 0 without one, and for streams that are no HTTP clients. It is the last
// on the way that redirects have taken.
func (h *Handle) HTTPStatus() int {
	return h.be.httpStatus()
}

// Protocol is what the connection that carries the stream now speaks, which of a stream type of h2 is H1 where
// the peer has nothing better, and WS for a WebSocket whatever carries it: of an accepted one from SERVER_UPGRADE on. ok is
// false without a connection; a client's is there once a response can come.
func (h *Handle) Protocol() (p policy.Protocol, ok bool) {
	if h.flags&destroyed != 0 {
		return 0, false
	}
	return h.be.protocol()
}

// Addr is where a server stream listens, with the port that the system picked, or our end of an
// accepted connection. ok is false for other streams.
func (h *Handle) Addr() (a loop.Addr, ok bool) {
	return h.be.addr()
}

// Peer is the other end of the stream's connection, while the system knows it: of an accepted one, and of the one that a
// client stream is using now. ok is false without a connection.
func (h *Handle) Peer() (a loop.Addr, ok bool) {
	return h.be.peer()
}

// Server is the server stream from which this one was accepted, nil for other streams.
func (h *Handle) Server() *Handle {
	return h.be.parentStream()
}

func (h *Handle) accepted() bool {
	return h.be.parentStream() != nil
}

// RequestBody says, from SERVER_TXN to the end of the transaction, whether the request of an accepted HTTP
// stream brings a body, whose end Rx tells with EOM: those that announce one, and every POST, PUT and
// PATCH, if only an empty one. Without a body Rx is not called.
func (h *Handle) RequestBody() bool {
	return h.be.requestBody()
}

// ServerAck answers the transaction of an accepted HTTP stream: 0 is 200, other codes are taken as
// they are. Without it the response is a 404. It must come before the first byte of the response.
func (h *Handle) ServerAck(code int) {
	if h.astray("ServerAck") {
		return
	}
	h.be.serverAck(h, code)
}

// DisconnectWith is Disconnect for WebSocket streams: the peer is told code, which must be one that may be sent, and
// reason, UTF-8 of at most 123 bytes. On other streams, and without a connection, it is Disconnect.
func (h *Handle) DisconnectWith(code ws.Code, reason string) error {
	if h.astray("DisconnectWith") {
		return ErrWrongThread
	}
	if _, err := h.be.setClose(code, reason); err != nil {
		return err
	}
	h.Disconnect()
	return nil
}

// Finish ends what a WebSocket stream has to say, and leaves it to the peer to end the rest: what Tx has given goes out,
// then a Close frame with code, which must be one that may be sent, and reason, UTF-8 of at most 123 bytes. Tx is not
// asked any more. Messages come until the peer has answered with its own Close frame, the CloseError of DISCONNECTED.
// A peer that is silent for too long before (Config.WS, Timeouts.Finish) is given up. On other streams, and without a
// connection, it is Disconnect.
func (h *Handle) Finish(code ws.Code, reason string) error {
	if h.astray("Finish") {
		return ErrWrongThread
	}
	switch ok, err := h.be.setClose(code, reason); {
	case err != nil:
		return err
	case !ok:
		h.Disconnect()
	default:
		h.pend(wantFinish)
	}
	return nil
}

// Subprotocol is which of those that the policy names in ws_subprotocol the latest handshake of a WebSocket has
// settled on, "" if none. It can be asked for from SERVER_UPGRADE on, and at a client from CONNECTED on.
func (h *Handle) Subprotocol() string {
	if h.subprotocol == 0 {
		return ""
	}
	return h.streamType.subprotocols[h.subprotocol-1]
}

// agree notes the subprotocol of a handshake.
func (h *Handle) agree(name string) {
	h.subprotocol = uint8(slices.Index(h.streamType.subprotocols, name) + 1)
}

// GetEstPeerTxCredit is how many bytes of body the peer may still send, as far as we have granted: what is on its
// way is counted as sent only once it has come. It is 0 where protocol or connection grant nothing.
func (h *Handle) GetEstPeerTxCredit() int64 { return h.be.peerCredit() }

// AddPeerTxCredit lets the peer send n bytes more, on a stream that was made with
// Info.ManualInitialTxCredit. On others it changes nothing: what they grant follows what Rx has taken. The
// error is ErrNoCredit, or ErrMisuse for an n below 0.
func (h *Handle) AddPeerTxCredit(n int) error {
	if h.astray("AddPeerTxCredit") {
		return ErrWrongThread
	}
	return h.be.addPeerCredit(n)
}

// Rideshare is the stream type to which the payload belongs that Tx is asked for: on a client whose body is multipart
// that of the part, as the policy's rideshare says; the stream's own otherwise.
func (h *Handle) Rideshare() string {
	if name := h.be.rideshare(); name != "" {
		return name
	}
	return h.StreamType()
}
