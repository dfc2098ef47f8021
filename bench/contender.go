package main

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
)

// contender is a server that a suite measures.
type contender struct {
	name string
	peer string // its name in peers
	// program, unless nil, starts a server that is a separate program. Then peer is empty.
	program func(l *lab, kind string) (*process, error)
	ours    bool
	spin    time.Duration
	// quiet applies to millrace only; see peerEnv.
	quiet time.Duration
	// the build of this program that contains the peer; "" for this one
	exe string
}

// Server names in tables and JSON.
const (
	nameLimit        = "limit"
	nameMillrace     = "millrace"
	nameBefore       = "before"
	nameMillraceSpin = "millrace -spin"
	nameAwake        = "millrace, never asleep"
	namePlain        = "millrace without TLS"
	nameNetHTTP      = "net/http"
	nameFastHTTP     = "fasthttp"
	nameNginx        = "nginx"
	nameNghttpd      = "nghttpd"
	nameGoNet        = "Go net"
	nameGWS          = "gws"
	nameGorilla      = "gorilla/websocket"
	nameCoder        = "coder/websocket"
)

// httpContenders are the servers of every suite that speaks HTTP.
var httpContenders = []contender{
	{name: nameLimit, peer: "limit"},
	{name: nameMillrace, peer: "millrace", ours: true},
	{name: nameFastHTTP, peer: "fasthttp"},
	{name: nameNginx, program: (*lab).startNginx},
	{name: nameNetHTTP, peer: "nethttp"},
}

// rawContenders are the servers of the raw suite.
var rawContenders = []contender{
	{name: nameLimit, peer: "limit"},
	{name: nameMillrace, peer: "millrace", ours: true},
	{name: nameGoNet, peer: "gonet"},
}

// tlsContenders are the servers of every suite that speaks HTTP over TLS.
var tlsContenders = []contender{
	{name: nameMillrace, peer: "millrace", ours: true},
	{name: nameFastHTTP, peer: "fasthttp"},
	{name: nameNginx, program: (*lab).startNginx},
	{name: nameNetHTTP, peer: "nethttp"},
}

// h2Contenders are the servers of the suite that speaks HTTP/2 over TLS.
var h2Contenders = []contender{
	{name: nameMillrace, peer: "millrace", ours: true},
	{name: nameNghttpd, program: (*lab).startNghttpd},
	{name: nameNginx, program: (*lab).startNginx},
	{name: nameNetHTTP, peer: "nethttp"},
}

// wsContenders are the servers of the suite that speaks WebSocket.
var wsContenders = []contender{
	{name: nameLimit, peer: "limit"},
	{name: nameMillrace, peer: "millrace", ours: true},
	{name: nameGWS, peer: "gws"},
	{name: nameGorilla, peer: "gorilla"},
	{name: nameCoder, peer: "coder"},
}

// wsIdleContenders are the servers whose idle WebSockets are measured, wssIdleContenders the same over TLS.
var (
	wsIdleContenders = []contender{
		{name: nameLimit, peer: "limit"},
		{name: nameMillrace, peer: "millrace", ours: true},
		{name: nameGWS, peer: "gws"},
		{name: nameGorilla, peer: "gorilla"},
	}
	wssIdleContenders = wsIdleContenders[1:]
)

// start starts a contender and, if it serves HTTP or WebSocket, probes its responses. An absent error means that it
// cannot take part.
func (l *lab) start(c contender, kind string) (*process, error) {
	var p *process
	var err error
	var roots *x509.CertPool
	args := []string{"peer"}
	if secure(kind) {
		if err := l.certify(); err != nil {
			return nil, err
		}
		roots = l.creds.pool
		args = append(args, "-cert", l.creds.dir)
	}
	if c.program != nil {
		p, err = c.program(l, kind)
	} else {
		if c.spin > 0 {
			args = append(args, "-spin", c.spin.String())
		}
		if c.quiet != 0 {
			args = append(args, "-quiet", c.quiet.String())
		}
		args = append(args, c.peer, kind)
		if p, err = l.build(c.exe, c.name, l.serverCore, args...); err == nil {
			var at string
			if at, err = p.line("listening", answerTimeout); err == nil {
				p.addr, err = netip.ParseAddrPort(at)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	p.tls, p.ws = secure(kind), kind == kindWS || kind == kindWSS
	switch kind {
	case kindH2:
		if err := gen.ProbeH2(p.addr, roots); err != nil {
			return nil, fmt.Errorf("bench: %s: %w: %s", c.name, err, p.errs.String())
		}
	case kindWS, kindWSS:
		if err := gen.ProbeWS(p.addr, roots); err != nil {
			return nil, fmt.Errorf("bench: %s: %w: %s", c.name, err, p.errs.String())
		}
	case kindFan:
		if err := gen.ProbeFan(p.addr); err != nil {
			return nil, fmt.Errorf("bench: %s: %w: %s", c.name, err, p.errs.String())
		}
	case kindH1, kindTLS:
		a, err := gen.Probe(p.addr, roots)
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w: %s", c.name, err, p.errs.String())
		}
		p.size = a.Size
	}
	return p, nil
}

// certify creates the run's certificate when the first server needs one.
func (l *lab) certify() (err error) {
	if l.creds == nil {
		l.creds, l.discard, err = newCredentials()
	}
	return err
}

// seat is a running contender.
type seat struct {
	contender
	proc *process
}

// field selects the contenders: with options.before only the limit, millrace, and millrace of that build.
func (o options) field(all []contender) []contender {
	if o.before == "" {
		return all
	}
	var some []contender
	for _, c := range all {
		switch {
		case c.ours:
			old := c
			old.name, old.exe = nameBefore, o.before
			some = append(some, c, old)
		case c.name == nameLimit:
			some = append(some, c)
		}
	}
	return some
}

// startAll starts all contenders and adds those that cannot take part to the report's list.
func (l *lab) startAll(all []contender, kind string, r *report) ([]seat, error) {
	var up []seat
	for _, c := range l.field(all) {
		p, err := l.start(c, kind)
		if a, ok := isAbsent(err); ok {
			r.miss(c, a.why)
			continue
		}
		if err != nil {
			return nil, err
		}
		up = append(up, seat{c, p})
	}
	return up, nil
}

// rotate returns the seats in the order of one round. Each server is first in one of the rounds, so that no server always
// runs after the same other one on a warm or throttled machine.
func rotate(seats []seat, round int) []seat {
	n := round % max(len(seats), 1)
	return append(append([]seat(nil), seats[n:]...), seats[:n]...)
}
