package ss_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// TestPauseStopsThePeer: a paused stream, of either protocol and on either side, buffers little and stops its peer;
// Resume delivers everything.
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
			w := newWorld(t, clientDoc(c.keys, c.srv), plan{Net: opts})
			h1 := c.srv == h1Server
			given := 0
			sender := func(s *script) {
				s.Say, s.QuietTx, s.NoEOM = whole, true, !h1
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					n, f, r := s.Give(h, buf)
					given += n
					return n, f, r
				}
			}
			var sink *script
			take := func(s *script) {
				sink = s
				s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
					if len(s.Got) > 0 && len(s.Got) < 64<<10 {
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
				cl.When(ss.Connecting, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(size) })
				w.Serve("srv", take)
			} else {
				take(cl)
				w.Serve("srv", func(s *script) {
					sender(s)
					at := ss.ServerTxn
					if !h1 {
						at = ss.Connected
					}
					s.When(at, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(size) })
				})
			}
			w.Create("c", cl).Connect()
			w.Advance(20 * time.Second)
			got := len(sink.Got)
			if got == 0 || got > 200<<10 {
				t.Fatalf("paused after the first piece: got %d bytes, want one read's worth", got)
			}
			// Both socket buffers, one arena and one read on the way.
			if given > got+(16+16+64+64)<<10 {
				t.Errorf("the peer gave %d bytes while %d were taken: it was not stopped", given, got)
			}
			for _, m := range []*sstest.Machine{w.Client, w.Server} {
				if held := m.Runtime.Net().Held(); held > 256<<10 {
					t.Errorf("%s holds %d bytes for one paused stream", m.Host.Name(), held)
				}
			}
			for len(sink.Got) < size {
				was := len(sink.Got)
				sink.Handle.Resume()
				w.Advance(20 * time.Second)
				if len(sink.Got) == was {
					t.Fatalf("after Resume: stuck at %d of %d bytes\n%s", was, size, w.Dump())
				}
			}
			if !bytes.Equal(sink.Got, whole) {
				t.Errorf("what came is not what was sent")
			}
		})
	}
}

// TestPauseOutlastsConnections: a stream paused without a connection receives no payload on the next one.
func TestPauseOutlastsConnections(t *testing.T) {
	for _, proto := range []string{"raw", "h1"} {
		srv := map[string]string{"raw": rawServer, "h1": h1Server}[proto]
		w := newWorld(t, clientDoc(`"opportunistic":true,"protocol":"`+proto+`"`, srv), plan{})
		w.Serve("srv", func(s *script) {
			s.Say, s.NoEOM = []byte("hello"), proto == "raw"
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				if proto == "raw" {
					return h.RequestTx()
				}
				return ss.OK
			}).When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(5) })
		})
		s := newScript()
		h := w.Create("c", s)
		h.Pause()
		h.Pause()
		h.Connect()
		w.Advance(time.Minute)
		if len(s.Got) != 0 {
			t.Errorf("%s: a paused stream got %q", proto, s.Got)
		}
		h.Resume()
		w.Settle()
		if string(s.Got) != "hello" {
			t.Errorf("%s: after Resume: got %q, want \"hello\"; told %s, causes %v", proto, s.Got, s.Line(), s.Causes)
		}
	}
}

// TestPauseBetweenTransactions: an accepted stream that is paused between transactions receives the next request's
// head, and its body after Resume.
func TestPauseBetweenTransactions(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.Serve("srv", func(s *script) {
		answer(0, "")(s)
		s.When(ss.Creating, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { return ss.OK })
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	w.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
	w.Advance(time.Second)
	w.WantLine("the paused stream", w.Accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN")
	w.Accepted[0].Handle.Resume()
	w.Settle()
	w.WantLine("the stream", w.Accepted[0], `CREATING CONNECTING CONNECTED SERVER_TXN rx("ab"|SOM) rx(""|EOM)`)
}
