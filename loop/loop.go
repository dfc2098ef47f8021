package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Config sets a loop's limits. Zero fields take the defaults.
type Config struct {
	// Bytes one connection may move per turn, each direction, before the others get their share.
	// Default 256 KiB: four full receive buffers. The loop only keeps the figure; wsi obeys it, by Loop.Share.
	Bytes int
	// Accepts per turn, all listeners together. Default 16: so few that a storm of connections adds
	// little to everybody's turn, and enough that a turn's own cost does not show.
	Accepts int
	// Newcomers served per turn: see Loop.Newcomer. Default 16, for the same reason.
	Newcomers int
	// Handshakes is the number of handshake steps per turn. Default 16: one costs up to a millisecond
	// of public-key work.
	Handshakes int
	// Events fetched per wait. Default 512.
	Events int
	// Spin is how long to look for events before sleeping, for those who pay CPU for latency.
	// Default 0: sleep at once.
	Spin time.Duration
	// Slow is the time a callback may hold the loop before it is reported. Default 100 ms; negative:
	// never, which also saves a clock reading per callback.
	Slow time.Duration
	// OnSlow is told which callback was slow, by its Label, and how long it took. May be nil: slow
	// callbacks are counted all the same.
	OnSlow func(who string, took time.Duration)
	// Memory is the ceiling of the account in bytes. Default 64 MiB; negative: none.
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
	def(&c.Newcomers, 16)
	def(&c.Handshakes, 16)
	def(&c.Events, 512)
	if c.Slow == 0 {
		c.Slow = 100 * time.Millisecond
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
}

// Loop turns on one goroutine, driven either by Run or by Service. Its methods are for that goroutine
// and, before the first turn and after the last, for whoever owns it; Post, Stop and Poisoned may be
// called from anywhere.
type Loop struct {
	sys System
	c   Config

	now    time.Duration // this turn's time
	end    time.Duration // when the last turn ended
	mark   time.Duration // when the callback under way began, kept while slow ones are watched for
	turns  uint32        // number of this turn; wraps
	phase  phase
	active active // the callback under way

	events    []Event
	sources   sourceTable
	gen       uint32 // last generation given to a Source
	cur       queue[Token]
	next      queue[Token]
	newcomers fifo[Token]
	share     int // see Share

	timers timerHeap
	tasks  [2]queue[*Task]
	filled uint8 // which of tasks is being filled

	inbox   inbox
	post    func(func()) // l.postAll, bound once
	account Account
	stats   Stats

	accepts, handshakes int // left in this turn
	busyTurns           int // turns since the loop last slept

	done chan struct{} // see Done
	once sync.Once     // closes it

	turning atomic.Bool  // Run or a Service is under way
	driver  atomic.Int32 // driverNone, or what has been used so far
	stop    atomic.Bool
	asleep  atomic.Bool // a wake-up is needed to be noticed
	poison  atomic.Pointer[PoisonedError]

	watchThread bool
	thread      atomic.Int64 // that drives the loop, as far as it is known
}

// New makes a loop on sys, which from then on belongs to it.
func New(sys System, c Config) *Loop {
	c.fill()
	l := &Loop{sys: sys, c: c, events: make([]Event, c.Events), done: make(chan struct{})}
	l.now = sys.Now()
	l.end = l.now
	l.asleep.Store(true)
	l.share = c.Bytes
	l.account.init(l, c.Memory)
	l.post = func(f func()) { _ = l.Post(f) } // a job that outlives its loop has nobody to tell
	return l
}

// System returns the kernel this loop stands on.
func (l *Loop) System() System { return l.sys }

// Now returns the time at which this turn began, monotonic, since an arbitrary origin.
func (l *Loop) Now() time.Duration { return l.now }

// Current returns the time of this turn, and between two turns the system's time, since Now is the past then.
func (l *Loop) Current() time.Duration {
	if l.phase == phaseIdle {
		return l.sys.Now()
	}
	return l.now
}

// Config returns the loop's limits, defaults filled in. It is not to be changed.
func (l *Loop) Config() *Config { return &l.c }

// sharers is how many connections may move Config.Bytes each in one turn, and leastShare what each of many may move: one
// record of TLS.
const (
	sharers    = 16
	leastShare = 16 << 10
)

// Share returns how many bytes one connection may move in this turn, in each direction: Config.Bytes, and less when more
// than a few are ready at the same time. It bounds what a turn takes, and so how long one that becomes ready now waits.
func (l *Loop) Share() int { return l.share }

// shareAmong sets Share for n connections.
func (l *Loop) shareAmong(n int) {
	l.share = l.c.Bytes
	if n > sharers {
		l.share = max(l.c.Bytes*sharers/n, min(leastShare, l.c.Bytes))
	}
}

// ReportSlow sets Config.OnSlow if it is nil. Of several runtimes on one loop the first reports.
func (l *Loop) ReportSlow(f func(who string, took time.Duration)) {
	if l.c.OnSlow == nil {
		l.c.OnSlow = f
	}
}

// Account returns the loop's memory account.
func (l *Loop) Account() *Account { return &l.account }

// Stats returns the loop's figures. They change with every turn: look at them on the loop's goroutine,
// or copy them there.
func (l *Loop) Stats() *Stats { return &l.stats }

// Poisoned returns nil, or the *PoisonedError that names the callback that panicked.
func (l *Loop) Poisoned() error {
	if p := l.poison.Load(); p != nil {
		return p
	}
	return nil
}

// TakeAccept takes one accept from this turn's budget. When there is none left it is false, and the
// listener asks to be called again next turn.
func (l *Loop) TakeAccept() bool { return take(&l.accepts) }

// TakeHandshake takes one handshake step from this turn's budget.
func (l *Loop) TakeHandshake() bool { return take(&l.handshakes) }

func take(left *int) bool {
	if *left <= 0 {
		return false
	}
	*left--
	return true
}

// Close ends the loop and shuts its System down: offloaded jobs that have begun are waited for, their
// results and everything posted are dropped. It is called after Run has returned or after the last
// Service; before that it is ErrNested. Descriptors that are still watched are their owners' to close.
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

// Done is closed when the loop will not turn again: after Close, or after a callback panicked. What was posted and has not
// been called by then is never called. It may be used from any goroutine.
func (l *Loop) Done() <-chan struct{} { return l.done }
