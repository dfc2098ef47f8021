package ws

import (
	"encoding/binary"
	"time"
)

// Counters count since the Shared was made. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Opened     uint64 // connections
	RxMessages uint64 // messages begun by peers
	TxMessages uint64 // messages begun by us
	Pings      uint64 // pings received
	Probes     uint64 // pings sent because a peer was silent
	Silent     uint64 // connections closed because their peer stayed silent
	Timeouts   uint64 // closing handshakes that were not completed in time
	Abnormal   uint64 // connections whose peer ended them without one
	Malformed  uint64 // connections failed for a breach of the protocol, 1002
	BadText    uint64 // for text, or compressed data, that is none, 1007
	Over       uint64 // for passing a limit, 1008, 1009, 1013
	Slow       uint64 // of Over, those whose compressed message was not completed in time, 1008
	Evicted    uint64 // of Over, those whose compressed message had stalled while another needed its memory, 1013
	Declined   uint64 // handshakes without the compression that the peer had offered, since memory was short, or for Deflate.PerConnection
	Flooded    uint64 // connections ended at once because the peer went on to send after its Close frame, or a fault
	Inflated   uint64 // octets that came out of inflation
	Deflated   uint64 // octets that went into deflation
	Illegal    uint64 // connections reset because a state machine of this package made an illegal move: a bug
}

// Shared is what the WebSocket connections of one loop share: their configuration, counters, scratch and inflaters. It
// belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg    Config
	now    time.Duration // of the latest call into any connection
	chance [256]byte     // from Rand; what is used is wiped
	unused int           // of chance, at its end
	room   []byte        // what the last Room has of its transport
	roomOf *Conn         // to whom it was given
	given  int           // and how much
	pool   pool          // of inflaters
	plain  []byte        // what Room gives where messages are compressed, behind what was sent before
	sink   sink
}

// NewShared makes the shared state of connections that are configured by cfg.
func NewShared(cfg Config) *Shared { return &Shared{cfg: cfg} }

// key returns a masking key.
func (s *Shared) key() uint32 {
	if s.unused < 4 {
		s.cfg.Rand(s.chance[:])
		s.unused = len(s.chance)
	}
	p := s.chance[len(s.chance)-s.unused:][:4]
	s.unused -= 4
	k := binary.LittleEndian.Uint32(p)
	clear(p)
	return k
}

// count counts a connection that fails with f.
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

// deadline is d after the present call, or never.
func (s *Shared) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return s.now + d
}
