package ss_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestPauseStopsThePeer: a paused stream, of either protocol and on either side, holds little and stops
// its peer; Resume brings everything.
func TestPauseStopsThePeer(t *testing.T) {
	const size = 4 << 20
	opts := sim.Options{SndBuf: 16 << 10, RcvBuf: 16 << 10}
	whole := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for _, c := range []struct {
		name   string
		keys   string
		srv    string
		upload bool
	}{
		{"raw server", `"protocol":"raw"`, rawServer, true},
		{"raw client", `"protocol":"raw"`, rawServer, false},
		{"h1 server", `"protocol":"h1","http_method":"POST"`, h1Server, true},
		{"h1 client", `"protocol":"h1"`, h1Server, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(c.keys, c.srv), plan{net: opts})
			h1 := c.srv == h1Server
			given := 0
			sender := func(s *script) {
				s.say, s.quietTx, s.noEOM = whole, true, !h1
				s.onTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					n, f, r := s.give(h, buf)
					given += n
					return n, f, r
				}
			}
			var sink *script
			take := func(s *script) {
				sink = s
				s.onRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
					if len(s.got) > 0 && len(s.got) < 64<<10 {
						h.Pause()
					}
					if c.upload && h1 && f&ss.EOM != 0 {
						h.ServerAck(0)
						return h.RequestTxLen(0)
					}
					return ss.OK
				}
			}
			cl := newScript()
			if c.upload {
				sender(cl)
				cl.when(ss.Connecting, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(size) })
				w.serve("srv", take)
			} else {
				take(cl)
				w.serve("srv", func(s *script) {
					sender(s)
					at := ss.ServerTxn
					if !h1 {
						at = ss.Connected
					}
					s.when(at, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(size) })
				})
			}
			w.create("c", cl).Connect()
			w.pass(20 * time.Second)
			got := len(sink.got)
			if got == 0 || got > 200<<10 {
				t.Fatalf("paused after the first piece: got %d bytes, want one read's worth", got)
			}
			// Both socket buffers, one arena and one read on the way.
			if given > got+(16+16+64+64)<<10 {
				t.Errorf("the peer gave %d bytes while %d were taken: it was not stopped", given, got)
			}
			for _, m := range []*machine{w.cli, w.srv} {
				if held := m.rt.Net().Held(); held > 256<<10 {
					t.Errorf("%s holds %d bytes for one paused stream", m.host.Name(), held)
				}
			}
			for len(sink.got) < size {
				was := len(sink.got)
				sink.h.Resume()
				w.pass(20 * time.Second)
				if len(sink.got) == was {
					t.Fatalf("after Resume: stuck at %d of %d bytes\n%s", was, size, w.dump())
				}
			}
			if !bytes.Equal(sink.got, whole) {
				t.Errorf("what came is not what was sent")
			}
		})
	}
}

// TestPauseOutlastsConnections: a stream paused while it has no connection gets no payload on the next.
func TestPauseOutlastsConnections(t *testing.T) {
	for _, proto := range []string{"raw", "h1"} {
		srv := map[string]string{"raw": rawServer, "h1": h1Server}[proto]
		w := newWorld(t, clientDoc(`"opportunistic":true,"protocol":"`+proto+`"`, srv), plan{})
		w.serve("srv", func(s *script) {
			s.say, s.noEOM = []byte("hello"), proto == "raw"
			s.when(ss.Connected, func(h *ss.Handle) ss.Ret {
				if proto == "raw" {
					return h.RequestTx()
				}
				return ss.OK
			}).when(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(5) })
		})
		s := newScript()
		h := w.create("c", s)
		h.Pause()
		h.Pause()
		h.Connect()
		w.pass(time.Minute)
		if len(s.got) != 0 {
			t.Errorf("%s: a paused stream got %q", proto, s.got)
		}
		h.Resume()
		w.settle()
		if string(s.got) != "hello" {
			t.Errorf("%s: after Resume: got %q, want \"hello\"; told %s, causes %v", proto, s.got, s.line(), s.causes)
		}
	}
}

// TestPauseBetweenTransactions: an accepted stream paused while it has none gets the next request's head,
// and its body after Resume.
func TestPauseBetweenTransactions(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.serve("srv", func(s *script) {
		answer(0, "")(s)
		s.when(ss.Creating, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
		s.when(ss.ServerTxn, func(h *ss.Handle) ss.Ret { return ss.OK })
		s.onRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	w.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
	w.pass(time.Second)
	w.wantLine("the paused stream", w.accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN")
	w.accepted[0].h.Resume()
	w.settle()
	w.wantLine("the stream", w.accepted[0], `CREATING CONNECTING CONNECTED SERVER_TXN rx("ab"|SOM) rx(""|EOM)`)
}
