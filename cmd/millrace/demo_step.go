package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// plan lists the steps of the demo.
func (d *demo) plan(closed uint16) {
	hello, large := d.web.hello.content.text, d.web.large.content.text
	note := []byte("a note to be echoed")
	bulk := pattern(300<<10, 7)
	answered := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.QOSAckRemote, ss.Disconnected, ss.Destroying}
	refused := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.QOSNackRemote, ss.Disconnected, ss.Destroying}
	piped := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Destroying}
	failed := []ss.State{ss.Creating, ss.Connecting, ss.Unreachable, ss.Poll, ss.Connecting, ss.Unreachable,
		ss.Poll, ss.Connecting, ss.Unreachable, ss.AllRetriesFailed, ss.Destroying}
	noServer := &demoServer{port: closed}
	d.steps = []*step{
		{name: "get", shows: "a small answer", kind: "get", on: d.web, path: "/hello", receives: hello, passes: answered},
		{name: "get again", shows: "the warm connection serves another stream", kind: "get", on: d.web, path: "/hello",
			receives: hello, passes: answered, warm: true},
		{name: "post", shows: "a body of known length, echoed", kind: "post", on: d.web, sends: note, announced: true,
			receives: note, passes: answered, warm: true},
		{name: "post in chunks", shows: "a body of unknown length, echoed as it arrives", kind: "post", on: d.web, sends: bulk,
			receives: bulk, passes: answered, warm: true},
		{name: "large", shows: "a large answer", kind: "get", on: d.web, path: "/large", receives: large, passes: answered, warm: true},
		{name: "missing", shows: "404: nack, as expected", kind: "get", on: d.web, path: "/missing",
			passes: refused, warm: true},
		{name: "get over HTTP/2", shows: "the same answer from the same port", kind: "h2_get", on: d.web, path: "/hello",
			receives: hello, passes: answered},
		{name: "post over HTTP/2", shows: "another stream on that connection, echoed as it arrives", kind: "h2_post", on: d.web, sends: bulk,
			receives: bulk, passes: answered, warm: true},
		{name: "raw echo", shows: "bytes without a protocol, echoed", kind: "tcp", on: d.pipe, sends: bulk,
			receives: bulk, passes: piped},
		{name: "WebSocket", shows: "one large message, echoed while it arrives", kind: "ws", on: d.talk, sends: bulk,
			receives: bulk, passes: piped},
		{name: "ws over HTTP/2", shows: "on a stream of a connection that others may share", kind: "ws_h2", on: d.talk, sends: bulk,
			receives: bulk, passes: piped},
		{name: "closed port", shows: "all retries of the policy fail, as expected", kind: "get", on: noServer,
			path: "/", passes: failed, because: "connection refused"},
		{name: "get over TLS", shows: "the same answer from a server with a certificate", kind: "tls_get", on: d.tlsWeb, path: "/hello",
			receives: hello, passes: answered, tls: true},
		{name: "get over it again", shows: "on the warm connection", kind: "tls_get", on: d.tlsWeb, path: "/large", receives: large,
			passes: answered, tls: true, warm: true},
		{name: "HTTP/2 over TLS", shows: "negotiated in the handshake", kind: "tls_h2_get", on: d.tlsWeb, path: "/large",
			receives: large, passes: answered, tls: true, alpn: "h2"},
		{name: "wss over HTTP/2", shows: "over HTTP/2, over TLS", kind: "wss_h2", on: d.tlsTalk, sends: bulk,
			receives: bulk, passes: piped, tls: true, alpn: "h2"},
		{name: "raw over TLS", shows: "encrypted bytes, echoed", kind: "tls_tcp", on: d.tlsPipe, sends: bulk,
			receives: bulk, passes: piped, tls: true},
		{name: "raw, resumed", shows: "a new connection with the ticket of the previous one", kind: "tls_tcp", on: d.tlsPipe, sends: note,
			receives: note, passes: piped, tls: true, resumed: true},
		{name: "unknown root", shows: "a server of an unknown CA: not trusted, as expected", kind: "tls_wary", on: d.tlsWeb,
			path: "/hello", passes: failed, because: "is signed by no authority of the trust store: judged by trust store elsewhere"},
	}
}

// step is a client stream of the demo, with its expected results.
type step struct {
	name, shows, kind, path string
	on                      *demoServer
	sends                   []byte
	announced               bool // the length of sends is announced
	receives                []byte
	passes                  []ss.State
	warm                    bool   // expects the connection of an earlier stream
	tls, resumed            bool   // expects TLS, and a resumed session
	alpn                    string // the expected ALPN protocol; "" for any
	because                 string // part of the cause of every failed attempt

	demo        *demo
	trace       *trace
	faults      []string
	began, took time.Duration
	warmBefore  uint64
	reused      bool
	secure      *tls.State // the TLS state when it was connected; nil in clear text
	sent, got   int
	ended       bool
}

func (s *step) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// State implements ss.Stream.
func (s *step) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.Creating:
		if err := h.SetMetadataString("port", strconv.Itoa(int(s.on.port))); err != nil {
			s.fault("%v", err)
		}
		if s.path != "" {
			if err := h.SetMetadataString("path", s.path); err != nil {
				s.fault("%v", err)
			}
		}
	case ss.Connecting:
		s.sent, s.got = 0, 0
		if s.announced {
			return h.RequestTxLen(int64(len(s.sends)))
		}
		if s.sends != nil {
			return h.RequestTx()
		}
	case ss.Connected:
		s.reused = s.demo.runner.rt.Counters.Warm > s.warmBefore
		if t, ok := h.TLS(); ok {
			s.secure = &t
		}
	case ss.Unreachable:
		if n.Cause == nil || !strings.Contains(n.Cause.Error(), s.because) {
			s.fault("an attempt failed with %v, want %q in it", n.Cause, s.because)
		}
	case ss.Disconnected, ss.AllRetriesFailed:
		return ss.DestroyMe
	case ss.Destroying:
		s.took = s.demo.now() - s.began
		s.ended = true
		s.demo.done()
	}
	return ss.OK
}

// Rx compares the payload with the expected payload.
func (s *step) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	s.compare(b)
	if !transactional(h.Policy()) && s.got >= len(s.receives) {
		return ss.DestroyMe
	}
	return ss.OK
}

// transactional reports whether the end of a transaction, and not the stream, ends the exchange.
func transactional(p *policy.Stream) bool { return p.Protocol != policy.Raw && p.Protocol != policy.WS }

func (s *step) compare(b []byte) {
	if left := s.receives[min(s.got, len(s.receives)):]; !bytes.HasPrefix(left, b) {
		s.fault("payload differs from the expected payload at byte %d or later", s.got)
	}
	s.got += len(b)
}

// Tx sends the payload of the step.
func (s *step) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if s.sent == 0 {
		f = ss.SOM
	}
	n = copy(buf, s.sends[s.sent:])
	if s.sent += n; s.sent == len(s.sends) {
		return n, f | ss.EOM, ss.OK
	}
	h.RequestTx()
	return n, f, ss.OK
}
