package ws

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// fault is a breach of the protocol, or of a limit, by the peer. Its Status is the close code that the
// peer is told. They are made once, so that being attacked allocates nothing.
type fault = http.ProtocolError

func bad(code Code, where, reason string) *fault {
	return &fault{Proto: "ws", Where: where, Reason: reason, Status: int(code)}
}

// ErrAbnormal is wrapped by causes of connections that ended without a Close frame of the peer's.
var ErrAbnormal = errors.New("no closing handshake")

// ErrMisuse is wrapped by the errors that our own side is to blame for.
var ErrMisuse = errors.New("misuse of a connection")

// ErrNoRoom says that the transport takes nothing for now: WantWrite, and try again in Writable.
var ErrNoRoom = http.ErrNoRoom

// ErrClosing says that our Close frame is sent or under way: nothing can follow it (RFC 6455 s.5.5.1).
var ErrClosing = errors.New("ws: send: connection is closing")

var (
	errReserved = bad(Protocol, "frame", "reserved bit is set")
	errOpcode   = bad(Protocol, "frame", "opcode is reserved")
	errUnmasked = bad(Protocol, "frame", "a client's is not masked")
	errMasked   = bad(Protocol, "frame", "a server's is masked")
	errLonger   = bad(Protocol, "frame", "length is not written in the least octets")
	errLength63 = bad(Protocol, "frame", "length has its highest bit set")
	errFrameBig = bad(TooBig, "frame", "longer than the limit")

	errControlFin   = bad(Protocol, "control frame", "fragmented")
	errControlLong  = bad(Protocol, "control frame", "more than 125 octets")
	errControlOften = bad(Policy, "control frame", "too many in a second")

	errContinuation = bad(Protocol, "message", "continuation of nothing")
	errInterleaved  = bad(Protocol, "message", "begins inside of another")
	errFragments    = bad(Policy, "message", "too many fragments")
	errMessageBig   = bad(TooBig, "message", "longer than the limit")
	errNotUTF8      = bad(BadPayload, "message", "text is not UTF-8")

	errCompressed   = bad(Protocol, "message", "compressed behind its first frame")
	errDeflate      = bad(BadPayload, "message", "compressed data is corrupt")
	errDeflateCut   = bad(BadPayload, "message", "compressed data ends inside a block")
	errDeflateRatio = bad(TooBig, "message", "inflates beyond all measure")
	errInflaters    = bad(TryLater, "message", "too many compressed ones are under way")

	errEvicted = bad(TryLater, "message", "compressed one has stalled, and others need its memory")
	errSlow    = bad(Policy, "message", "compressed one was not completed in time")

	errCloseShort = bad(Protocol, "close", "one octet is no code")
	errCloseCode  = bad(Protocol, "close", "code may not be sent")
	errCloseText  = bad(BadPayload, "close", "reason is not UTF-8")

	errSilent = slow("peer", "nothing came in time")
	errNoBack = slow("close", "not answered in time")
	errStuck  = slow("close", "could not be sent in time")

	errEnded = abnormal("stream ended in order")
	errGone  = errors.New("ws: connection: closed by its owner")
)

func slow(where, reason string) *fault {
	f := bad(0, where, reason)
	f.Cause = http.ErrTimeout
	return f
}

func abnormal(what string) error { return fmt.Errorf("ws: connection: %s: %w", what, ErrAbnormal) }

func misuse(what string) error { return fmt.Errorf("ws: %s: %w", what, ErrMisuse) }

var (
	errCommitOver  = misuse("commit: more than Room gave")
	errCommitFirst = misuse("commit: a message begins inside of another")
	errCommitNone  = misuse("commit: piece of a message that was not begun")
	errPingLong    = misuse("ping: more than 125 octets")
	errCloseOwn    = misuse("close: code may not be sent")
	errCloseLong   = misuse("close: reason is more than 123 octets, or not UTF-8")
)
