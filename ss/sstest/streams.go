package sstest

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/ss"
)

// Create makes a client stream on the client machine that follows s. The test ends if that fails.
func (w *World) Create(streamType string, s *Script) *ss.Handle {
	w.T.Helper()
	s.World = w
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream { s.Handle = h; return s }})
	if err != nil {
		w.T.Fatalf("create %s: %v", streamType, err)
	}
	return h
}

// Serve makes a server stream on the server machine. Each stream that it accepts follows a script of its own, which each
// (nil for none) sets up, and which World.Accepted lists. The second result is the script of the listener.
func (w *World) Serve(streamType string, each func(s *Script)) (*ss.Handle, *Script) {
	w.T.Helper()
	listener := NewScript()
	listener.World = w
	h, err := w.Server.Runtime.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			listener.Handle = h
			return listener
		}
		s := NewScript()
		s.World, s.Handle = w, h
		w.Accepted = append(w.Accepted, s)
		if each != nil {
			each(s)
		}
		return s
	}})
	if err != nil {
		w.T.Fatalf("create %s: %v", streamType, err)
	}
	return h, listener
}

// WantLine reports an error if s.Line() is not want, in which blanks do not matter. who names the stream in the report.
func (w *World) WantLine(who string, s *Script, want string) {
	w.T.Helper()
	want = strings.Join(strings.Fields(want), " ")
	if got := s.Line(); got != want {
		w.T.Errorf("%s received\n  got  %s\n  want %s\n  causes %v", who, got, want, s.Causes)
	}
}

// WantLife reports an error if s.Life() is not want, in which blanks do not matter. who names the stream in the report.
func (w *World) WantLife(who string, s *Script, want string) {
	w.T.Helper()
	want = strings.Join(strings.Fields(want), " ")
	if got := s.Life(); got != want {
		w.T.Errorf("%s received\n  got  %s\n  want %s\n  causes %v", who, got, want, s.Causes)
	}
}

// WantCause reports an error if no cause that s received is want (errors.Is).
func (w *World) WantCause(s *Script, want error) {
	w.T.Helper()
	for _, c := range s.Causes {
		if errors.Is(c, want) {
			return
		}
	}
	w.T.Errorf("causes received: got %v, want one that is %q", s.Causes, want)
}
