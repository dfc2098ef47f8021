package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// fearless removes the limits on inflated messages.
func fearless(c *ss.Config) {
	cfg := ws.DefaultConfig()
	cfg.Deflate.Ratio = 0
	c.WS = &cfg
}

// wsBomb is 16 MiB of zeros compressed to 16 KiB.
const wsBomb = 16 << 20

// slow reads one piece a millisecond, and records the memory in use.
type slow struct {
	m            *sstest.Machine
	w            *world
	got, pieces  int
	longest, max int
	end          bool
}

func (s *slow) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }

func (s *slow) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.got += len(b)
	s.pieces++
	s.longest = max(s.longest, len(b))
	s.end = s.end || f&ss.EOM != 0
	s.max = max(s.max, int(s.m.Loop.Account().Used()))
	h.Pause()
	s.w.Net.At(time.Millisecond, func() {
		s.max = max(s.max, int(s.m.Loop.Account().Used()))
		h.Resume()
	})
	return ss.OK
}

func (s *slow) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// TestWebSocketSlowReceiver: a stream that slowly reads a message that inflates a thousandfold receives
// no more than it reads, with little memory, over HTTP/1.1 and over HTTP/2.
func TestWebSocketSlowReceiver(t *testing.T) {
	for _, over := range []string{"h1", "h2"} {
		doc := strings.Replace(wsCasesDoc, `"port":81,"protocol":"ws"`, `"port":81,"protocol":"h2","ws_subprotocol":"x"`, 1)
		doc = strings.Replace(doc, `"cli":{"endpoint":"10.0.0.3"`, `"cli":{"endpoint":"10.0.0.2"`, 1)
		doc = strings.Replace(doc, `"packed cli":{"endpoint":"10.0.0.3","port":80`, `"packed cli":{"endpoint":"10.0.0.2","port":81,"ws_over_h2":true`, 1)
		w := newWorld(t, doc, plan{Server: fearless, Client: fearless})
		s := &slow{m: w.Server, w: w}
		_, err := w.Server.Runtime.Create(ss.Info{StreamType: "packed srv", New: func(h *ss.Handle) ss.Stream {
			if h.Server() == nil {
				return ignoring{}
			}
			return s
		}})
		if err != nil {
			t.Fatal(err)
		}
		if over == "h1" {
			p := w.wsDial(81, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
			p.send(p.appendFrame(nil, wsFin|wsBin|wsRSV1, p.packed.deflate(strings.Repeat("\x00", wsBomb))), 0)
			defer p.close()
		} else {
			c := newScript()
			c.Say, c.QuietTx = make([]byte, wsBomb), true
			c.When(ss.Connected, (*ss.Handle).RequestTx)
			w.Create("packed cli", c).Connect()
		}
		w.Run("the whole message", func() bool { return s.end })
		if s.got != wsBomb || s.longest > 16<<10 || s.pieces < wsBomb/(16<<10) {
			t.Errorf("over %s: %d octets in %d pieces, the longest %d; want %d in pieces of up to 16 KiB", over, s.got, s.pieces, s.longest, wsBomb)
		}
		// An inflater with its 55 KB, and the compressed input.
		if s.max < 48<<10 || s.max > 192<<10 {
			t.Errorf("over %s: up to %d octets were on the account", over, s.max)
		}
		t.Logf("over %s: %d pieces, up to %d octets on the account", over, s.pieces, s.max)
	}
}

// TestWebSocketInflationIsShared: while a message that inflates a thousandfold is delivered to a stream that reads
// everything, the other connections of the loop are served.
func TestWebSocketInflationIsShared(t *testing.T) {
	w := newWorld(t, wsCasesDoc, plan{Server: fearless})
	got, meanwhile := 0, 0
	var other *mirror
	_, err := w.Server.Runtime.Create(ss.Info{StreamType: "packed srv", New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			return ignoring{}
		}
		return taking{&got}
	}})
	if err != nil {
		t.Fatal(err)
	}
	other = new(mirror)
	w.wsServe("srv", other)
	a, b := w.wsDial(81, "Sec-WebSocket-Extensions: permessage-deflate\r\n"), w.wsDial(80, "")
	ask := func() { b.out = b.appendFrame(b.out, wsFin|wsText, fmt.Sprint("are you there? ", meanwhile)) }
	b.onMsg = func(string, string) {
		if got < wsBomb {
			meanwhile++
			ask()
		}
	}
	ask()
	a.send(a.appendFrame(nil, wsFin|wsBin|wsRSV1, a.packed.deflate(strings.Repeat("\x00", wsBomb))), 0)
	b.within(atOnce, "end of the message", func() bool { return got == wsBomb })
	// 256 KiB make a turn.
	if want := wsBomb / (256 << 10) / 2; meanwhile < want {
		t.Errorf("%d messages of another connection were answered while %d octets were inflated, want at least %d", meanwhile, got, want)
	}
	a.close()
	b.close()
}

// taking is a Stream that reads its input.
type taking struct{ n *int }

func (taking) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }
func (s taking) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	*s.n += len(b)
	return ss.OK
}
func (taking) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }
