package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// script is a Stream that does what a story says and writes down what it is told.
type script struct {
	w    *world
	h    *ss.Handle
	on   map[ss.State]func(h *ss.Handle, n ss.Notice) ss.Ret
	onRx func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret
	onTx func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret)

	say     []byte // what Tx gives when onTx is nil: SOM in front, EOM behind
	said    int
	noEOM   bool // leave EOM away (raw, or a length that says it)
	piece   int  // most bytes per Tx, 0 for as many as fit
	got     []byte
	log     []string
	at      []time.Duration // when each state was told; parallel to states
	states  []ss.State
	causes  []error
	dead    bool
	quietTx bool // do not log Tx
	stays   bool // raw: the end of the peer's direction is not the stream's
	ended   bool // raw: the peer's direction has ended
}

func newScript() *script {
	return &script{on: make(map[ss.State]func(*ss.Handle, ss.Notice) ss.Ret)}
}

// when has f called in state s, and returns the script.
func (s *script) when(st ss.State, f func(h *ss.Handle) ss.Ret) *script {
	s.on[st] = func(h *ss.Handle, _ ss.Notice) ss.Ret { return f(h) }
	return s
}

// short is the name of a state without its prefix.
func short(s ss.State) string {
	if s >= ss.UserBase {
		return fmt.Sprintf("USER(%d)", s)
	}
	return strings.TrimPrefix(s.String(), "LWSSSCS_")
}

func quoted(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return fmt.Sprintf("%q", b)
}

func marks(f ss.Flags) string {
	s := ""
	if f&ss.SOM != 0 {
		s += "|SOM"
	}
	if f&ss.EOM != 0 {
		s += "|EOM"
	}
	return s
}

func (s *script) alive(what string) {
	if s.dead {
		s.w.t.Errorf("%s after DESTROYING; before: %s", what, s.line())
	}
}

// State implements ss.Stream.
func (s *script) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	s.alive(short(st))
	s.log = append(s.log, short(st))
	s.states = append(s.states, st)
	s.at = append(s.at, s.w.net.Now())
	if n.Cause != nil {
		s.causes = append(s.causes, n.Cause)
	}
	switch st {
	case ss.Connecting, ss.ServerTxn:
		s.said, s.ended = 0, false
	case ss.Destroying:
		s.dead = true
	}
	if f := s.on[st]; f != nil {
		return f(h, n)
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (s *script) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.alive("Rx")
	s.log = append(s.log, "rx("+quoted(b)+marks(f)+")")
	s.got = append(s.got, b...)
	if f == ss.EOM && len(b) == 0 && h.Policy().Protocol == policy.Raw && !s.stays {
		if s.ended = true; s.said == 0 || s.said == len(s.say) {
			return ss.DisconnectMe
		}
		return ss.OK
	}
	if s.onRx != nil {
		return s.onRx(h, b, f)
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (s *script) Tx(h *ss.Handle, ordinal uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	s.alive("Tx")
	if s.onTx != nil {
		n, f, r = s.onTx(h, ordinal, buf)
	} else {
		n, f, r = s.give(h, buf)
	}
	if r == ss.OK && !s.quietTx {
		s.log = append(s.log, "tx("+quoted(buf[:max(0, min(n, len(buf)))])+marks(f)+")")
	}
	return n, f, r
}

// give sends what is left of say.
func (s *script) give(h *ss.Handle, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if s.said == len(s.say) && (s.said > 0 || s.noEOM) {
		return 0, 0, ss.TxDontSend
	}
	if s.said == 0 {
		f = ss.SOM
	}
	if s.piece > 0 && len(buf) > s.piece {
		buf = buf[:s.piece]
	}
	n = copy(buf, s.say[s.said:])
	s.said += n
	switch {
	case s.said < len(s.say):
		h.RequestTx()
	case s.ended:
		h.Disconnect()
	case !s.noEOM:
		f |= ss.EOM
	}
	return n, f, ss.OK
}

// line is what the stream was told, in one line.
func (s *script) line() string { return strings.Join(s.log, " ") }

// life is line without payload.
func (s *script) life() string {
	var list []string
	for _, st := range s.states {
		list = append(list, short(st))
	}
	return strings.Join(list, " ")
}

// told counts how often the stream was told st.
func (s *script) told(st ss.State) int {
	n := 0
	for _, x := range s.states {
		if x == st {
			n++
		}
	}
	return n
}

// create makes a client stream that follows s.
func (w *world) create(streamType string, s *script) *ss.Handle {
	w.t.Helper()
	s.w = w
	h, err := w.cli.rt.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream { s.h = h; return s }})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// serve makes a server stream; each accepted stream follows a script of its own.
func (w *world) serve(streamType string, each func(s *script)) (*ss.Handle, *script) {
	w.t.Helper()
	listener := newScript()
	listener.w = w
	h, err := w.srv.rt.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			listener.h = h
			return listener
		}
		s := newScript()
		s.w, s.h = w, h
		w.accepted = append(w.accepted, s)
		if each != nil {
			each(s)
		}
		return s
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return h, listener
}

// wantLine compares everything that a stream was told.
func (w *world) wantLine(who string, s *script, want string) {
	w.t.Helper()
	want = strings.Join(strings.Fields(want), " ")
	if got := s.line(); got != want {
		w.t.Errorf("%s was told\n  got  %s\n  want %s\n  causes %v", who, got, want, s.causes)
	}
}

// wantLife compares the states that a stream was told.
func (w *world) wantLife(who string, s *script, want string) {
	w.t.Helper()
	want = strings.Join(strings.Fields(want), " ")
	if got := s.life(); got != want {
		w.t.Errorf("%s was told\n  got  %s\n  want %s\n  causes %v", who, got, want, s.causes)
	}
}

// wantCause asks for an error among those that went with states.
func (w *world) wantCause(s *script, want error) {
	w.t.Helper()
	for _, c := range s.causes {
		if errors.Is(c, want) {
			return
		}
	}
	w.t.Errorf("causes told: got %v, want one that is %q", s.causes, want)
}

// answer has an accepted HTTP stream answer every transaction with body, whose length it announces.
func answer(code int, body string) func(*script) {
	return func(s *script) {
		s.say = []byte(body)
		s.when(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(code)
			return h.RequestTxLen(int64(len(body)))
		})
	}
}

// speak has an accepted raw stream read until what came contains until, and then say text; with hangUp
// it disconnects afterwards. It stands for any HTTP server, a bad one too.
func speak(until, text string, hangUp bool) func(*script) {
	return func(s *script) {
		s.noEOM = true
		s.onRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			if strings.Contains(string(s.got), until) {
				s.got = s.got[:0]
				s.said, s.say = 0, []byte(text)
				return h.RequestTx()
			}
			return ss.OK
		}
		s.onTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, r := s.give(h, buf)
			if hangUp && s.said == len(s.say) {
				h.Disconnect()
			}
			return n, f, r
		}
	}
}
