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

// Runtime combines a loop, its connections and a policy: everything that streams share.
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
	pending      []*Handle // with requests to carry out at the end of the turn
	spare        []*Handle
	task         loop.Task
	at           *Handle                   // the stream whose callback runs, or ran last
	filling      *Handle                   // whose Tx is running
	files        map[*Handle]payloadSource // what sends for a stream in place of its Tx
	fileFree     [][]byte                  // parts of files that are not in use
	msg          http.Message
	headOf       *Handle       // the stream whose callbacks can read head
	head         *http.Message // the peer's head, for headOf
	http         httpShared
	text         []byte // scratch for expanding a target
	values       meta.Pool
	dated        time.Duration // when dateBuf was formatted
	dateBuf      []byte
	drain        *draining
	ws, wsPacked *ws.Shared        // without and with compression; nil before the first of them
	cookies      *device.CookieJar // nil before the first stream that uses them
	secure       *secure.Contexts  // nil before the first TLS stream
	tickets      *tls.TicketKeys
	watch        *loop.Watch // of the memory account
	quirks       quirkMemory
	cleanups     cleanups
	closed       bool

	cancelWait bool // EVENT_WAIT_CANCELLED is to be delivered
}

// logSlow logs callbacks that blocked the loop for longer than loop.Config.Slow, unless the loop has an OnSlow.
func (r *Runtime) logSlow(who string, took time.Duration) {
	r.log.Warn("ss: slow callback", "owner", who, "took", took)
}

// Loop returns the loop that drives the runtime.
func (r *Runtime) Loop() *loop.Loop { return r.loop }

// newH1 returns the shared state of HTTP/1.1 connections, configured by c, or by the defaults if c is nil.
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

// H1 returns the shared state of the runtime's HTTP/1.1 connections, with their Counters.
func (r *Runtime) H1() *h1.Shared { return r.h1 }

// newH2 is newH1 for HTTP/2.
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

// H2 returns the shared state of the runtime's HTTP/2 connections, with their Counters.
func (r *Runtime) H2() *h2.Shared { return r.h2 }

// Net returns the shared state of the runtime's connections.
func (r *Runtime) Net() *wsi.Net { return r.net }

// Policy returns the policy in force: see SetPolicy.
func (r *Runtime) Policy() *policy.Policy { return r.pol }

// Len returns the number of live handles, including servers and accepted ones.
func (r *Runtime) Len() int { return r.table.live }

// Each calls f for every live handle, in order of slots. f may call any method.
func (r *Runtime) Each(f func(h *Handle)) { r.table.each(f) }

// CancelWait delivers EVENT_WAIT_CANCELLED to every live stream. It may be called from any goroutine.
func (r *Runtime) CancelWait() error {
	return r.loop.Post(func() {
		r.cancelWait = true
		r.loop.Defer(&r.task, r) // a task names the stream in a panic
	})
}

// Label returns the name, for reports, of the stream whose callback ran last.
func (r *Runtime) Label() string {
	if r.at == nil {
		return "streams"
	}
	return r.at.Label()
}

// date returns the value of the Date field. It is formatted again when it is half a second old, so it may lag by that
// much.
func (r *Runtime) date() []byte {
	if now := r.loop.Now(); len(r.dateBuf) == 0 || now-r.dated >= 500*time.Millisecond {
		r.dateBuf = http.AppendDate(r.dateBuf[:0], r.loop.System().Wall())
		r.dated = now
	}
	return r.dateBuf
}

// chance returns 16 random bits.
func (r *Runtime) chance() uint16 {
	var b [2]byte
	r.loop.System().Rand(b[:])
	return uint16(b[0])<<8 | uint16(b[1])
}

// socksProxyFor returns the SOCKS5 proxy for the TCP connections of stream type k, "" for none.
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

// draining is a Drain in progress.
type draining struct {
	rt    *Runtime
	done  func() // nil once called
	timer loop.Timer
}

// jar returns the runtime's cookie jar, and creates it on first use.
func (r *Runtime) jar() *device.CookieJar {
	if r.cookies == nil {
		r.cookies = device.NewCookieJar(r.cfg.Cookies, r.loop, r.log, func() { r.loop.Defer(&r.task, r) })
		if r.drain != nil {
			r.cookies.Flush()
		}
	}
	return r.cookies
}
