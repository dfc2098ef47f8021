package tls

import (
	"cmp"
	"github.com/millrace/millrace/internal/list"
	"time"

	stdtls "crypto/tls"
)

const (
	// stdCost is the memory of a session that keeps its tls.Conn.
	stdCost = 7 << 10
	// spareMax is how many unused awake structures are kept for sessions that wake.
	spareMax = 64
	// recordLimit is how many records are encrypted with one key before it is replaced: the GCM suites are safe for
	// 2^24.5 full records (RFC 8446 s.5.5), ChaCha20-Poly1305 for more.
	recordLimit = 1 << 24
	// scratchMax is how much scratch space is kept between uses: the longest flight with common chains.
	scratchMax = 32 << 10
)

// Config configures a Shared. Every field may be zero.
type Config struct {
	// Wall is the system's clock, used to check certificates and tickets. Default: crypto/tls reads the clock itself.
	Wall func() time.Time
	// Floor is a time that has certainly passed: the later of BuildTime and the time stored by the last run. An earlier
	// Wall is replaced by Floor. Without Wall it has no effect.
	Floor time.Time
	// Now is the loop's monotonic clock. Default: the time of the last call from a transport.
	Now func() time.Duration
	// TakeStep reports whether another step of a handshake is allowed in this turn (loop's TakeHandshake). Default:
	// always.
	TakeStep func() bool
	// Kick requests a call of Turn at the end of this turn. It is called after TakeStep has returned false, and is
	// required with TakeStep.
	Kick func()
	// MaxHandshakes is the maximum of concurrent handshakes, as far as Memory allows. Further ones wait: see Patience.
	// Above half of it, a peer's address (or its /64 for IPv6) has at most its share: an equal one, or a sixteenth if
	// that is more. Default 1024.
	MaxHandshakes int
	// Memory is the maximum of bytes for concurrent handshakes, 27 KiB each; 16 of them are always allowed. ss sets it
	// to a quarter of the loop's account. Default, and negative: no limit except MaxHandshakes.
	Memory int
	// Handshake is the maximal duration of a handshake, including waits. Default 10 s.
	Handshake time.Duration
	// Reply is the maximal time that a client may take to answer the server's flight, which needs one round trip and at
	// most a signature. Default 5 s.
	Reply time.Duration
	// Patience is how long a peer may keep its handshake waiting while others wait for a place; then the handshake that
	// has waited longest is ended. The wait of the next in line is subtracted from it, down to a quarter. Default 500
	// ms, more than a round trip anywhere on Earth.
	Patience time.Duration
	// Quiet is the time without a record after which a session drops its expanded keys; it may do so up to a quarter
	// earlier. Default 5 s, negative: never.
	Quiet time.Duration
	// Arm requests a call of Timeout at a time on the clock of Now; the latest request replaces earlier ones. Default:
	// Timeout is not called, no session sleeps, and Patience is checked only when handshakes start and end.
	Arm func(at time.Duration)
	// Sessions is how many sessions the clients of all endpoints together remember for resumption. Default 256,
	// negative: none.
	Sessions int
	// KeyUpdates is how many KeyUpdates a peer may send in ten seconds. Default 128: a transfer at 100 Gbit/s needs one
	// per thirty seconds.
	KeyUpdates int
}

// Counters count events of a Shared. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Started, Full, Resumed, Failed uint64 // handshakes started, and their outcomes
	Waited, HeldBack               uint64 // handshakes that waited for a place; those of an address above its share
	Displaced, OverShare           uint64 // handshakes ended for waiting ones; those of an address above its share
	NoReply                        uint64 // handshakes ended because the client did not answer within Config.Reply
	NoMemory                       uint64 // handshakes that failed with ErrMemory
	PutOff                         uint64 // steps delayed to a later turn
	TakenOver, Kept                uint64 // sessions with our record layer, and with that of tls.Conn
	RecordsIn, RecordsOut          uint64 // by our record layer
	KeyUpdatesIn, KeyUpdatesOut    uint64
	AlertsIn, AlertsOut            uint64 // without close_notify
	Truncated                      uint64 // sessions that ended without close_notify
	Woken, Slept                   uint64 // directions that expanded their keys, sessions that dropped them
}

// Shared is the common state of the sessions of one loop. It belongs to the loop's goroutine.
type Shared struct {
	Counters Counters

	cfg     Config
	serving *handshake // the running handshake, to which key log lines belong
	places  places
	tickets *TicketKeys
	cache   stdtls.ClientSessionCache
	now     time.Duration
	open    openRecord
	aside   openRecord // replaces open while another session is corked
	scratch []byte     // output of a tls.Conn since it was called
	nonce   [ivLen]byte
	queue   list.List[awake, *awake] // of all awake sessions
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

// InFlight returns how many handshakes have a coroutine now.
func (sh *Shared) InFlight() int { return sh.places.flight }

// Places returns the maximum of concurrent handshakes: Config.MaxHandshakes, reduced by Config.Memory.
func (sh *Shared) Places() int { return sh.places.max }

// Waiting returns how many handshakes wait for a coroutine.
func (sh *Shared) Waiting() int { return sh.places.waiting }

// SetFloor raises Config.Floor to a later time that has certainly passed.
func (sh *Shared) SetFloor(t time.Time) {
	if t.After(sh.cfg.Floor) {
		sh.cfg.Floor = t
	}
}

// SetTicketKeys makes servers issue and accept tickets with k from the next handshake on. The loops of a process may
// share k, and loops that serve the same clients must. Without keys each Server has its own, which crypto/tls
// rotates.
func (sh *Shared) SetTicketKeys(k *TicketKeys) { sh.tickets = k }

// Turn continues the handshakes that Config.TakeStep has delayed in this turn, in order of arrival.
func (sh *Shared) Turn() {
	p := &sh.places
	for h := p.putOff.First(); h != nil; h = p.putOff.First() {
		h.unlink()
		h.since = sh.clock() // until now it has waited for the loop
		p.running.PushBack(h)
		h.s.requestCall()
	}
}

// Close ends the running and the waiting handshakes: their transports are closed with ErrShutdown. Later handshakes
// fail. Call it on the loop's goroutine: a coroutine can be stopped only on the goroutine that created it, with the
// thread locked as it was then; otherwise the runtime ends the process.
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

// time returns the time for checking certificates.
func (sh *Shared) time() time.Time {
	if w := sh.wall(); w.After(sh.cfg.Floor) {
		return w
	}
	return sh.cfg.Floor
}

// clock returns the monotonic time, also outside of calls from a transport.
func (sh *Shared) clock() time.Duration {
	if sh.cfg.Now != nil {
		sh.now = sh.cfg.Now()
	}
	return sh.now
}

// emptied frees scratch space after use.
func (sh *Shared) emptied() {
	if sh.scratch = sh.scratch[:0]; cap(sh.scratch) > scratchMax {
		sh.scratch = nil
	}
}

// sealOpen completes the open record before other space is requested.
func (sh *Shared) sealOpen() {
	if s := sh.open.Owner(); s != nil {
		s.seal()
	}
}
