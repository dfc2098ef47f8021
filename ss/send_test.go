package ss_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// sendDoc has a server and a client of each protocol that Send works on.
const sendDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"ws_srv":{"server":true,"port":80,"protocol":"h2","ws_subprotocol":"x"}},
	{"packed_srv":{"server":true,"port":81,"protocol":"ws","ws_deflate":true}},
	{"raw_srv":{"server":true,"port":82,"protocol":"raw"}},
	{"h1_srv":{"server":true,"port":83,"protocol":"h1"}},
	{"ws":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","opportunistic":true,"retry":"none"}},
	{"ws2":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","ws_over_h2":true,"opportunistic":true,"retry":"none"}},
	{"packed":{"endpoint":"10.0.0.2","port":81,"protocol":"ws","ws_deflate":true,"opportunistic":true,"retry":"none"}},
	{"raw":{"endpoint":"10.0.0.2","port":82,"protocol":"raw","opportunistic":true,"retry":"none"}},
	{"h1":{"endpoint":"10.0.0.2","port":83,"protocol":"h1","http_method":"POST","opportunistic":true,"retry":"none"}}]}`

// reflection is an echo that sends what it can with Send, and the rest in Tx.
type reflection struct {
	sent int // bytes that went at once
	rest [][]byte
	flag []ss.Flags // of each of rest
}

// play makes s a reflection.
func (r *reflection) play(s *script) {
	s.QuietTx = true
	s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		if len(r.rest) == 0 {
			n, err := h.Send(b, f)
			if r.sent += n; err == nil {
				return ss.OK
			}
			if !errors.Is(err, ss.ErrBlocked) {
				s.World.T.Errorf("Send of %d bytes took %d: got %v, want ErrBlocked", len(b), n, err)
			}
			if b = b[n:]; n > 0 {
				f &^= ss.SOM
			}
		}
		r.rest, r.flag = append(r.rest, bytes.Clone(b)), append(r.flag, f)
		return h.RequestTx()
	}
	s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, _ ss.Ret) {
		if len(r.rest) == 0 {
			return 0, 0, ss.TxDontSend
		}
		n, f = copy(buf, r.rest[0]), r.flag[0]
		if n < len(r.rest[0]) {
			r.rest[0], r.flag[0] = r.rest[0][n:], f&^ss.SOM
			f &^= ss.EOM
		} else {
			r.rest, r.flag = r.rest[1:], r.flag[1:]
		}
		h.RequestTx()
		return n, f, ss.OK
	}
}

// TestSend: the output of Send and that of Tx together are the messages that were received, on several networks.
func TestSend(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 40
	}
	for _, name := range []string{"ws", "ws2", "packed", "raw"} {
		atOnce, later := 0, 0
		for seed := range seeds {
			p := plan{Seed: seed, Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}}}
			if seed%2 == 1 {
				p.Net = sim.Options{Link: sim.Link{Latency: 3 * time.Millisecond, Jitter: 5 * time.Millisecond}, SndBuf: 3000, RcvBuf: 2000,
					ShortRead: 0.2, ShortWrite: 0.2, LateReady: 0.1, ShuffleReady: true}
			}
			w := newWorld(t, sendDoc, p)
			r := new(reflection)
			w.Serve(strings.Trim(name, "2")+"_srv", r.play)
			s := newScript()
			s.QuietTx, s.NoEOM = true, name == "raw"
			s.Piece = int(seed%7) * 900
			for i := range seed*7919%90_000 + 1 {
				s.Say = append(s.Say, byte(i*7/5))
			}
			s.When(ss.Connected, (*ss.Handle).RequestTx)
			ends := 0
			s.OnRx = func(_ *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
				if f&ss.EOM != 0 {
					ends++
				}
				return ss.OK
			}
			if name != "raw" {
				given := s.Give
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					n, f, ret := given(h, buf)
					return n, f | ss.Binary, ret
				}
			}
			h := w.Create(name, s)
			h.Connect()
			w.Run("everything back", func() bool { return len(s.Got) >= len(s.Say) && (name == "raw" || ends > 0) })
			w.Settle()
			if !bytes.Equal(s.Got, s.Say) || name != "raw" && ends != 1 {
				t.Fatalf("%s, seed %d: %d bytes came back of %d, the right ones: %v, in %d messages", name, seed, len(s.Got), len(s.Say), bytes.Equal(s.Got, s.Say), ends)
			}
			atOnce += r.sent
			later += len(s.Say) - r.sent
			s.Got = s.Got[:0]
			if n, err := w.Accepted[0].Handle.Send([]byte("out of turn"), ss.SOM|ss.EOM); n != 11 || err != nil {
				t.Fatalf("%s: Send between turns took %d bytes (%v), want all 11", name, n, err)
			}
			w.Run("what was sent between turns", func() bool { return string(s.Got) == "out of turn" })
			h.Destroy()
			w.End()
		}
		if atOnce == 0 || later == 0 {
			t.Errorf("%s: %d bytes went at once and %d later, want some of both", name, atOnce, later)
		}
	}
}

// TestSendElsewhere: nothing is sent on a stream that is to end.
func TestSendElsewhere(t *testing.T) {
	w := newWorld(t, sendDoc, plan{})
	w.Serve("ws_srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			h.Disconnect()
			if n, err := h.Send(b, f); n != 0 || !errors.Is(err, ss.ErrNotConnected) {
				t.Errorf("Send behind Disconnect took %d bytes (%v), want none, ErrNotConnected", n, err)
			}
			return ss.OK
		}
	})
	s := newScript()
	s.Say = []byte("question")
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	w.Create("ws", s).Connect()
	w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
}

// TestSendMisuse: a message inside another is not sent, and ends the connection as in Tx.
func TestSendMisuse(t *testing.T) {
	w := newWorld(t, sendDoc, plan{})
	w.Serve("ws_srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			if n, err := h.Send([]byte("begun"), ss.SOM); n != 5 || err != nil {
				t.Errorf("the beginning: %d bytes (%v), want 5", n, err)
			}
			if n, err := h.Send([]byte(", begun again"), ss.SOM|ss.EOM); n != 0 || !errors.Is(err, ss.ErrMisuse) {
				t.Errorf("a message inside another: %d bytes (%v), want none, ErrMisuse", n, err)
			}
			return ss.OK
		}
	})
	s := newScript()
	s.Say = []byte("question")
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	w.Create("ws", s).Connect()
	w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
	if string(s.Got) != "begun" || w.Server.Runtime.Counters.Misuse != 1 {
		t.Errorf("%q came, and %d misuses were counted", s.Got, w.Server.Runtime.Counters.Misuse)
	}
}

// TestSendEmpty: flags without bytes are sent.
func TestSendEmpty(t *testing.T) {
	w := newWorld(t, sendDoc, plan{})
	w.Serve("ws_srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			for _, f := range []ss.Flags{ss.SOM | ss.EOM, ss.SOM, 0, ss.EOM} {
				if n, err := h.Send(nil, f); n != 0 || err != nil {
					t.Errorf("nothing with %#x: %d bytes (%v), want 0 and no error", uint32(f), n, err)
				}
			}
			return ss.OK
		}
	})
	s := newScript()
	s.Say = []byte("question")
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	ends := 0
	s.OnRx = func(_ *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
		if f&ss.EOM != 0 {
			ends++
		}
		return ss.OK
	}
	w.Create("ws", s).Connect()
	w.Run("two messages", func() bool { return ends == 2 })
	if len(s.Got) != 0 {
		t.Errorf("%q came", s.Got)
	}
}

// TestSendIsOneWrite: the head of a response, the framing and the payload leave in one system call.
func TestSendIsOneWrite(t *testing.T) {
	for _, announce := range []bool{true, false} {
		w := newWorld(t, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}}]}`, plan{Net: sim.Options{SndBuf: 1 << 20, RcvBuf: 1 << 20}})
		body := bytes.Repeat([]byte("body"), 10_000)
		var served *ss.Handle
		w.Serve("srv", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(0)
				if served = h; announce {
					h.RequestTxLen(int64(len(body)))
				}
				return ss.OK
			})
			s.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }
		})
		b := w.bare("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		before := w.Server.Host.Calls().Writes
		if n, err := served.Send(body, ss.SOM|ss.EOM); n != len(body) || err != nil {
			t.Errorf("Send took %d of %d bytes: %v", n, len(body), err)
		}
		w.Settle()
		if got := w.Server.Host.Calls().Writes - before; got != 1 {
			t.Errorf("announced %v: got %d writes for a response of %d bytes, want 1", announce, got, len(body))
		}
		text, _ := b.read()
		if want := string(body[:100]); !strings.Contains(text, want) || strings.Count(text, "HTTP/1.1 200") != 1 {
			t.Errorf("announced %v: got %.200q", announce, text)
		}
		b.abort()
		w.End()
	}
}

// TestSendInTx: a Tx that has sent must not return bytes of its buffer too, whose place Send has used.
func TestSendInTx(t *testing.T) {
	w := newWorld(t, sendDoc, plan{})
	w.Serve("ws_srv", func(s *script) {
		s.When(ss.ServerUpgrade, (*ss.Handle).RequestTx)
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			h.Send([]byte("sent"), ss.SOM|ss.EOM)
			return min(len(buf), 6), ss.SOM | ss.EOM, ss.OK
		}
	})
	s := newScript()
	w.Create("ws", s).Connect()
	w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
	if string(s.Got) != "sent" || w.Server.Runtime.Counters.Misuse != 1 {
		t.Errorf("%q came, and %d misuses were counted, want what was sent and 1", s.Got, w.Server.Runtime.Counters.Misuse)
	}
}

// TestSendWithoutConnection: before there is one and after it, nothing is taken, and the error says why.
func TestSendWithoutConnection(t *testing.T) {
	w := newWorld(t, sendDoc, plan{})
	w.Serve("raw_srv", nil)
	for _, name := range []string{"raw", "ws", "h1"} {
		s := newScript()
		h := w.Create(name, s)
		if n, err := h.Send([]byte("x"), ss.SOM|ss.EOM); n != 0 || !errors.Is(err, ss.ErrNotConnected) {
			t.Errorf("%s, without a connection: Send took %d (%v), want 0, ErrNotConnected", name, n, err)
		}
		h.Destroy()
		w.Settle()
		if n, err := h.Send([]byte("x"), ss.SOM|ss.EOM); n != 0 || !errors.Is(err, ss.ErrDestroyed) {
			t.Errorf("%s, destroyed: Send took %d (%v), want 0, ErrDestroyed", name, n, err)
		}
	}
	w.End()
}
