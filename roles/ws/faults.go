package ws

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// This file has the errors of a Conn: faults of the peer, of which conn.go and recv.go send the code, ends of the connection,
// and misuse by the caller. The errors of the handshake are in handshake.go.

// fault is a violation of the protocol or of a limit by the peer. Its Status is the code of the Close frame that reports it,
// 0 for none. All faults are package variables, so that an attack causes no allocation.
type fault = http.ProtocolError

func newFault(code Code, where, reason string) *fault {
	return &fault{Proto: "ws", Where: where, Reason: reason, Status: int(code)}
}

// ErrAbnormal is wrapped by the cause of a connection that ended without a Close frame from the peer.
var ErrAbnormal = errors.New("no closing handshake")

// ErrMisuse is wrapped by errors for calls that break the rules of a method.
var ErrMisuse = errors.New("misuse of a connection")

// ErrNoRoom reports that the transport has no room: call WantWrite, and try again in Writable.
var ErrNoRoom = http.ErrNoRoom

// ErrClosing reports that our Close frame is queued or sent: no frame may follow it (RFC 6455 s.5.5.1).
var ErrClosing = errors.New("ws: send: connection is closing")

var (
	errReserved = newFault(Protocol, "frame", "reserved bit set")
	errOpcode   = newFault(Protocol, "frame", "reserved opcode")
	errUnmasked = newFault(Protocol, "frame", "unmasked frame from client")
	errMasked   = newFault(Protocol, "frame", "masked frame from server")
	errLonger   = newFault(Protocol, "frame", "length not in its shortest form")
	errLength63 = newFault(Protocol, "frame", "64-bit length has its highest bit set")
	errFrameBig = newFault(TooBig, "frame", "payload longer than the limit")

	errControlFin   = newFault(Protocol, "control frame", "fragmented control frame")
	errControlLong  = newFault(Protocol, "control frame", "payload longer than 125 octets")
	errControlOften = newFault(Policy, "control frame", "too many per second")

	errContinuation = newFault(Protocol, "message", "continuation frame outside of a message")
	errInterleaved  = newFault(Protocol, "message", "new message inside of another")
	errFragments    = newFault(Policy, "message", "too many fragments")
	errMessageBig   = newFault(TooBig, "message", "longer than the limit")
	errNotUTF8      = newFault(BadPayload, "message", "text is not UTF-8")

	errCompressed   = newFault(Protocol, "message", "RSV1 set on a continuation frame")
	errDeflate      = newFault(BadPayload, "message", "invalid compressed data")
	errDeflateCut   = newFault(BadPayload, "message", "compressed data ends inside a block")
	errDeflateRatio = newFault(TooBig, "message", "compression ratio above the limit")
	errInflaters    = newFault(TryLater, "message", "too many incomplete compressed messages")

	errEvicted = newFault(TryLater, "message", "compressed message stalled while another needed its inflater")
	errSlow    = newFault(Policy, "message", "compressed message not complete in time")

	errCloseShort = newFault(Protocol, "close", "payload of one octet")
	errCloseCode  = newFault(Protocol, "close", "invalid close code")
	errCloseText  = newFault(BadPayload, "close", "reason is not UTF-8")

	errSilent = newTimeout("peer", "no data from the peer in time")
	errNoBack = newTimeout("close", "no Close frame from the peer in time")
	errStuck  = newTimeout("close", "no room for our Close frame in time")

	errEnded = abnormal("end of stream")
	errGone  = errors.New("ws: connection: transport closed")
)

// newTimeout returns the fault of a peer that missed a deadline. No code is sent for it.
func newTimeout(where, reason string) *fault {
	f := newFault(0, where, reason)
	f.Cause = http.ErrTimeout
	return f
}

func abnormal(what string) error { return fmt.Errorf("ws: connection: %s: %w", what, ErrAbnormal) }

func misuse(what string) error { return fmt.Errorf("ws: %s: %w", what, ErrMisuse) }

var (
	errCommitOver  = misuse("commit: more octets than Room returned")
	errCommitFirst = misuse("commit: First inside of a message")
	errCommitNone  = misuse("commit: no First at the start of a message")
	errPingLong    = misuse("ping: payload longer than 125 octets")
	errCloseOwn    = misuse("close: invalid close code")
	errCloseLong   = misuse("close: reason longer than 123 octets, or not UTF-8")
)
