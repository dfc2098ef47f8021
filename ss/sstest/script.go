package sstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// Script is a Stream that does what a test says, and records what it receives. It serves for the test's own streams, and
// for the server's end: see World.Serve.
type Script struct {
	World  *World
	Handle *ss.Handle

	// On has what a state does, OnRx and OnTx replace what Rx and Tx do. All may be nil. See When.
	On   map[ss.State]func(h *ss.Handle, n ss.Notice) ss.Ret
	OnRx func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret
	OnTx func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret)

	// Say is the message that Tx gives while OnTx is nil, with SOM at its beginning and EOM at its end. It begins
	// anew with each attempt and each transaction. Said counts the bytes given.
	Say   []byte
	Said  int
	NoEOM bool // leave EOM out: raw streams, or a length that was announced
	Piece int  // most bytes per Tx, 0 for as many as fit

	// Got is all payload received; Log all calls in order, as Line prints them.
	Got []byte
	Log []string
	// States are the states received, At when each of them was, Causes the causes that came with some.
	States []ss.State
	At     []time.Duration
	Causes []error

	Dead    bool // DESTROYING was received
	QuietTx bool // keep Tx out of Log
	Stays   bool // raw: do not disconnect when the peer has ended its direction
	Ended   bool // raw: the peer has ended its direction
}

// NewScript returns a script that does nothing and records everything.
func NewScript() *Script {
	return &Script{On: make(map[ss.State]func(*ss.Handle, ss.Notice) ss.Ret)}
}

// When sets what the stream does in state st, and returns s.
func (s *Script) When(st ss.State, f func(h *ss.Handle) ss.Ret) *Script {
	s.On[st] = func(h *ss.Handle, _ ss.Notice) ss.Ret { return f(h) }
	return s
}

// quoted shows payload: short payload itself, of other payload its size.
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

func (s *Script) alive(what string) {
	if s.Dead {
		s.World.T.Errorf("%s after DESTROYING; before: %s", what, s.Line())
	}
}

// State implements ss.Stream.
func (s *Script) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	s.alive(Short(st))
	s.Log = append(s.Log, Short(st))
	s.States = append(s.States, st)
	s.At = append(s.At, s.World.Net.Now())
	if n.Cause != nil {
		s.Causes = append(s.Causes, n.Cause)
	}
	switch st {
	case ss.Connecting, ss.ServerTxn:
		s.Said, s.Ended = 0, false
	case ss.Destroying:
		s.Dead = true
	}
	if f := s.On[st]; f != nil {
		return f(h, n)
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (s *Script) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.alive("Rx")
	s.Log = append(s.Log, "rx("+quoted(b)+marks(f)+")")
	s.Got = append(s.Got, b...)
	if f == ss.EOM && len(b) == 0 && h.Policy().Protocol == policy.Raw && !s.Stays {
		if s.Ended = true; s.Said == 0 || s.Said == len(s.Say) {
			return ss.DisconnectMe
		}
		return ss.OK
	}
	if s.OnRx != nil {
		return s.OnRx(h, b, f)
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (s *Script) Tx(h *ss.Handle, ordinal uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	s.alive("Tx")
	if s.OnTx != nil {
		n, f, r = s.OnTx(h, ordinal, buf)
	} else {
		n, f, r = s.Give(h, buf)
	}
	if r == ss.OK && !s.QuietTx {
		s.Log = append(s.Log, "tx("+quoted(buf[:max(0, min(n, len(buf)))])+marks(f)+")")
	}
	return n, f, r
}

// Give is what Tx does while OnTx is nil: it sends the rest of Say.
func (s *Script) Give(h *ss.Handle, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if s.Said == len(s.Say) && (s.Said > 0 || s.NoEOM) {
		return 0, 0, ss.TxDontSend
	}
	if s.Said == 0 {
		f = ss.SOM
	}
	if s.Piece > 0 && len(buf) > s.Piece {
		buf = buf[:s.Piece]
	}
	n = copy(buf, s.Say[s.Said:])
	s.Said += n
	switch {
	case s.Said < len(s.Say):
		h.RequestTx()
	case s.Ended:
		h.Disconnect()
	case !s.NoEOM:
		f |= ss.EOM
	}
	return n, f, ss.OK
}

// Line returns all calls of the stream in order, in one line: CREATING CONNECTING CONNECTED rx("hello"|SOM) ...
func (s *Script) Line() string { return strings.Join(s.Log, " ") }

// Life is Line without payload.
func (s *Script) Life() string {
	var list []string
	for _, st := range s.States {
		list = append(list, Short(st))
	}
	return strings.Join(list, " ")
}

// Told returns how often the stream received st.
func (s *Script) Told(st ss.State) int {
	n := 0
	for _, x := range s.States {
		if x == st {
			n++
		}
	}
	return n
}
