package device

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/http/cookie"
)

// Cookies configures the cookies that streams with "http_cookies" share.
type Cookies struct {
	// Jar holds the cookies. nil: the runtime makes one, with the default limits, that keeps every cookie for
	// the host which set it. The jar belongs to the loop from then on.
	Jar *cookie.Jar
	// Store keeps the cookies beyond the life of the process; nil: they end with it. It is read before the first
	// request that needs cookies, and written after they changed. See CookieFile.
	Store CookieStore
	// Every is the least time between two writes. Default 10 s.
	Every time.Duration
}

// CookieStore keeps the text of a jar. Its methods are called one at a time, in offloaded jobs, and may block. files are
// those of the loop's System, for stores in files.
type CookieStore interface {
	// Load returns the text that was saved last, nothing if there is none.
	Load(files loop.Files) ([]byte, error)
	// Save replaces the text. The old text must stay valid until the new one is complete.
	Save(files loop.Files, text []byte) error
}

// CookieWaiter waits until the store was read.
type CookieWaiter interface {
	// CookiesLoaded is called once, by CookieJar.Wake.
	CookiesLoaded()
}

// CookieJar is a jar with its store: it reads the store before the first use and writes it after changes, both by
// Loop.Offload. It charges the size of the jar to the loop's account. Its methods are for the loop's goroutine.
type CookieJar struct {
	*cookie.Jar
	loop    *loop.Loop
	log     *slog.Logger
	store   CookieStore
	every   time.Duration
	onLoad  func()
	loaded  bool
	loading bool
	saving  bool
	flush   bool          // write at once, without regard to every
	closed  bool          // charge nothing
	saved   uint64        // Jar.Changed at the last write
	at      time.Duration // of the last write
	timer   loop.Timer
	waiting []CookieWaiter
	charged int // to the account
}

const defaultEvery = 10 * time.Second

// NewCookieJar returns a jar on l. onLoad is called when the store was read: the caller arranges a call of Wake
// before the turn is over.
func NewCookieJar(c Cookies, l *loop.Loop, log *slog.Logger, onLoad func()) *CookieJar {
	j := &CookieJar{Jar: c.Jar, loop: l, log: log, store: c.Store, every: c.Every, onLoad: onLoad, loaded: c.Store == nil}
	if j.Jar == nil {
		j.Jar = new(cookie.Jar)
	}
	if j.every <= 0 {
		j.every = defaultEvery
	}
	j.Charge()
	return j
}

// Await adds w to the list that Wake calls, and reads the store if that has not begun. It returns false, and does
// nothing, if the store was read already.
func (j *CookieJar) Await(w CookieWaiter) bool {
	if j.loaded {
		return false
	}
	j.waiting = append(j.waiting, w)
	if j.loading {
		return true
	}
	j.loading = true
	var text []byte
	files := j.loop.System()
	job := func() (err error) { text, err = j.store.Load(files); return err }
	done := func(err error) {
		j.loading, j.loaded = false, true
		if err != nil {
			j.log.Error("ss: the cookies could not be read; there are none until servers set them", "err", err)
		} else {
			j.Jar.Load(text, j.loop.System().Wall())
		}
		j.saved = j.Jar.Changed()
		j.Charge()
		j.onLoad()
	}
	if err := j.loop.Offload(job, done); err != nil {
		done(err)
	}
	return true
}

// Forget removes w from the list that Wake calls. j may be nil.
func (j *CookieJar) Forget(w CookieWaiter) {
	if j == nil {
		return
	}
	for i, b := range j.waiting {
		if w == b {
			j.waiting = append(j.waiting[:i], j.waiting[i+1:]...)
			return
		}
	}
}

// Wake calls those that wait, if the store was read. j may be nil.
func (j *CookieJar) Wake() {
	for j != nil && j.loaded && len(j.waiting) > 0 {
		w := j.waiting[0]
		j.waiting = j.waiting[1:]
		w.CookiesLoaded()
	}
}

// Keep writes the jar to the store if it has changed since the last write: now, or when Cookies.Every is over.
func (j *CookieJar) Keep() {
	if j.store == nil || !j.loaded || j.saving || j.Jar.Changed() == j.saved {
		return
	}
	l := j.loop
	if due := j.at + j.every; j.at > 0 && l.Now() < due && !j.flush {
		if !j.timer.Armed() {
			l.Arm(&j.timer, due, j)
		}
		return
	}
	l.Disarm(&j.timer)
	j.saving, j.saved, j.at = true, j.Jar.Changed(), l.Now()
	text := j.Jar.Save(nil, l.System().Wall())
	done := func(err error) {
		j.saving = false
		if err != nil {
			j.log.Error("ss: the cookies could not be written", "err", err)
		}
		j.Keep() // the changes of the meantime
	}
	if err := l.Offload(func() error { return j.store.Save(j.loop.System(), text) }, done); err != nil {
		done(err)
	}
}

// Flush writes changes at once, these and later ones. j may be nil.
func (j *CookieJar) Flush() {
	if j != nil {
		j.flush = true
		j.Keep()
	}
}

// Close writes changes at once, and takes the jar off the account. j may be nil.
func (j *CookieJar) Close() {
	if j != nil {
		j.closed = true
		j.Flush()
		j.Charge()
	}
}

// Kept reports whether nothing is left to be written. j may be nil.
func (j *CookieJar) Kept() bool {
	return j == nil || j.store == nil || !j.saving && (j.saved == j.Jar.Changed() || !j.loaded)
}

// Charge brings the account up to the present size of the jar. It is called after the jar was used: cookies may have
// expired.
func (j *CookieJar) Charge() {
	n := j.Jar.Size()
	if j.closed {
		n = 0
	}
	j.loop.Account().Charge(n - j.charged)
	j.charged = n
}

// Expired implements loop.Expirer.
func (j *CookieJar) Expired(time.Duration) { j.Keep() }

// Label implements loop.Expirer.
func (j *CookieJar) Label() string { return "cookies" }
