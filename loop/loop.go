package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Config sets a loop's limits. Zero fields get the defaults.
type Config struct {
	// Bytes is how many bytes one connection may move per turn in each direction before the other connections are
	// served. Default 256 KiB: four full receive buffers. The loop only stores the number; wsi applies it through
	// Loop.Share.
	Bytes int
	// Accepts is the number of accepts per turn, over all listeners. The default 16 is small enough that a burst of
	// connections adds little to each turn, and large enough that the fixed cost of a turn is negligible.
	Accepts int
	// Unestablished is the number of unestablished connections served per turn: see Loop.SetUnestablished. Default 16,
	// for the same reason.
	Unestablished int
	// Handshakes is the number of handshake steps per turn. Default 16: one step takes up to a millisecond of public-key
	// operations.
	Handshakes int
	// Events is the number of events fetched per wait. Default 512.
	Events int
	// Spin is how long to poll for events before sleeping, which trades CPU time for latency. Default 0: sleep at once.
	Spin time.Duration
	// Slow is the time that a callback may take before it is reported. Default 100 ms. A negative value switches the
	// check off, which also saves one clock reading per callback.
	Slow time.Duration
	// OnSlow is called after a slow callback, with its Label and the time it took. It may be nil: slow callbacks are
	// counted in any case.
	OnSlow func(who string, took time.Duration)
	// Memory is the ceiling of the account in bytes. Default 64 MiB. A negative value means no ceiling.
	Memory int64
	// AfterTurn runs last in every turn. May be nil.
	AfterTurn func()
}

func (c *Config) fill() {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&c.Bytes, 256<<10)
	def(&c.Accepts, 16)
	def(&c.Unestablished, 16)
	def(&c.Handshakes, 16)
	def(&c.Events, 512)
	if c.Slow == 0 {
		c.Slow = 100 * time.Millisecond
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
}

// Loop runs on one goroutine, driven either by Run or by Service. Its methods are for that goroutine, and for its
// owner before the first turn and after the last; Post, Stop and Poisoned may be called from any goroutine.
type Loop struct {
	sys System
	c   Config

	now     time.Duration // this turn's time
	end     time.Duration // when the last turn ended
	checked time.Duration // start of the running callback; used only while slow callbacks are checked
	turns   uint32        // number of this turn; it wraps
	phase   phase
	active  active // the running callback

	events        []Event
	sources       sourceTable
	gen           uint32 // generation last given to a Source
	cur           queue[Token]
	next          queue[Token]
	unestablished fifo[Token]
	share         int // see Share

	timers timerHeap
	tasks  [2]queue[*Task]
	filled uint8 // index of the list in tasks that is being filled

	inbox   inbox
	post    func(func()) // l.postAll, bound once
	account Account
	stats   Stats

	accepts, handshakes int // left in this turn
	busyTurns           int // turns since the loop last slept

	done chan struct{} // see Done
	once sync.Once     // closes done

	turning atomic.Bool  // Run or a Service is under way
	driver  atomic.Int32 // driverNone, or the driver used so far
	stop    atomic.Bool
	asleep  atomic.Bool // Post must wake the loop
	poison  atomic.Pointer[PoisonedError]

	watchThread bool
	thread      atomic.Int64 // ID of the thread that drives the loop, 0 if unknown
}

// New makes a loop on sys. The loop owns sys from then on.
func New(sys System, c Config) *Loop {
	c.fill()
	l := &Loop{sys: sys, c: c, events: make([]Event, c.Events), done: make(chan struct{})}
	l.now = sys.Now()
	l.end = l.now
	l.asleep.Store(true)
	l.share = c.Bytes
	l.account.init(l, c.Memory)
	l.post = func(f func()) { _ = l.Post(f) } // a job that outlives its loop has no receiver for the error
	return l
}

// System returns the loop's System.
func (l *Loop) System() System { return l.sys }

// Now returns the time at which this turn started: monotonic, with an arbitrary origin.
func (l *Loop) Now() time.Duration { return l.now }

// Current returns Now during a turn. Between two turns it reads the system's clock, since Now is outdated then.
func (l *Loop) Current() time.Duration {
	if l.phase == phaseIdle {
		return l.sys.Now()
	}
	return l.now
}

// Config returns the loop's limits with defaults filled in. Callers must not change them.
func (l *Loop) Config() *Config { return &l.c }

// sharers is how many connections may move Config.Bytes each in one turn. leastShare is the share of each connection
// when there are many: one TLS record.
const (
	sharers    = 16
	leastShare = 16 << 10
)

// Share returns how many bytes one connection may move in this turn in each direction: Config.Bytes, or less when
// many connections are ready in the same turn. It limits the length of a turn, and thus the wait of a connection that
// becomes ready during it.
func (l *Loop) Share() int { return l.share }

// shareAmong sets Share for n connections.
func (l *Loop) shareAmong(n int) {
	l.share = l.c.Bytes
	if n > sharers {
		l.share = max(l.c.Bytes*sharers/n, min(leastShare, l.c.Bytes))
	}
}

// ReportSlow sets Config.OnSlow if it is nil. If several runtimes share the loop, the first one reports.
func (l *Loop) ReportSlow(f func(who string, took time.Duration)) {
	if l.c.OnSlow == nil {
		l.c.OnSlow = f
	}
}

// Account returns the loop's memory account.
func (l *Loop) Account() *Account { return &l.account }

// Stats returns the loop's counters. They change every turn: read or copy them on the loop's goroutine.
func (l *Loop) Stats() *Stats { return &l.stats }

// Poisoned returns nil, or the *PoisonedError that names the callback that panicked.
func (l *Loop) Poisoned() error {
	if p := l.poison.Load(); p != nil {
		return p
	}
	return nil
}

// TakeAccept uses one accept of this turn's budget. It returns false if the budget is used up; the listener then asks
// to be called again in the next turn.
func (l *Loop) TakeAccept() bool { return spend(&l.accepts) }

// TakeHandshake uses one handshake step of this turn's budget.
func (l *Loop) TakeHandshake() bool { return spend(&l.handshakes) }

func spend(left *int) bool {
	if *left <= 0 {
		return false
	}
	*left--
	return true
}

// Close ends the loop and shuts its System down. It waits for offloaded jobs that are running; it drops their results
// and all posted functions. Call it after Run has returned or after the last Service; otherwise it returns ErrNested.
// It does not close descriptors that are still watched: their owners must.
func (l *Loop) Close() error {
	if !l.turning.CompareAndSwap(false, true) {
		return ErrNested
	}
	defer l.turning.Store(false)
	if !l.inbox.close() {
		return ErrClosed
	}
	l.once.Do(func() { close(l.done) })
	return l.sys.Shutdown()
}

// Done returns a channel that is closed when the loop will never run another turn: after Close, or after a callback
// has panicked. A posted function that is still queued then never runs. Any goroutine may call Done.
func (l *Loop) Done() <-chan struct{} { return l.done }
