package ws

import (
	"encoding/binary"
	"time"

	"github.com/millrace/millrace/roles"
)

// Counters count what happened on the connections of a Shared. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Opened     uint64 // connections whose handshake succeeded
	RxMessages uint64 // messages that peers began
	TxMessages uint64 // messages that we began
	Pings      uint64 // Pings received
	Probes     uint64 // Pings sent because a peer was silent
	Silent     uint64 // connections closed by Validity.Hangup
	Timeouts   uint64 // closing handshakes that exceeded Timeouts.Close or Timeouts.Finish
	Abnormal   uint64 // connections that peers ended without a closing handshake
	Malformed  uint64 // connections failed with 1002: the peer broke a rule of the protocol
	BadText    uint64 // connections failed with 1007: invalid text or invalid compressed data
	Over       uint64 // connections failed with 1008, 1009 or 1013: the peer exceeded a limit
	Slow       uint64 // of Over: a compressed message exceeded Timeouts.Message, 1008
	Evicted    uint64 // of Over: a compressed message had stalled, and another one needed its inflater, 1013
	Declined   uint64 // handshakes in which the server declined compression for lack of memory, or because of Deflate.PerConnection
	Flooded    uint64 // connections ended because the peer continued to send after its Close frame or a fault
	Inflated   uint64 // octets that inflation returned
	Deflated   uint64 // octets that deflation took
	Illegal    uint64 // connections reset because a state machine of this package made an illegal move: a bug
}

// Shared holds what the WebSocket connections of one loop share: the configuration, the counters, the scratch buffers and
// the inflaters. It belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg      Config
	now      time.Duration      // time of the latest call into any connection
	randBuf  [256]byte          // from Rand; used octets are zeroed
	randLeft int                // number of unused octets, at the end of randBuf
	room     roles.Claim[*Conn] // room of the transport for a piece of a message, with its owner
	given    int                // octets of it that the caller may write
	pool     pool               // inflaters
	plain    []byte             // scratch for uncompressed messages, after the octets of earlier ones that deflation refers to
	sink     sink
}

// NewShared returns the shared state for connections that cfg configures.
func NewShared(cfg Config) *Shared { return &Shared{cfg: cfg} }

// key returns a masking key.
func (s *Shared) key() uint32 {
	if s.randLeft < 4 {
		s.cfg.Rand(s.randBuf[:])
		s.randLeft = len(s.randBuf)
	}
	p := s.randBuf[len(s.randBuf)-s.randLeft:][:4]
	s.randLeft -= 4
	k := binary.LittleEndian.Uint32(p)
	clear(p)
	return k
}

// count adds a connection that fails with f to the counters.
func (s *Shared) count(f *fault) {
	switch Code(f.Status) {
	case Protocol:
		s.Counters.Malformed++
	case BadPayload:
		s.Counters.BadText++
	default:
		s.Counters.Over++
	}
}

// deadline returns the time d after the present call, 0 (never) if d is 0.
func (s *Shared) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return s.now + d
}
