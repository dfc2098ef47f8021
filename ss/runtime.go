package ss

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/ss/internal/meta"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

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
	streamTypes  map[*policy.Stream]*streamType
	table        handleTable
	pending      []*Handle // with something to settle at the end of the turn
	spare        []*Handle
	task         loop.Task
	at           *Handle                   // whose callback runs, or ran last
	filling      *Handle                   // whose Tx is running
	files        map[*Handle]payloadSource // what sends for a stream in place of its Tx
	fileFree     [][]byte                  // parts of files that are not in use
	msg          http.Message
	headOf       *Handle       // whose callbacks are being given a peer's head
	head         *http.Message // it
	http         httpShared
	text         []byte // scratch: a target being expanded
	values       meta.Pool
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

// Label names, in reports, the stream whose callback ran last.
func (r *Runtime) Label() string {
	if r.at == nil {
		return "streams"
	}
	return r.at.Label()
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

// socksProxyFor is the SOCKS5 proxy that what k has to do over TCP goes through, "" for none.
func (r *Runtime) socksProxyFor(k *streamType) string {
	p := k.pol
	switch {
	case p.ViaSocks5 == "none":
		return ""
	case p.ViaSocks5 != "":
		return p.ViaSocks5
	case k.socksProxy != "":
		return k.socksProxy
	}
	return r.cfg.SocksProxy
}

// draining is a Drain under way.
type draining struct {
	rt    *Runtime
	done  func() // nil once called
	timer loop.Timer
}

// jar returns the runtime's cookies. It makes them when a stream first needs them.
func (r *Runtime) jar() *device.CookieJar {
	if r.cookies == nil {
		r.cookies = device.NewCookieJar(r.cfg.Cookies, r.loop, r.log, func() { r.loop.Defer(&r.task, r) })
		if r.drain != nil {
			r.cookies.Flush()
		}
	}
	return r.cookies
}
