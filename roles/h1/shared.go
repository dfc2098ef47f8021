package h1

import (
	"time"

	"github.com/millrace/millrace/roles/http"
)

// Counters count what happened on the connections of a Shared. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Requests  uint64 // complete request heads, received by servers or sent by clients
	Responses uint64 // final response heads, sent by servers or received by clients
	Interim   uint64 // 1xx heads, sent and received
	Reused    uint64 // of Requests, those after the first on a connection
	Upgraded  uint64 // connections that another protocol took over
	Timeouts  uint64 // deadlines that peers missed, except Timeouts.Idle
	Slow      uint64 // of Timeouts, bodies that exceeded a rate or BodyTotal
	Malformed uint64 // messages rejected by servers and clients
	Illegal   uint64 // connections closed for a move that a state table does not have: a bug of this package
}

// Shared is what the connections of one loop share: the configuration, the counters, the scratch message, the caches and
// the pool of exchanges. It belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg       Config
	refused   [512 - 400]uint64
	msg       http.Message
	fields    []http.Field
	host      []byte // the last valid Host value
	responses responseCache
	requests  headCache
	free      []*exchange
	now       time.Duration // time of the last call into any connection
}

// NewShared returns a Shared with a copy of c.
func NewShared(c Config) *Shared { return &Shared{cfg: c} }

// Config returns a copy of the configuration.
func (sh *Shared) Config() Config { return sh.cfg }

// Refused returns the number of requests that servers have refused with this 4xx or 5xx status, without a handler.
func (sh *Shared) Refused(status int) uint64 {
	if i := status - 400; i >= 0 && i < len(sh.refused) {
		return sh.refused[i]
	}
	return 0
}

func (sh *Shared) countRefused(status int) {
	if i := status - 400; i >= 0 && i < len(sh.refused) {
		sh.refused[i]++
	}
}

// requestPace and responsePace return the limits on the time of a body.
func (sh *Shared) requestPace() http.PaceLimits {
	return http.PaceLimits{Rate: sh.cfg.Limits.BodyRate, Grace: sh.cfg.Timeouts.BodyGrace, Total: sh.cfg.Timeouts.BodyTotal}
}

func (sh *Shared) responsePace() http.PaceLimits {
	return http.PaceLimits{Rate: sh.cfg.Limits.ResponseRate, Grace: sh.cfg.Timeouts.BodyGrace}
}

// bodyDeadline returns the time by which more of a body must come; 0 for never.
func (sh *Shared) bodyDeadline(x *exchange, l http.PaceLimits) time.Duration {
	d, p := sh.deadline(sh.cfg.Timeouts.Body), x.pace.Due(&l)
	if p != 0 && (d == 0 || p < d) {
		return p
	}
	return d
}

// slowBody counts a body that missed its deadline and returns the fault.
func (sh *Shared) slowBody(x *exchange, l http.PaceLimits) *fault {
	if most := sh.cfg.Timeouts.Body; most > 0 && x.pace.Quiet(sh.now) >= most {
		return errBodySlow
	}
	switch x.pace.Missed(sh.now, &l) {
	case http.PaceRate:
		sh.Counters.Slow++
		return errBodyRate
	case http.PaceTotal:
		sh.Counters.Slow++
		return errBodyLong
	}
	return errBodySlow
}

// maxFree bounds the pool of exchanges. After a burst the others go to the garbage collector.
const maxFree = 1024

func (sh *Shared) newExchange() *exchange {
	n := len(sh.free)
	if n == 0 {
		return new(exchange)
	}
	x := sh.free[n-1]
	sh.free[n-1] = nil
	sh.free = sh.free[:n-1]
	return x
}

func (sh *Shared) freeExchange(x *exchange) {
	x.exchangeState, x.in.framing = exchangeState{}, bodyNone
	if len(sh.free) < maxFree {
		sh.free = append(sh.free, x)
	}
}

// deadline returns the time d after the current call; 0, for never, if d is not positive.
func (sh *Shared) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return sh.now + d
}
