package tls

import (
	"cmp"
	"github.com/millrace/millrace/internal/list"
	"time"

	stdtls "crypto/tls"
)

const (
	// keptCost is what a session holds that keeps its tls.Conn.
	keptCost = 7 << 10
	// spareMax is how many unused holders of keys are kept for the next session that wakes.
	spareMax = 64
	// recordLimit is how many records are sealed under one key before it is replaced: the GCM suites
	// are good for 2^24.5 full ones (RFC 8446 s.5.5), ChaCha20-Poly1305 for more.
	recordLimit = 1 << 24
	// scratchMax is the most scratch space kept between uses: the longest flight with common chains.
	scratchMax = 32 << 10
)

// Config configures a Shared. Every field may be zero.
type Config struct {
	// Wall is the system's clock, by which certificates and tickets are judged. Default: crypto/tls
	// reads it itself.
	Wall func() time.Time
	// Floor is a time that is certainly past: the later of BuildTime and what was persisted at the
	// last run. An earlier Wall is not believed. Without Wall it has no effect.
	Floor time.Time
	// Now is the loop's monotonic clock. Default: the time given with the last call from a transport.
	Now func() time.Duration
	// TakeStep says whether one more step of a handshake may be taken in this turn; loop's
	// TakeHandshake. Default: always.
	TakeStep func() bool
	// Kick asks to have Turn called at the end of this turn. It is called after TakeStep said no, and
	// must be given when TakeStep is.
	Kick func()
	// MaxHandshakes is how many handshakes may be in flight, as far as Memory allows. Others wait: see
	// Patience. From half of them on, a peer's address (of IPv6 its /64) has no more than its share:
	// an equal one, or a sixteenth if that is more. Default 1024.
	MaxHandshakes int
	// Memory is how many bytes handshakes in flight may hold, 27 KiB each, but for 16 of them. ss makes
	// it a quarter of the loop's account. Default, and negative: no bound but MaxHandshakes.
	Memory int
	// Handshake is how long one may take, with waiting. Default 10 s.
	Handshake time.Duration
	// Reply is how long a client may take to answer what a server has sent in a handshake, which needs a round
	// trip and a signature at most. Default 5 s.
	Reply time.Duration
	// Patience is how long a peer may keep its handshake waiting while others wait for a place: then the one
	// that has waited longest is ended. The time that the next in line has waited is taken off it,
	// down to a quarter. Default 500 ms, more than a round trip anywhere on Earth.
	Patience time.Duration
	// Quiet is after how long without a record a session gives its expanded keys back, at the latest; it may
	// be a quarter sooner. Default 5 s, negative: never.
	Quiet time.Duration
	// Arm asks for a call of Timeout at a time on the clock of Now; the latest request counts. Default: Timeout is not
	// called, no session sleeps, and Patience is checked only when handshakes begin and end.
	Arm func(at time.Duration)
	// Sessions is how many sessions clients remember for resumption, of all endpoints together.
	// Default 256, negative: none.
	Sessions int
	// KeyUpdates is how many KeyUpdates a peer may send in ten seconds. Default 128: a transfer at
	// 100 Gbit/s needs one in thirty seconds.
	KeyUpdates int
}

// Counters count what happened on a Shared. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Started, Full, Resumed, Failed uint64 // handshakes begun, and how they ended
	Waited, HeldBack               uint64 // handshakes that waited for a place; those of an address with its share
	Displaced, OverShare           uint64 // handshakes ended for others that waited; those of an address with its share
	NoReply                        uint64 // handshakes ended because the client did not answer within Config.Reply
	NoMemory                       uint64 // handshakes that failed with ErrMemory
	PutOff                         uint64 // steps left to a later turn
	TakenOver, Kept                uint64 // sessions whose record layer is ours, or their tls.Conn's
	RecordsIn, RecordsOut          uint64 // by our record layer
	KeyUpdatesIn, KeyUpdatesOut    uint64
	AlertsIn, AlertsOut            uint64 // close_notify not counted
	Truncated                      uint64 // sessions that ended without close_notify
	Woken, Slept                   uint64 // directions that expanded their keys, sessions that gave them back
}

// Shared is what the sessions of one loop share. It belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg     Config
	serving *handshake // whose coroutine runs: what the key log writer hears is its
	places  places
	tickets *TicketKeys
	cache   stdtls.ClientSessionCache
	now     time.Duration
	open    openRecord
	scratch []byte // what a tls.Conn has written since it was entered
	nonce   [ivLen]byte
	queue   list.List[awake, *awake] // of all sessions that are awake
	spare   []*awake
	armed   time.Duration // when Timeout will be called; 0 never
	limit   uint64        // recordLimit
}

// New makes a Shared.
func New(c Config) *Shared {
	c.Handshake = cmp.Or(c.Handshake, 10*time.Second)
	c.Reply = cmp.Or(c.Reply, 5*time.Second)
	c.Patience = cmp.Or(c.Patience, 500*time.Millisecond)
	c.Quiet = cmp.Or(c.Quiet, 5*time.Second)
	c.Sessions = cmp.Or(c.Sessions, 256)
	c.KeyUpdates = cmp.Or(c.KeyUpdates, 128)
	sh := &Shared{cfg: c, limit: recordLimit}
	sh.places.max = c.places()
	if c.Sessions > 0 {
		sh.cache = stdtls.NewLRUClientSessionCache(c.Sessions)
	}
	return sh
}

// InFlight is how many handshakes hold a coroutine now, Waiting how many wait for one.
func (sh *Shared) InFlight() int { return sh.places.flight }

// Places is how many handshakes may be in flight: Config.MaxHandshakes, or what Config.Memory leaves of it.
func (sh *Shared) Places() int { return sh.places.max }

// Waiting is how many handshakes wait for a coroutine.
func (sh *Shared) Waiting() int { return sh.places.waiting }

// SetFloor raises Config.Floor: the caller has learned of a later time that is certainly past.
func (sh *Shared) SetFloor(t time.Time) {
	if t.After(sh.cfg.Floor) {
		sh.cfg.Floor = t
	}
}

// SetTicketKeys has servers issue and take tickets by k from the next handshake on. k may be shared by
// the loops of a process, and must be the same for those that serve the same clients. Without keys each
// Server has its own, which crypto/tls rotates.
func (sh *Shared) SetTicketKeys(k *TicketKeys) { sh.tickets = k }

// Turn has the handshakes go on that Config.TakeStep held up in this turn, in the order in which they came.
func (sh *Shared) Turn() {
	p := &sh.places
	for h := p.putOff.First(); h != nil; h = p.putOff.First() {
		h.unlink()
		h.since = sh.clock() // until now it has waited for us
		p.running.PushBack(h)
		h.s.goOn()
	}
}

// Close ends the handshakes in flight and those that wait: their transports are closed with
// ErrShutdown. Handshakes that begin later fail. It must be called from inside the loop: a coroutine can
// be stopped only where, and with the thread locked as, it was made, and the runtime ends the process
// otherwise.
func (sh *Shared) Close() {
	p := &sh.places
	p.max = 0
	for f := p.line.First(); f != nil; f = p.line.First() {
		f.line.First().s.refuse(ErrShutdown)
	}
	for _, l := range []*handshakes{&p.putOff, &p.running} {
		for h := l.First(); h != nil; h = l.First() {
			h.s.refuse(ErrShutdown)
		}
	}
}

func (sh *Shared) wall() time.Time {
	if sh.cfg.Wall == nil {
		return sh.cfg.Floor
	}
	return sh.cfg.Wall()
}

// time is by what certificates are judged.
func (sh *Shared) time() time.Time {
	if w := sh.wall(); w.After(sh.cfg.Floor) {
		return w
	}
	return sh.cfg.Floor
}

// clock is the monotonic time, also outside of calls from a transport.
func (sh *Shared) clock() time.Duration {
	if sh.cfg.Now != nil {
		sh.now = sh.cfg.Now()
	}
	return sh.now
}

// emptied gives scratch back after use.
func (sh *Shared) emptied() {
	if sh.scratch = sh.scratch[:0]; cap(sh.scratch) > scratchMax {
		sh.scratch = nil
	}
}

// sealOpen makes a record of what is open, before other room is asked for.
func (sh *Shared) sealOpen() {
	if s := sh.open.Owner(); s != nil {
		s.seal()
	}
}
