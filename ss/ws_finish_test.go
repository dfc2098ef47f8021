package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestWebSocketFinish: who has nothing more to say is heard to its last byte, and hears all that the other side says
// before it has read so.
func TestWebSocketFinish(t *testing.T) {
	long := strings.Repeat("0123456789", 10_000)
	for _, c := range []struct {
		cli      string
		byServer bool
		question string
	}{
		{"one", false, "how?"}, {"one", true, "how?"}, {"two", false, "how?"}, {"two", true, "how?"},
		{"one", false, long}, {"one", true, long}, {"two", false, long}, {"two", true, long},
	} {
		w := newWorld(t, wsDoc, plan{net: sim.Options{SndBuf: 4096, RcvBuf: 4096}})
		w.serve("srv", func(s *script) { s.quietTx = true })
		s := newScript()
		s.quietTx = true
		h := w.create(c.cli, s)
		h.Connect()
		w.run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		w.settle()
		from, to := s, w.accepted[0]
		if c.byServer {
			from, to = to, from
		}
		from.say = []byte(c.question)
		from.onTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, r := from.give(h, buf)
			if f&ss.EOM != 0 {
				if err := h.Finish(4002, "that is all"); err != nil {
					t.Error(err)
				}
				h.RequestTx() // to no effect: the next call would be misuse
			}
			return n, f, r
		}
		if c.question != long {
			to.h.Pause() // it works on something, and has not read the end yet
		}
		from.h.RequestTx()
		if c.question != long {
			w.pass(50 * time.Second)
			to.say = []byte(long)
			to.h.RequestTx()
			w.run("the answer", func() bool { return len(from.got) == len(to.say) })
			w.pass(50 * time.Second)
			if from.told(ss.Disconnected) > 0 {
				t.Errorf("%+v: over before the peer has read the end", c)
			}
			to.h.Resume()
		}
		w.run("both ends", func() bool { return from.told(ss.Disconnected) > 0 && to.told(ss.Disconnected) > 0 })
		if string(to.got) != string(from.say) || string(from.got) != string(to.say) {
			t.Errorf("%s, by the server %v: %d and %d bytes came, want all", c.cli, c.byServer, len(to.got), len(from.got))
		}
		for _, x := range []*script{from, to} {
			var closed *ss.CloseError
			if len(x.causes) != 1 || !errors.As(x.causes[0], &closed) || closed.Code != 4002 {
				t.Errorf("%s, by the server %v: told %v, want code 4002", c.cli, c.byServer, x.causes)
			}
		}
	}
}

// TestWebSocketFinishUnanswered: a peer that says nothing for too long is given up.
func TestWebSocketFinishUnanswered(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{})
		w.serve("srv", nil)
		s := newScript()
		h := w.create(cli, s)
		h.Connect()
		w.run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		w.settle()
		w.accepted[0].h.Pause()
		if err := h.Finish(1006, ""); err == nil {
			t.Error("a code that may not be sent was let pass")
		}
		h.Finish(ws.Normal, "")
		w.pass(59 * time.Second)
		if s.told(ss.Disconnected) > 0 {
			t.Errorf("%s: given up before its time: %v", cli, s.causes)
		}
		w.pass(2 * time.Second)
		if len(s.causes) != 1 || !errors.Is(s.causes[0], http.ErrTimeout) {
			t.Errorf("%s: told %v, want that the peer has not answered in time", cli, s.causes)
		}
		// Without a connection there is nothing to finish.
		if err := h.Finish(ws.Normal, ""); err != nil || s.told(ss.Disconnected) != 1 {
			t.Errorf("%s: Finish without a connection: %v, told %s", cli, err, s.line())
		}
	}
}

// TestWebSocketLastWords: who ends a WebSocket for what it was told is heard, though the other side's goodbye came with it.
func TestWebSocketLastWords(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		for _, how := range []func(*ss.Handle, ws.Code, string) error{(*ss.Handle).DisconnectWith, (*ss.Handle).Finish} {
			w := newWorld(t, wsDoc, plan{})
			w.serve("srv", func(s *script) {
				s.onRx = func(h *ss.Handle, _ []byte, _ ss.Flags) ss.Ret {
					if err := how(h, 4003, "not you"); err != nil {
						t.Error(err)
					}
					return ss.OK
				}
			})
			s := newScript()
			s.say = []byte("me!")
			h := w.create(cli, s)
			s.when(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
			s.onTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				h.Finish(ws.Normal, "")
				return s.give(h, buf)
			}
			h.Connect()
			w.run("the end", func() bool { return s.told(ss.Disconnected) > 0 })
			var closed *ss.CloseError
			if len(s.causes) != 1 || !errors.As(s.causes[0], &closed) || closed.Code != 4003 || closed.Reason != "not you" {
				t.Errorf("%s: the client was told %v, want 4003 and its reason", cli, s.causes)
			}
			w.pass(time.Second)
			if a := w.accepted[0]; a.told(ss.Disconnected) != 1 || w.srv.rt.Net().Open() != 0 && cli == "one" {
				t.Errorf("%s: the server's stream was told %s, and %d connections are open", cli, a.line(), w.srv.rt.Net().Open())
			}
		}
	}
}
