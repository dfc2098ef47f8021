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

// TestWebSocketFinish: after Finish all output is delivered, and the other side's messages are received until it has
// read the Close frame.
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
		w := newWorld(t, wsDoc, plan{Net: sim.Options{SndBuf: 4096, RcvBuf: 4096}})
		w.Serve("srv", func(s *script) { s.QuietTx = true })
		s := newScript()
		s.QuietTx = true
		h := w.Create(c.cli, s)
		h.Connect()
		w.Run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		w.Settle()
		from, to := s, w.Accepted[0]
		if c.byServer {
			from, to = to, from
		}
		from.Say = []byte(c.question)
		from.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, r := from.Give(h, buf)
			if f&ss.EOM != 0 {
				if err := h.Finish(4002, "that is all"); err != nil {
					t.Error(err)
				}
				h.RequestTx() // to no effect: the next call would be misuse
			}
			return n, f, r
		}
		if c.question != long {
			to.Handle.Pause() // it works on something, and has not read the end yet
		}
		from.Handle.RequestTx()
		if c.question != long {
			w.Advance(50 * time.Second)
			to.Say = []byte(long)
			to.Handle.RequestTx()
			w.Run("the answer", func() bool { return len(from.Got) == len(to.Say) })
			w.Advance(50 * time.Second)
			if from.Told(ss.Disconnected) > 0 {
				t.Errorf("%+v: over before the peer has read the end", c)
			}
			to.Handle.Resume()
		}
		w.Run("both ends", func() bool { return from.Told(ss.Disconnected) > 0 && to.Told(ss.Disconnected) > 0 })
		if string(to.Got) != string(from.Say) || string(from.Got) != string(to.Say) {
			t.Errorf("%s, by the server %v: %d and %d bytes came, want all", c.cli, c.byServer, len(to.Got), len(from.Got))
		}
		for _, x := range []*script{from, to} {
			var closed *ss.CloseError
			if len(x.Causes) != 1 || !errors.As(x.Causes[0], &closed) || closed.Code != 4002 {
				t.Errorf("%s, by the server %v: told %v, want code 4002", c.cli, c.byServer, x.Causes)
			}
		}
	}
}

// TestWebSocketFinishUnanswered: a peer that sends nothing for too long is disconnected.
func TestWebSocketFinishUnanswered(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve("srv", nil)
		s := newScript()
		h := w.Create(cli, s)
		h.Connect()
		w.Run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		w.Settle()
		w.Accepted[0].Handle.Pause()
		if err := h.Finish(1006, ""); err == nil {
			t.Error("a code that may not be sent was let pass")
		}
		h.Finish(ws.Normal, "")
		w.Advance(59 * time.Second)
		if s.Told(ss.Disconnected) > 0 {
			t.Errorf("%s: given up before its time: %v", cli, s.Causes)
		}
		w.Advance(2 * time.Second)
		if len(s.Causes) != 1 || !errors.Is(s.Causes[0], http.ErrTimeout) {
			t.Errorf("%s: told %v, want that the peer has not answered in time", cli, s.Causes)
		}
		// Without a connection there is nothing to finish.
		if err := h.Finish(ws.Normal, ""); err != nil || s.Told(ss.Disconnected) != 1 {
			t.Errorf("%s: Finish without a connection: %v, told %s", cli, err, s.Line())
		}
	}
}

// TestWebSocketCloseCodes: the code of a side that closes because of a message is delivered, although the other
// side's Close frame arrives with that message.
func TestWebSocketCloseCodes(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		for _, how := range []func(*ss.Handle, ws.Code, string) error{(*ss.Handle).DisconnectWith, (*ss.Handle).Finish} {
			w := newWorld(t, wsDoc, plan{})
			w.Serve("srv", func(s *script) {
				s.OnRx = func(h *ss.Handle, _ []byte, _ ss.Flags) ss.Ret {
					if err := how(h, 4003, "not you"); err != nil {
						t.Error(err)
					}
					return ss.OK
				}
			})
			s := newScript()
			s.Say = []byte("me!")
			h := w.Create(cli, s)
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				h.Finish(ws.Normal, "")
				return s.Give(h, buf)
			}
			h.Connect()
			w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
			var closed *ss.CloseError
			if len(s.Causes) != 1 || !errors.As(s.Causes[0], &closed) || closed.Code != 4003 || closed.Reason != "not you" {
				t.Errorf("%s: the client received %v, want 4003 and its reason", cli, s.Causes)
			}
			w.Advance(time.Second)
			if a := w.Accepted[0]; a.Told(ss.Disconnected) != 1 || w.Server.Runtime.Net().Open() != 0 && cli == "one" {
				t.Errorf("%s: the server's stream received %s, and %d connections are open", cli, a.Line(), w.Server.Runtime.Net().Open())
			}
		}
	}
}
