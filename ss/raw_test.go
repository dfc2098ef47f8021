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
	w.Serve("srv", func(s *script) { s.OnRx = echoRx(s) })
	s := newScript()
	var ordinals []uint32
	s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		ordinals = append(ordinals, ordinal)
		if ordinal < 2 {
			h.RequestTx()
		}
		return copy(buf, []string{"a", "bc", "d"}[ordinal]), ss.SOM | ss.EOM, ss.OK
	}
	h := w.Create("c", s)
	for range 2 {
		h.RequestTx()
		w.Settle()
		h.Disconnect()
		w.Settle()
	}
	one := ` POLL CONNECTING CONNECTED tx("a"|SOM|EOM) tx("bc"|SOM|EOM) tx("d"|SOM|EOM) rx("abcd") DISCONNECTED`
	w.WantLine("the client", s, "CREATING"+one+one)
	w.WantLine("the server's stream", w.Accepted[1], `CREATING CONNECTING CONNECTED rx("abcd") tx("abcd"|SOM) rx(""|EOM) DISCONNECTED DESTROYING`)
	if len(ordinals) != 6 || ordinals[2] != 2 || ordinals[3] != 0 {
		t.Errorf("ordinals: got %v, want 0 1 2 0 1 2", ordinals)
	}
}

// TestRawEnds: the states of each side for every kind of end of a connection.
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
		{"a reset", func(w *world, _, _ *ss.Handle) { w.Net.ResetAll(w.Client.Host) }, "DISCONNECTED", "DISCONNECTED DESTROYING", syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
			w.Serve("srv", nil)
			s := newScript()
			h := w.Create("c", s)
			h.Connect()
			w.Settle()
			c.do(w, h, w.Accepted[0].Handle)
			w.Settle()
			const up = "CREATING CONNECTING CONNECTED "
			w.WantLife("the client", s, up+c.client)
			w.WantLife("the server's stream", w.Accepted[0], up+c.server)
			for _, side := range []*script{s, w.Accepted[0]} {
				if c.cause != nil {
					w.WantCause(side, c.cause)
				} else if len(side.Causes) != 0 {
					t.Errorf("causes of an orderly end: got %v, want none", side.Causes)
				}
			}
		})
	}
}

// TestRawSendsItsLastBytes: a peer that ends its direction still receives what the stream had requested to
// send.
func TestRawSendsItsLastBytes(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{Net: sim.Options{SndBuf: 1024, RcvBuf: 1024, Link: sim.Link{Latency: time.Millisecond}}})
	text := bytes.Repeat([]byte("0123456789"), 3000)
	w.Serve("srv", func(s *script) {
		s.Say, s.NoEOM, s.QuietTx = text, true, true
		s.When(ss.Connected, (*ss.Handle).RequestTx)
	})
	s := newScript()
	// The reader is slow; the writer destroys itself as soon as it has returned everything.
	s.OnRx = func(h *ss.Handle, _ []byte, _ ss.Flags) ss.Ret {
		h.Pause()
		s.World.Net.At(10*time.Millisecond, h.Resume)
		return ss.OK
	}
	w.Create("c", s).Connect()
	w.Run("all given", func() bool { return w.Accepted != nil && w.Accepted[0].Said == len(text) })
	w.Accepted[0].Handle.Destroy()
	w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
	if !bytes.Equal(s.Got, text) {
		t.Errorf("got %d bytes, want the %d that were given before the end", len(s.Got), len(text))
	}
}

// TestRawEndOfOneDirection: after the end of the peer's direction the stream still sends what it has requested to
// send; then it ends.
func TestRawEndOfOneDirection(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{Net: sim.Options{SndBuf: 1024, RcvBuf: 1024, Link: sim.Link{Latency: time.Millisecond}}})
	w.Serve("srv", func(s *script) {
		s.Say, s.NoEOM, s.QuietTx = make([]byte, 300<<10), true, true
		s.When(ss.Connected, (*ss.Handle).RequestTx)
	})
	s := newScript()
	h := w.Create("c", s)
	h.Connect()
	w.Advance(5 * time.Millisecond)
	h.Disconnect() // it reads on for a while, so that nothing is reset
	w.Advance(4 * time.Second)
	a := w.Accepted[0]
	if a.Said != len(a.Say) || len(a.Causes) != 0 {
		t.Errorf("the server's stream gave %d of %d bytes: %s, causes %v", a.Said, len(a.Say), a.Line(), a.Causes)
	}
}

// TestRawManyAccepted: many connections at once, with a listen backlog, each have a stream of their own.
func TestRawManyAccepted(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer),
		plan{Net: sim.Options{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}})
	w.Serve("srv", func(s *script) { s.OnRx = echoRx(s) })
	var all []*script
	for i := range 300 {
		s := newScript()
		s.Say, s.NoEOM = []byte(strings.Repeat("x", i+1)), true
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		all = append(all, s)
		w.Create("c", s).Connect()
	}
	w.Advance(5 * time.Second)
	for i, s := range all {
		if len(s.Got) != i+1 {
			t.Errorf("stream %d: got %d bytes back, want %d", i, len(s.Got), i+1)
		}
	}
	if w.Server.Runtime.Len() != 301 {
		t.Errorf("streams of the server: got %d, want 301", w.Server.Runtime.Len())
	}
}

// TestUnixSocket: a server on a Unix socket, and its client.
func TestUnixSocket(t *testing.T) {
	for _, path := range []string{"+@name", "+/run/x.sock"} {
		w := newWorld(t, `{"s":[{"c":{"endpoint":"`+path+`","protocol":"h1","http_url":"/u"}},
			{"srv":{"server":true,"endpoint":"`+path+`","protocol":"h1"}}]}`, plan{Single: true})
		w.Serve("srv", answer(0, "hello"))
		s := newScript()
		w.Create("c", s).Connect()
		w.Settle()
		w.WantLine(path, s, `CREATING CONNECTING CONNECTED rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`)
	}
}
