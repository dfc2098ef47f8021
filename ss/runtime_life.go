package ss

import (
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/pool"
	"github.com/millrace/millrace/wsi"
)

// Set-up of a Runtime, its work at the end of a turn, and its end.

// New returns a Runtime. The error reports a missing Config.Loop or Config.Policy.
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
	if c.IdleStreams == 0 {
		c.IdleStreams = 4
	}
	c.IdleStreams = max(c.IdleStreams, 0)
	r := &Runtime{
		cfg:         c,
		loop:        c.Loop,
		net:         wsi.New(c.Loop, c.Net),
		pol:         c.Policy,
		log:         c.Log,
		streamTypes: make(map[*policy.Stream]*streamType),

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
	r.http.pool.Init(p)
	if c.CheckThread {
		r.loop.WatchThread()
	}
	r.loop.ReportSlow(r.logSlow)
	return r, nil
}

// Close destroys every stream. What the streams have committed is still sent while the loop turns. Call it on the
// loop's goroutine.
func (r *Runtime) Close() {
	if r.astray("Close") {
		return
	}
	r.closed = true
	r.table.each(func(h *Handle) { h.Destroy() })
	r.http.pool.Close()
	if r.secure != nil {
		r.secure.Close()
	}
	r.cookies.Close()
	r.watch.Stop()
	r.net.Close()
	r.cleanups.run(r)
}

// RunTask implements loop.Runner: it carries out what was requested of handles in this turn.
func (r *Runtime) RunTask(now time.Duration) {
	list := r.pending
	r.pending = r.spare[:0]
	for i, h := range list {
		list[i] = nil
		h.flags &^= queued
		h.settle(now)
	}
	r.spare = list[:0]
	r.http.redirects.follow()
	if r.cancelWait {
		r.cancelWait = false
		r.table.each(func(h *Handle) { h.tell(EventWaitCancel, Notice{}) })
	}
	r.cookies.Wake()
	r.checkDrained()
}

// AddCleanup registers c: f is called once, on the loop's goroutine, at the end of Close. On a closed runtime it is
// called before AddCleanup returns. Otherwise it works like Handle.AddCleanup.
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
