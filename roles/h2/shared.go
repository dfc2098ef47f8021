package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Counters count since the Shared was made.
type Counters struct {
	Requests  uint64 // heads, received by servers or sent by clients
	Responses uint64 // final heads, sent by servers or received by clients
	Interim   uint64 // 1xx heads, either way
	Upgraded  uint64 // streams handed to another protocol
	Refused   uint64 // streams that servers refused, for their number or their size
	ResetsIn  uint64 // RST_STREAM frames received
	ResetsOut uint64 // RST_STREAM frames sent
	GoneAway  uint64 // GOAWAY frames received
	Failed    uint64 // connections given up for a fault of the peer's
	Flooded   uint64 // of Failed and ResetsOut, those with ENHANCE_YOUR_CALM
	Malformed uint64 // messages refused
	Timeouts  uint64 // deadlines that a peer missed, idle ones apart
	Slow      uint64 // of Timeouts, bodies that were slower than the least rate, or took longer than their total
	Pings     uint64 // PING frames sent
	Kept      uint64 // bytes kept for paused handlers, ever
	Withheld  uint64 // times that a connection was given no window for them, since memory was short
	Illegal   uint64 // moves that a state machine does not have: a bug of this package, which costs the connection
	Overrun   uint64 // times that DATA was accepted although a window had no place for it
}

// Shared is what the connections of one loop have in common: their configuration, the counters, and the memory that a call
// needs for no longer than it takes. All connections of a Shared are driven by one goroutine.
type Shared struct {
	Counters Counters

	cfg          Config
	now          time.Duration // of the latest call into any connection
	msg          http.Message
	headers      headerBuilder
	writer       blockWriter
	cache        blockCache
	free         []*stream
	room         roles.Claim[*stream] // of the DATA frame that is being filled
	overflowRoom bool                 // it is spill
	buffers      buffers
	withheld     []*conn // those that Relieve is for
	overflow     []byte  // where a tunnel's output goes that the windows have no place for
}

// NewShared returns a Shared for connections that cfg configures.
func NewShared(cfg Config) *Shared { return &Shared{cfg: cfg} }

// maxFree bounds the pool of streams: what a burst needed beyond it goes back to the collector.
const maxFree = 4096

func (sh *Shared) newStream() *stream {
	n := len(sh.free)
	if n == 0 {
		return new(stream)
	}
	x := sh.free[n-1]
	sh.free[n-1] = nil
	sh.free = sh.free[:n-1]
	return x
}

func (sh *Shared) freeStream(x *stream) {
	*x = stream{}
	if len(sh.free) < maxFree {
		sh.free = append(sh.free, x)
	}
}

// deadline is d after the present call, or never.
func (sh *Shared) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return sh.now + d
}
