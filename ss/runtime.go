package ss

import (
	stdtls "crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/http/multipart"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/ss/pool"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// Config is what a Runtime is made of.
type Config struct {
	// Multipart bounds the multipart bodies that are taken apart ("http_multipart_ss_in"), of requests and responses.
	Multipart multipart.Limits
	// Loop drives everything. Required.
	Loop *loop.Loop
	// Policy says what stream types there are. Required.
	Policy *policy.Policy
	// Net configures the connections.
	Net wsi.Config
	// H1 holds limits and timeouts of HTTP/1.1; nil means h1.DefaultConfig. It is copied.
	H1 *h1.Config
	// WS is what WebSocket connections take their limits, timeouts and terms of compression from; nil means the
	// defaults. Whether messages are compressed the policy says.
	WS *ws.Config
	// H2 configures the connections of HTTP/2; nil means h2.DefaultConfig. New copies it.
	H2 *h2.Config
	// Log takes what an operator should know, callbacks that hold the loop for too long too (loop.Config.Slow) unless
	// the loop has an OnSlow. Default: nothing is logged. The handler must not block: see LogRing.
	Log *slog.Logger
	// KeepWarm is how long a client connection that can serve again waits for the next stream with the
	// same endpoint. Default 5 s; negative: such connections are closed.
	KeepWarm time.Duration
	// WarmMax is how many of them may wait, all endpoints together. Default 64; negative: none.
	WarmMax int
	// SharedMax is how many connections streams of protocol h2 make to one endpoint when the server takes no
	// more exchanges on the first. Streams beyond them wait in order. Default 2.
	SharedMax int
	// IdleLanes is how many streams of an accepted HTTP/2 connection wait for its next requests at any rate. Those
	// that more requests at a time have needed end when they have had nothing to do for a few seconds.
	// Default 4; negative: none.
	IdleLanes int
	// HalfClosed is how long a raw stream whose peer has ended its direction may give nothing before its connection is
	// ended. It is told of that end by an empty Rx with EOM, and should say itself when it is done, by
	// LWSSSSRET_DISCONNECT_ME or Disconnect: a peer that is gone looks like one that waits for more. Default 10 s, in
	// which an answer can be computed; negative: never.
	HalfClosed time.Duration
	// Grace is how long Run lets transactions that have begun go on when the program is to end. Default 10 s; negative:
	// they are cut at once. The runtime itself does not use it.
	Grace time.Duration
	// Backlog of listening sockets; 0 is the system's largest.
	Backlog int
	// ReusePort lets several processes or loops listen on one port: see loop.ListenOptions.
	ReusePort bool
	// TLS configures sessions: limits, and the time that is certainly past (Floor). Its clock, steps and
	// memory are the loop's, whatever it says of them.
	TLS tls.Config
	// ClientCerts are the certificates, with keys, that the policy's client_cert counts. What it counts
	// beyond them comes from Blobs.
	ClientCerts []stdtls.Certificate
	// Blobs are the device's own values, to which policies refer: see device.BlobID. nil: there are none.
	Blobs device.Blobs
	// Observe sees every state before its stream does. For tests and monitors; it must not call back.
	Observe func(h *Handle, s State, n Notice)
	// Cookies is for streams with "http_cookies".
	Cookies device.Cookies
	// SocksProxy is the SOCKS5 proxy that client streams go through where the policy names none, as in
	// "[user:password@]host:port"; "" for none. A program that obeys the environment gives the value of
	// socks_proxy, since the library reads no environment. This release does not speak SOCKS5: Create refuses
	// the streams that would need it, so that none of them goes out directly.
	SocksProxy string
	// PanicOnIllegal makes a move that is not in the table a panic instead of a log line and a count, and so with what
	// CheckThread finds. Tests set it.
	PanicOnIllegal bool
	// CheckThread looks with each call of a Handle's methods whether it comes from the loop's thread: calls from other
	// goroutines do nothing, or worse. They are logged and counted (Counters.WrongThread) with it, and answered with
	// LWSSSSRET_SS_HANDLE_DESTROYED or ErrWrongThread. It costs a system call per method, on Linux alone, and needs
	// a loop whose goroutine is locked to its thread: see loop.WatchThread. For debugging; tests set it.
	CheckThread bool
}

// Counters count what streams did. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Created, Destroyed uint64 // handles, accepted ones included
	Attempts           uint64 // connection attempts of client streams, those on a warm connection included
	Warm               uint64 // attempts that found a warm connection
	Shared             uint64 // attempts that joined a connection in use, or followed on it
	Repeated           uint64 // requests made again within their attempt: the server had not acted on them, or the method allows it
	Rewound            uint64 // times a stream was asked for its body from the beginning (Notice.Again), for a redirect too
	Withheld           uint64 // retries that were not made: the server may have acted on a request that is not idempotent
	ShortBodies        uint64 // bodies that their stream ended before the length that was announced
	LongBodies         uint64 // bodies for which their stream had more to give than was announced
	Refused            uint64 // requests that a server refused to take up (REFUSED_STREAM)
	GoneAway           uint64 // connections on which a server said that it takes no more (GOAWAY)
	Redirects          uint64 // redirects that were followed
	Failed             uint64 // attempts that ended before CONNECTED
	Unanswered         uint64 // of Failed, those that the server did not answer in time; and requests made again for it
	Silent             uint64 // client connections of HTTP/1.1 on which no byte moved for svalidhup
	ShortLived         uint64 // connections that count as failed attempts: they brought no payload, and soon ended
	Postponed          uint64 // Connect and RequestTx calls that wait for the delay after the last failure
	GivenUp            uint64 // times ALL_RETRIES_FAILED was told
	Transactions       uint64 // HTTP transactions served
	FellBack           uint64 // WebSockets asked for over HTTP/1.1 since the server does not take them over HTTP/2
	Uncompressed       uint64 // attempts without permessage-deflate since the server's answer to it was malformed
	Illegal            uint64 // moves that the table does not have: bugs
	Malformed          uint64 // multipart bodies of peers that broke the rules, or the limits
	Misuse             uint64 // callbacks that did what they may not do
	MemoryRefused      uint64 // requests, responses and bodies refused because the share of memory for what they need was used up
	ValuesRefused      uint64 // attempts that failed because of a metadata value that is not allowed in endpoint or http_url
	WrongThread        uint64 // calls of a Handle's methods from another goroutine, with Config.CheckThread
}

// Runtime is a loop, its connections, and a policy: everything that streams share.
type Runtime struct {
	Counters Counters

	cfg          Config
	loop         *loop.Loop
	net          *wsi.Net
	pol          *policy.Policy
	h1           *h1.Shared
	h2           *h2.Shared
	log          *slog.Logger
	kinds        map[*policy.Stream]*kind
	table        handleTable
	pool         httpPool
	redirects    pendingRedirects
	pending      []*Handle // with something to settle at the end of the turn
	spare        []*Handle
	task         loop.Task
	at           *Handle // whose callback runs, or ran last
	filling      bool    // a Tx is running: the output is its own
	msg          http.Message
	headOf       *Handle       // whose callbacks are being given a peer's head
	head         *http.Message // it
	parts        []*partsIn    // that wait for the next multipart body
	part         *partsIn      // of which a part begins
	text         []byte        // scratch: a target being expanded
	free         []*values
	dated        time.Duration // when dateBuf was made
	dateBuf      []byte
	drain        *draining
	ws, wsPacked *ws.Shared        // without and with compression; nil before the first of them
	cookies      *device.CookieJar // nil before the first stream that asks for them
	secure       *secure.Contexts  // nil before the first TLS stream
	tickets      *tls.TicketKeys
	watch        *loop.Watch // of the memory account
	quirks       quirkMemory
	cleanups     cleanups
	closed       bool

	cancelWait bool // EVENT_WAIT_CANCELLED is to be told
}

// New makes a Runtime.
func New(c Config) (*Runtime, error) {
	if c.Loop == nil || c.Policy == nil {
		return nil, errors.New("ss: new runtime: Config.Loop and Config.Policy are required")
	}
	if c.KeepWarm == 0 {
		c.KeepWarm = 5 * time.Second
	}
	if c.WarmMax == 0 {
		c.WarmMax = 64
	}
	if c.HalfClosed == 0 {
		c.HalfClosed = 10 * time.Second
	}
	if c.SharedMax <= 0 {
		c.SharedMax = 2
	}
	if c.IdleLanes == 0 {
		c.IdleLanes = 4
	}
	c.IdleLanes = max(c.IdleLanes, 0)
	r := &Runtime{
		cfg:   c,
		loop:  c.Loop,
		net:   wsi.New(c.Loop, c.Net),
		pol:   c.Policy,
		log:   c.Log,
		kinds: make(map[*policy.Stream]*kind),

		cleanups: make(cleanups),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.h1, r.h2 = r.newH1(c.H1), r.newH2(c.H2)
	r.watch = r.loop.Account().Watch(func(v loop.Level) {
		if v < loop.LevelStopReading {
			r.h2.Relieve()
		}
	})
	p := pool.Config[connKey, *httpConn, *httpClient]{Dial: dialHTTP, MaxShared: c.SharedMax, MaxWarm: c.WarmMax}
	if c.KeepWarm < 0 {
		p.MaxWarm = 0
	}
	r.pool.Init(p)
	if c.CheckThread {
		r.loop.WatchThread()
	}
	r.loop.ReportSlow(r.logSlow)
	return r, nil
}

// logSlow is told of callbacks that held the loop for longer than loop.Config.Slow, unless the loop's own OnSlow is.
func (r *Runtime) logSlow(who string, took time.Duration) {
	r.log.Warn("ss: a callback held the loop", "who", who, "for", took)
}

// Loop is the loop that drives the runtime.
func (r *Runtime) Loop() *loop.Loop { return r.loop }

// newH1 makes what HTTP/1.1 connections share from c, or from h1's defaults if c is nil.
func (r *Runtime) newH1(c *h1.Config) *h1.Shared {
	cfg := h1.DefaultConfig()
	if c != nil {
		cfg = *c
	}
	if cfg.Date == nil {
		cfg.Date = r.date
	}
	return h1.NewShared(cfg)
}

// H1 returns what the runtime's HTTP/1.1 connections share, whose Counters a report may show.
func (r *Runtime) H1() *h1.Shared { return r.h1 }

// newH2 does the same for HTTP/2.
func (r *Runtime) newH2(c *h2.Config) *h2.Shared {
	cfg := h2.DefaultConfig()
	if c != nil {
		cfg = *c
	}
	if cfg.Date == nil {
		cfg.Date = r.date
	}
	return h2.NewShared(cfg)
}

// H2 returns what the runtime's HTTP/2 connections share, whose Counters a report may show.
func (r *Runtime) H2() *h2.Shared { return r.h2 }

// Net is what the runtime's connections share.
func (r *Runtime) Net() *wsi.Net { return r.net }

// Policy is the policy in force: see SetPolicy.
func (r *Runtime) Policy() *policy.Policy { return r.pol }

// Len is how many handles live, servers and accepted ones included.
func (r *Runtime) Len() int { return r.table.live }

// Each calls f for every live handle, oldest slot first. f may call anything.
func (r *Runtime) Each(f func(h *Handle)) { r.table.each(f) }

// CancelWait has every live stream told EVENT_WAIT_CANCELLED. It may be called from any goroutine.
func (r *Runtime) CancelWait() error {
	return r.loop.Post(func() {
		r.cancelWait = true
		r.loop.Defer(&r.task, r) // where a panic is put down to its stream
	})
}

// Close destroys every stream. What they committed is still sent while the loop turns. It is called on
// the loop's goroutine.
func (r *Runtime) Close() {
	if r.astray("Close") {
		return
	}
	r.closed = true
	r.table.each(func(h *Handle) { h.Destroy() })
	r.pool.Close()
	if r.secure != nil {
		r.secure.Close()
	}
	r.cookies.Close()
	r.watch.Stop()
	r.net.Close()
	r.cleanups.run(r)
}

// AddCleanup registers c: f is called once, on the loop's goroutine, at the end of Close. On a closed runtime it is called
// before AddCleanup returns. The rest is as for Handle.AddCleanup.
func (r *Runtime) AddCleanup(c *Cleanup, f func()) {
	c.Remove()
	switch {
	case r.astray("AddCleanup"):
	case r.closed:
		f()
	default:
		r.cleanups.add(c, r, f)
	}
}

// Label names, in reports, the stream whose callback ran last.
func (r *Runtime) Label() string {
	if r.at == nil {
		return "streams"
	}
	return r.at.Label()
}

// RunTask implements loop.Runner: it does what handles were asked in this turn.
func (r *Runtime) RunTask(now time.Duration) {
	list := r.pending
	r.pending = r.spare[:0]
	for i, h := range list {
		list[i] = nil
		h.flags &^= queued
		h.settle(now)
	}
	r.spare = list[:0]
	r.redirects.follow()
	if r.cancelWait {
		r.cancelWait = false
		r.table.each(func(h *Handle) { h.tell(EventWaitCancel, Notice{}) })
	}
	r.cookies.Wake()
	r.checkDrained()
}

// date is the present Date field value, made anew when it is half a second old: it may lag by that
// much, and costs nothing in between.
func (r *Runtime) date() []byte {
	if now := r.loop.Now(); len(r.dateBuf) == 0 || now-r.dated >= 500*time.Millisecond {
		r.dateBuf = http.AppendDate(r.dateBuf[:0], r.loop.System().Wall())
		r.dated = now
	}
	return r.dateBuf
}

// chance is 16 random bits.
func (r *Runtime) chance() uint16 {
	var b [2]byte
	r.loop.System().Rand(b[:])
	return uint16(b[0])<<8 | uint16(b[1])
}
