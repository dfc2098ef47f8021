package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// Messages are delivered whole, whatever pieces they arrive in; one that is too long is refused.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		send   []string // messages; "/" separates fragments
		stay   bool     // OnTooLong keeps the connection
		want   string
		closed ws.Code
	}{
		{"whole and in pieces", []string{"one", "t/wo/", "", "three"}, false, `"one" "two" "" "three"`, 0},
		{"at the limit", []string{"1234567890", "12345/67890"}, false, `"1234567890" "1234567890"`, 0},
		{"too long in one piece", []string{"one", "12345678901", "three"}, false, `"one"`, ws.TooBig},
		{"too long in pieces", []string{"one", "12345/678901/2"}, false, `"one"`, ws.TooBig},
		{"too long, and the connection stays", []string{"12345/678901/2", "12345678901", "three"}, true, `"three"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, `{"s":[
				{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"ws"}},
				{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","opportunistic":true}}]}`, plan{})
			var got []string
			refused := 0
			if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream {
				m := &ss.Messages{MaxMessage: 10, OnMessage: func(_ *ss.Handle, m []byte, f ss.Flags) ss.Ret {
					if f != ss.Text {
						t.Errorf("flags: got %b, want Text alone", f)
					}
					got = append(got, fmt.Sprintf("%q", m))
					return ss.OK
				}}
				if c.stay {
					m.OnTooLong = func(*ss.Handle) ss.Ret { refused++; return ss.OK }
				}
				return m
			}}); err != nil {
				t.Fatal(err)
			}
			var pieces []string
			var flags []ss.Flags
			for _, m := range c.send {
				parts := strings.Split(m, "/")
				for i, p := range parts {
					f := ss.Text
					if i == 0 {
						f |= ss.SOM
					}
					if i == len(parts)-1 {
						f |= ss.EOM
					}
					pieces, flags = append(pieces, p), append(flags, f)
				}
			}
			s := newScript()
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				if len(pieces) == 0 {
					return 0, 0, ss.TxDontSend
				}
				n, f := copy(buf, pieces[0]), flags[0]
				pieces, flags = pieces[1:], flags[1:]
				h.RequestTx()
				return n, f, ss.OK
			}
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
			w.Create("cli", s).Connect()
			w.Advance(time.Second)
			if line := strings.Join(got, " "); line != c.want {
				t.Errorf("messages\n  got  %s\n  want %s", line, c.want)
			}
			var code ws.Code
			for _, cause := range s.Causes {
				var closed *ss.CloseError
				if errors.As(cause, &closed) {
					code = closed.Code
				}
			}
			if code != c.closed {
				t.Errorf("close code: got %v, want %v; causes %v", code, c.closed, s.Causes)
			}
			if c.stay && refused != 2 {
				t.Errorf("OnTooLong was called %d times, want 2", refused)
			}
			if used := w.Server.Loop.Account().Used(); used != 0 {
				t.Errorf("the account has %d bytes with no message open, want 0", used)
			}
		})
	}
}

// A message that is incomplete when the connection ends is dropped, and its memory is freed.
func TestMessageCutOff(t *testing.T) {
	w := newWorld(t, `{"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"ws"}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","opportunistic":true}}]}`, plan{})
	n := 0
	if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream {
		return &ss.Messages{OnMessage: func(*ss.Handle, []byte, ss.Flags) ss.Ret { n++; return ss.OK }}
	}}); err != nil {
		t.Fatal(err)
	}
	s := newScript()
	s.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) { return 100, ss.SOM, ss.OK }
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
	h := w.Create("cli", s)
	h.Connect()
	w.Advance(time.Second)
	if used := w.Server.Loop.Account().Used(); used < 100 {
		t.Errorf("the account has %d bytes while a piece is held, want at least 100", used)
	}
	h.Destroy()
	w.Advance(time.Second)
	if used := w.Server.Loop.Account().Used(); used != 0 || n != 0 {
		t.Errorf("after the cut: %d bytes on the account, %d messages; want none", used, n)
	}
}

// Messages and bodies are passed to the streams directly, without a connection.
func TestCollectingAllocatesNothing(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	h := w.Create("t", newScript())
	got := 0
	m := &ss.Messages{OnMessage: func(_ *ss.Handle, m []byte, _ ss.Flags) ss.Ret { got += len(m); return ss.OK }}
	piece := make([]byte, 1000)
	wantNone(t, "a message in one piece and one in three", func() {
		m.Rx(h, piece, ss.SOM|ss.EOM|ss.Binary)
		m.Rx(h, piece, ss.SOM|ss.Binary)
		m.Rx(h, piece, ss.Binary)
		m.Rx(h, piece, ss.EOM|ss.Binary)
	})
	c := &ss.Collector{Done: func(_ *ss.Handle, b []byte, _ error) ss.Ret { got += len(b); return ss.OK }}
	wantNone(t, "a body in two pieces", func() {
		c.State(h, ss.Connecting, ss.Notice{})
		c.Rx(h, piece, ss.SOM)
		c.Rx(h, piece, 0)
		c.State(h, ss.QOSAckRemote, ss.Notice{})
	})
	var b ss.Body
	b.SetBytes(piece)
	buf := make([]byte, 600)
	wantNone(t, "a body in two pieces, sent", func() {
		n, _, _ := b.Tx(h, 0, buf)
		k, f, _ := b.Tx(h, 1, buf)
		if n+k != len(piece) || f != ss.EOM {
			t.Fatalf("Tx gave %d and %d bytes, flags %b of the last", n, k, f)
		}
	})
	if got == 0 {
		t.Error("nothing was delivered")
	}
	h.Destroy()
}
