package ss

import (
	"slices"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
)

// Methods of a Handle that concern its connection. The backend implements them.

// HTTPStatus returns the status of the last response of an HTTP client stream, until the next attempt starts. It is 0
// without a response, and for streams that are not HTTP clients. After redirects it is the status of the final
// response.
func (h *Handle) HTTPStatus() int {
	return h.be.httpStatus()
}

// Protocol returns the protocol of the stream's connection. For a stream type of h2 it is H1 if the peer does not
// support HTTP/2, and it is WS for a WebSocket over any HTTP version; for an accepted stream, from SERVER_UPGRADE on.
// ok is false without a connection; a client's is reported once a response can come.
func (h *Handle) Protocol() (p policy.Protocol, ok bool) {
	if h.flags&destroyed != 0 {
		return 0, false
	}
	return h.be.protocol()
}

// Addr returns the address on which a server stream listens, with the port that the system chose, or the local
// address of an accepted connection. ok is false for other streams.
func (h *Handle) Addr() (a loop.Addr, ok bool) {
	return h.be.addr()
}

// Peer returns the remote address of the stream's connection, while the system knows it: of an accepted connection,
// and of the one that a client stream uses now. ok is false without a connection.
func (h *Handle) Peer() (a loop.Addr, ok bool) {
	return h.be.peer()
}

// Server returns the server stream that accepted this one, nil for other streams.
func (h *Handle) Server() *Handle {
	return h.be.parentStream()
}

func (h *Handle) accepted() bool {
	return h.be.parentStream() != nil
}

// RequestBody reports, from SERVER_TXN to the end of the transaction, whether the request of an accepted HTTP stream
// has a body, whose end Rx reports with EOM: it has one if it announces one, and always, possibly empty, with POST,
// PUT and PATCH. Without a body Rx is not called.
func (h *Handle) RequestBody() bool {
	return h.be.requestBody()
}

// ServerAck sets the status of the response of an accepted HTTP stream: 0 means 200, other codes are sent unchanged.
// Without it the status is 404. Call it before the first byte of the response.
func (h *Handle) ServerAck(code int) {
	if h.astray("ServerAck") {
		return
	}
	h.be.serverAck(h, code)
}

// DisconnectWith is Disconnect for WebSocket streams with a Close frame of code, which must be one that may be sent
// (RFC 6455 s.7.4), and reason, UTF-8 of at most 123 bytes. On other streams, and without a connection, it is
// Disconnect.
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

// Finish ends the sending direction of a WebSocket stream: what Tx has returned is sent, then a Close frame with
// code, which must be one that may be sent (RFC 6455 s.7.4), and reason, UTF-8 of at most 123 bytes. Tx is not called
// any more. Rx continues until the peer has answered with its own Close frame, which is the CloseError of
// DISCONNECTED. A peer that sends nothing for too long before that (Config.WS, Timeouts.Finish) is disconnected. On
// other streams, and without a connection, it is Disconnect.
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

// Subprotocol returns the subprotocol of ws_subprotocol that the last WebSocket handshake agreed on, "" if none. It
// is known from SERVER_UPGRADE on, at a client from CONNECTED on.
func (h *Handle) Subprotocol() string {
	if h.subprotocol == 0 {
		return ""
	}
	return h.streamType.subprotocols[h.subprotocol-1]
}

// agree records the subprotocol of a handshake.
func (h *Handle) agree(name string) {
	h.subprotocol = uint8(slices.Index(h.streamType.subprotocols, name) + 1)
}

// GetEstPeerTxCredit returns how many bytes of body the peer may still send. Bytes in flight count until they arrive.
// It is 0 if the protocol or the connection has no windows.
func (h *Handle) GetEstPeerTxCredit() int64 { return h.be.peerCredit() }

// AddPeerTxCredit lets the peer send n bytes more, on a stream that was created with Info.ManualInitialTxCredit. On
// others it changes nothing: their window follows Rx. The error is ErrNoCredit, or ErrMisuse for a negative n.
func (h *Handle) AddPeerTxCredit(n int) error {
	if h.astray("AddPeerTxCredit") {
		return ErrWrongThread
	}
	return h.be.addPeerCredit(n)
}

// Rideshare returns the stream type of the payload that Tx must return: on a client with a multipart body the type of
// the part, as the policy's rideshare defines; otherwise the stream's own.
func (h *Handle) Rideshare() string {
	if name := h.be.rideshare(); name != "" {
		return name
	}
	return h.StreamType()
}
