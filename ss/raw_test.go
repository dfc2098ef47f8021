package ss_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestRawBothWays: CONNECTED at once on both sides, no flags, no QOS, ordinals from 0 on each connection.
func TestRawBothWays(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
	w.serve("srv", func(s *script) { s.onRx = echoRx(s) })
	s := newScript()
	var ordinals []uint32
	s.onTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		ordinals = append(ordinals, ordinal)
		if ordinal < 2 {
			h.RequestTx()
		}
		return copy(buf, []string{"a", "bc", "d"}[ordinal]), ss.SOM | ss.EOM, ss.OK
	}
	h := w.create("c", s)
	for range 2 {
		h.RequestTx()
		w.settle()
		h.Disconnect()
		w.settle()
	}
	one := ` POLL CONNECTING CONNECTED tx("a"|SOM|EOM) tx("bc"|SOM|EOM) tx("d"|SOM|EOM) rx("abcd") DISCONNECTED`
	w.wantLine("the client", s, "CREATING"+one+one)
	w.wantLine("the server's stream", w.accepted[1], `CREATING CONNECTING CONNECTED rx("abcd") tx("abcd"|SOM) rx(""|EOM) DISCONNECTED DESTROYING`)
	if len(ordinals) != 6 || ordinals[2] != 2 || ordinals[3] != 0 {
		t.Errorf("ordinals: got %v, want 0 1 2 0 1 2", ordinals)
	}
}

// TestRawEnds: what each side is told of the ways in which a connection ends.
func TestRawEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(w *world, client, server *ss.Handle)
		client string
		server string
		cause  error // the client's, or the server's if the client's is nil
	}{
		{"client disconnects", func(_ *world, c, _ *ss.Handle) { c.Disconnect() }, "DISCONNECTED", "DISCONNECTED DESTROYING", nil},
		{"client is destroyed", func(_ *world, c, _ *ss.Handle) { c.Destroy() }, "DISCONNECTED DESTROYING", "DISCONNECTED DESTROYING", nil},
		{"server's stream disconnects", func(_ *world, _, s *ss.Handle) { s.Disconnect() }, "DISCONNECTED", "DISCONNECTED DESTROYING", nil},
		{"server's stream is destroyed", func(_ *world, _, s *ss.Handle) { s.Destroy() }, "DISCONNECTED", "DISCONNECTED DESTROYING", nil},
		{"server is destroyed", func(_ *world, _, s *ss.Handle) { s.Server().Destroy() }, "DISCONNECTED", "DISCONNECTED DESTROYING", nil},
		{"a reset", func(w *world, _, _ *ss.Handle) { w.net.ResetAll(w.cli.host) }, "DISCONNECTED", "DISCONNECTED DESTROYING", syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
			w.serve("srv", nil)
			s := newScript()
			h := w.create("c", s)
			h.Connect()
			w.settle()
			c.do(w, h, w.accepted[0].h)
			w.settle()
			const up = "CREATING CONNECTING CONNECTED "
			w.wantLife("the client", s, up+c.client)
			w.wantLife("the server's stream", w.accepted[0], up+c.server)
			for _, side := range []*script{s, w.accepted[0]} {
				if c.cause != nil {
					w.wantCause(side, c.cause)
				} else if len(side.causes) != 0 {
					t.Errorf("causes of an orderly end: got %v, want none", side.causes)
				}
			}
		})
	}
}

// TestRawEchoOwesItsLastBytes: a peer that ends its direction still gets what the stream had asked to
// give.
func TestRawEchoOwesItsLastBytes(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{net: sim.Options{SndBuf: 1024, RcvBuf: 1024, Link: sim.Link{Latency: time.Millisecond}}})
	text := bytes.Repeat([]byte("0123456789"), 3000)
	w.serve("srv", func(s *script) {
		s.say, s.noEOM, s.quietTx = text, true, true
		s.when(ss.Connected, (*ss.Handle).RequestTx)
	})
	s := newScript()
	// The reader takes its time; the writer destroys itself as soon as it has given everything.
	s.onRx = func(h *ss.Handle, _ []byte, _ ss.Flags) ss.Ret {
		h.Pause()
		s.w.net.At(10*time.Millisecond, h.Resume)
		return ss.OK
	}
	w.create("c", s).Connect()
	w.run("all given", func() bool { return w.accepted != nil && w.accepted[0].said == len(text) })
	w.accepted[0].h.Destroy()
	w.run("the end", func() bool { return s.told(ss.Disconnected) > 0 })
	if !bytes.Equal(s.got, text) {
		t.Errorf("got %d bytes, want the %d that were given before the end", len(s.got), len(text))
	}
}

// TestRawEndOfOneDirection: the end of the peer's direction does not cut off what the stream has asked to
// give; only then does its own end come.
func TestRawEndOfOneDirection(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{net: sim.Options{SndBuf: 1024, RcvBuf: 1024, Link: sim.Link{Latency: time.Millisecond}}})
	w.serve("srv", func(s *script) {
		s.say, s.noEOM, s.quietTx = make([]byte, 300<<10), true, true
		s.when(ss.Connected, (*ss.Handle).RequestTx)
	})
	s := newScript()
	h := w.create("c", s)
	h.Connect()
	w.pass(5 * time.Millisecond)
	h.Disconnect() // it reads on for a while, so that nothing is reset
	w.pass(4 * time.Second)
	a := w.accepted[0]
	if a.said != len(a.say) || len(a.causes) != 0 {
		t.Errorf("the server's stream gave %d of %d bytes: %s, causes %v", a.said, len(a.say), a.line(), a.causes)
	}
}

// TestRawManyAccepted: each accepted stream is its own, also with many at once and a listen backlog.
func TestRawManyAccepted(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{net: sim.Options{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}})
	w.serve("srv", func(s *script) { s.onRx = echoRx(s) })
	var all []*script
	for i := range 300 {
		s := newScript()
		s.say, s.noEOM = []byte(strings.Repeat("x", i+1)), true
		s.when(ss.Connected, (*ss.Handle).RequestTx)
		all = append(all, s)
		w.create("c", s).Connect()
	}
	w.pass(5 * time.Second)
	for i, s := range all {
		if len(s.got) != i+1 {
			t.Errorf("stream %d: got %d bytes back, want %d", i, len(s.got), i+1)
		}
	}
	if w.srv.rt.Len() != 301 {
		t.Errorf("streams of the server: got %d, want 301", w.srv.rt.Len())
	}
}

// TestUnixSocket: a server on a Unix socket, and its client.
func TestUnixSocket(t *testing.T) {
	for _, path := range []string{"+@name", "+/run/x.sock"} {
		w := newWorld(t, `{"s":[{"c":{"endpoint":"`+path+`","protocol":"h1","http_url":"/u"}},
			{"srv":{"server":true,"endpoint":"`+path+`","protocol":"h1"}}]}`, plan{single: true})
		w.serve("srv", answer(0, "hello"))
		s := newScript()
		w.create("c", s).Connect()
		w.settle()
		w.wantLine(path, s, `CREATING CONNECTING CONNECTED rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`)
	}
}
