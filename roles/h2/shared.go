package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Counters count events on the connections of a Shared. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Requests  uint64 // heads, received by servers or sent by clients
	Responses uint64 // final heads, sent by servers or received by clients
	Interim   uint64 // 1xx heads, in both directions
	Upgraded  uint64 // streams given to another protocol
	Refused   uint64 // streams that servers refused, because of their number or size
	ResetsIn  uint64 // RST_STREAM frames received
	ResetsOut uint64 // RST_STREAM frames sent
	GoneAway  uint64 // GOAWAY frames received
	Failed    uint64 // connections that ended because of a fault of the peer
	Flooded   uint64 // of Failed and ResetsOut, those with ENHANCE_YOUR_CALM
	Malformed uint64 // messages that were refused
	Timeouts  uint64 // deadlines that a peer missed, without idle timeouts
	Slow      uint64 // of Timeouts, bodies slower than the least rate or longer than their total time
	Pings     uint64 // PING frames sent
	Kept      uint64 // bytes kept for paused handlers, in total
	Withheld  uint64 // times that memory was too short to return a connection's window for them
	Illegal   uint64 // illegal moves of state machines: bugs of this package, each of which ends a connection
	Overrun   uint64 // DATA frames that were accepted although they overran a window
}

// Shared is what the connections of one loop share: their configuration, the counters, pools, and scratch memory that
// is in use during one call only. It belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg          Config
	now          time.Duration // at the latest call into any connection
	msg          http.Message
	headers      headerBuilder
	writer       blockWriter
	cache        blockCache
	free         []*stream
	room         roles.Claim[*stream] // of the DATA frame that its stream fills
	overflowRoom bool                 // room is overflow
	aside        aside                // room, while another connection is corked
	buffers      buffers
	withheld     []*conn // the connections that Relieve serves
	overflow     []byte  // output of a tunnel for which no window is open
}

// NewShared returns the shared state of connections that cfg configures.
func NewShared(cfg Config) *Shared { return &Shared{cfg: cfg} }

// maxFree bounds the pool of streams: the collector gets what a burst needed beyond it.
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

// deadline returns the time d after the present call, or 0, which is never, if d is 0.
func (sh *Shared) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return sh.now + d
}
