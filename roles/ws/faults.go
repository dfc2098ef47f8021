package ws

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// fault is a violation of the protocol or of a limit by the peer. Its Status is the close code that is sent. Each is made
// once, so that an attack allocates nothing.
type fault = http.ProtocolError

func bad(code Code, where, reason string) *fault {
	return &fault{Proto: "ws", Where: where, Reason: reason, Status: int(code)}
}

// ErrAbnormal is wrapped by the cause of a connection that ended without a Close frame from the peer.
var ErrAbnormal = errors.New("no closing handshake")

// ErrMisuse is wrapped by errors that the caller has caused.
var ErrMisuse = errors.New("misuse of a connection")

// ErrNoRoom reports that the transport has no room: call WantWrite, and try again in Writable.
var ErrNoRoom = http.ErrNoRoom

// ErrClosing reports that our Close frame is queued or sent: no frame may follow it (RFC 6455 s.5.5.1).
var ErrClosing = errors.New("ws: send: connection is closing")

var (
	errReserved = bad(Protocol, "frame", "reserved bit set")
	errOpcode   = bad(Protocol, "frame", "reserved opcode")
	errUnmasked = bad(Protocol, "frame", "unmasked frame from client")
	errMasked   = bad(Protocol, "frame", "masked frame from server")
	errLonger   = bad(Protocol, "frame", "length not in its shortest form")
	errLength63 = bad(Protocol, "frame", "64-bit length has its highest bit set")
	errFrameBig = bad(TooBig, "frame", "payload longer than the limit")

	errControlFin   = bad(Protocol, "control frame", "fragmented control frame")
	errControlLong  = bad(Protocol, "control frame", "payload longer than 125 octets")
	errControlOften = bad(Policy, "control frame", "too many per second")

	errContinuation = bad(Protocol, "message", "continuation frame outside of a message")
	errInterleaved  = bad(Protocol, "message", "new message inside of another")
	errFragments    = bad(Policy, "message", "too many fragments")
	errMessageBig   = bad(TooBig, "message", "longer than the limit")
	errNotUTF8      = bad(BadPayload, "message", "text is not UTF-8")

	errCompressed   = bad(Protocol, "message", "RSV1 set on a continuation frame")
	errDeflate      = bad(BadPayload, "message", "invalid compressed data")
	errDeflateCut   = bad(BadPayload, "message", "compressed data ends inside a block")
	errDeflateRatio = bad(TooBig, "message", "compression ratio above the limit")
	errInflaters    = bad(TryLater, "message", "too many incomplete compressed messages")

	errEvicted = bad(TryLater, "message", "compressed message stalled while another needed its inflater")
	errSlow    = bad(Policy, "message", "compressed message not complete in time")

	errCloseShort = bad(Protocol, "close", "payload of one octet")
	errCloseCode  = bad(Protocol, "close", "invalid close code")
	errCloseText  = bad(BadPayload, "close", "reason is not UTF-8")

	errSilent = slow("peer", "no data from the peer in time")
	errNoBack = slow("close", "no Close frame from the peer in time")
	errStuck  = slow("close", "no room for our Close frame in time")

	errEnded = abnormal("end of stream")
	errGone  = errors.New("ws: connection: transport closed")
)

func slow(where, reason string) *fault {
	f := bad(0, where, reason)
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
