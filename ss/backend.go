package ss

import (
	stdtls "crypto/tls"
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// Uses handle.go back: a backend answers for the handle that asks it.
//
// This file is the boundary between a Handle and its backend. A Handle knows its backend by the interface below
// only: no file checks the concrete type, except Handle.upgrader at the end of this file. A backend reports to
// its handle by the handle's own methods: tell for a state, rx and tx for payload, agree for the subprotocol,
// setFromPeer for metadata. Reports of the policy's perf key are payload.

// backend does the work of a stream: a client stream's connection made in this process, an accepted
// stream, a listener. No method calls the program, except settle and drain. What a backend cannot do it
// answers as documented with each method; it embeds defaults for those answers.
type backend interface {
	connection

	// connect asks for a connection, for Connect (poll is false) or for RequestTx. A backend that cannot connect
	// answers OK and does nothing.
	connect(h *Handle, poll bool) Ret
	// requestTx asks for Tx on the connection. Without a connection it may start one. A backend without payload
	// answers OK.
	requestTx(h *Handle) Ret
	// flow applies h.flags&isPaused: it stops payload to the program, or starts it again.
	flow(h *Handle)
	// settle does at the end of the turn what h.flags ask for, except wantDestroy.
	settle(h *Handle, now time.Duration)
	// release gives up the connection and all that belongs to the stream. The stream is being destroyed: nothing may be
	// reported to it any more.
	release(h *Handle)
	// drain begins an orderly end for Runtime.Drain: a transaction in progress is completed, everything else ends.
	// The default destroys the stream.
	drain(h *Handle)
	// describe describes the connection for Dump, in a few words.
	describe(h *Handle) string

	// listens reports whether the stream is a listener. The default is false.
	listens() bool
	// parentStream is the listener that accepted the stream. The default is nil: the stream was not accepted.
	parentStream() *Handle
	// addr is the local address of a listener or of an accepted connection. By default there is none.
	addr() (a loop.Addr, ok bool)
	// peer is the address of the other end of the connection. By default there is none.
	peer() (a loop.Addr, ok bool)
	// setCertificates replaces the certificates of a TLS listener. The default is an error that wraps ErrMisuse.
	setCertificates(h *Handle, list []stdtls.Certificate) error
	// requestBody reports whether the request in progress of an accepted HTTP stream has a body. The default is false.
	requestBody() bool
	// serverAck sets the status of the response of an accepted HTTP stream, 0 for 200. By default it has no effect.
	serverAck(h *Handle, code int)
}

// connection is what a program can ask of the connection that carries a stream. A client's binding implements it too:
// direct answers with the answers of its binding.
type connection interface {
	// protocol is what the connection speaks now; ok is false without a connection.
	protocol() (p policy.Protocol, ok bool)
	// tlsState is what the connection's TLS handshake agreed on. By default there is no TLS: ok is false.
	tlsState() (s tls.State, ok bool)
	// wsi is the connection's transport, which is charged for memory. The default is nil: no connection, or one that
	// other streams use too and that must not be charged; the runtime is charged then.
	wsi() *wsi.Wsi
	// httpStatus is the status of the response that an HTTP client received last. The default is 0.
	httpStatus() int
	// rideshare is the stream type to which the payload of the next Tx belongs. The default is "": the stream's own.
	rideshare() string
	// peerCredit is the number of payload bytes that the peer may still send. The default is 0.
	peerCredit() int64
	// addPeerCredit lets the peer send n bytes more. The default is ErrNoCredit.
	addPeerCredit(n int) error
	// send sends payload at once and returns how many bytes it took from the front of b: see Handle.Send. If it takes
	// fewer than all, err may be nil for ErrBlocked. The default is ErrNotConnected.
	send(h *Handle, b []byte, f Flags) (n int, err error)
	// setClose sets the code and the reason of the Close frame that will end a WebSocket. The error is that of
	// ws.CheckClose. By default there is no WebSocket: ok is false, and nothing is checked.
	setClose(code ws.Code, reason string) (ok bool, err error)
}

// defaults has the documented answers of everything that a backend cannot do.
type defaults struct {
	streamDefaults
	connectionDefaults
}

// streamDefaults is the part of defaults for a backend that asks its connection for the rest.
type streamDefaults struct{}

func (streamDefaults) drain(h *Handle)               { h.Destroy() }
func (streamDefaults) listens() bool                 { return false }
func (streamDefaults) parentStream() *Handle         { return nil }
func (streamDefaults) addr() (a loop.Addr, ok bool)  { return a, false }
func (streamDefaults) peer() (a loop.Addr, ok bool)  { return a, false }
func (streamDefaults) requestBody() bool             { return false }
func (streamDefaults) serverAck(h *Handle, code int) {}

func (streamDefaults) setCertificates(h *Handle, _ []stdtls.Certificate) error {
	return fmt.Errorf("ss: set certificates: stream type %q is no TLS server: %w", h.StreamType(), ErrMisuse)
}

// connectionDefaults is the part of defaults for a client's binding.
type connectionDefaults struct{}

func (connectionDefaults) tlsState() (s tls.State, ok bool)         { return s, false }
func (connectionDefaults) wsi() *wsi.Wsi                            { return nil }
func (connectionDefaults) httpStatus() int                          { return 0 }
func (connectionDefaults) rideshare() string                        { return "" }
func (connectionDefaults) peerCredit() int64                        { return 0 }
func (connectionDefaults) addPeerCredit(int) error                  { return ErrNoCredit }
func (connectionDefaults) send(*Handle, []byte, Flags) (int, error) { return 0, ErrNotConnected }
func (connectionDefaults) setClose(ws.Code, string) (bool, error)   { return false, nil }

// stateOf is tlsState for a connection whose protocol runs over low.
func stateOf(low roles.Lower) (state tls.State, ok bool) {
	if t := low.Info().TLS; t != nil {
		return t.State(), true
	}
	return state, false
}

// upgrader is implemented by the backend of an accepted stream whose own connection can change its protocol, which is
// HTTP/1.1.
type upgrader interface {
	Lower() roles.Lower
	Upgrade(x http.Exchange, m *http.Message, u roles.Upper) error
}

// upgrader finds the optional interface of h's backend, nil if the backend does not have it. It is the only place
// that asks what a backend is.
func (h *Handle) upgrader() upgrader {
	u, _ := h.be.(upgrader)
	return u
}
