package rolestest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
)

// script is an Upper that records its calls and runs a function for each.
type script struct {
	lines    []string
	rx       func(b []byte) int
	writable func()
	woken    func()
	deadline time.Duration
}

func (s *script) note(format string, a ...any) { s.lines = append(s.lines, fmt.Sprintf(format, a...)) }
func (s *script) Opened(now time.Duration)     { s.note("opened %v", now) }

func (s *script) Rx(_ time.Duration, b []byte) int {
	s.note("rx %s", b)
	return s.rx(b)
}

func (s *script) RxEnd(_ time.Duration, unused int) { s.note("end %d", unused) }

func (s *script) Writable(time.Duration) {
	s.note("writable")
	if s.writable != nil {
		s.writable()
	}
}

func (s *script) Deadline() time.Duration { return s.deadline }

func (s *script) Timeout(now time.Duration) {
	s.note("timeout %v", now)
	s.deadline = 0
}

func (s *script) Woken(now time.Duration) {
	s.note("woken %v", now)
	if s.woken != nil {
		s.woken()
	}
}

func (s *script) Closed(cause error) { s.note("closed %v", cause) }

func (s *script) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(s.lines, "; "); got != want {
		t.Errorf("got the calls\n%s\nwant\n%s", got, want)
	}
	s.lines = nil
}

func TestServiceAlternates(t *testing.T) {
	l := New()
	s := &script{}
	s.rx = func(b []byte) int { l.WantWrite(); return 1 }
	s.writable = func() { l.Commit(copy(l.Room(1), "x")) }
	l.Open(s)
	l.Feed([]byte("ab"))
	s.want(t, "opened 1s; rx ab; writable; rx b; writable")
	if string(l.Out) != "xx" || l.Writables != 2 {
		t.Errorf("got output %q and %d Writables, want %q and 2", l.Out, l.Writables, "xx")
	}
}

func TestUnusedInputIsOfferedAgain(t *testing.T) {
	l := New()
	s := &script{rx: func(b []byte) int {
		if len(b) < 3 {
			return 0
		}
		return 3
	}}
	l.Open(s)
	l.Feed([]byte("ab"))
	l.Feed([]byte("cd"))
	l.End()
	s.want(t, "opened 1s; rx ab; rx abcd; rx d; rx d; end 1; rx d")
	if string(l.Unused()) != "d" {
		t.Errorf("Unused: got %q, want %q", l.Unused(), "d")
	}
}

func TestPauseKeepsInputAndEnd(t *testing.T) {
	l := New()
	s := &script{rx: func(b []byte) int { l.Pause(); return len(b) }}
	l.Open(s)
	l.Feed([]byte("a"))
	l.Feed([]byte("b"))
	l.End()
	s.want(t, "opened 1s; rx a")
	l.Resume()
	l.Service()
	s.want(t, "rx b")
	l.Resume()
	l.Service()
	s.want(t, "end 0")
}

func TestNoWritableWithoutRoom(t *testing.T) {
	l := New()
	s := &script{}
	l.Open(s)
	l.Refuse = true
	l.WantWrite()
	l.Service()
	if r := l.Room(1); r != nil {
		t.Errorf("Room while refused: got %d bytes, want nil", len(r))
	}
	s.want(t, "opened 1s")
	l.Refuse = false
	l.Service()
	s.want(t, "writable")
}

func TestCloseCallsClosed(t *testing.T) {
	l := New()
	s := &script{rx: func(b []byte) int {
		l.Close(roles.Graceful, fmt.Errorf("first"))
		l.Close(roles.Reset, fmt.Errorf("second"))
		l.Close(roles.Graceful, nil)
		return 0
	}}
	l.Open(s)
	l.Feed([]byte("a"))
	s.want(t, "opened 1s; rx a; closed first")
	if !l.Over || l.Mode != roles.Reset {
		t.Errorf("after Close: got over %v, mode %v; want true, Reset", l.Over, l.Mode)
	}
}

func TestReplaceOffersTheRest(t *testing.T) {
	l := New()
	second := &script{rx: func(b []byte) int { return len(b) }}
	first := &script{rx: func(b []byte) int { l.Replace(second); return 1 }}
	l.Open(first)
	l.Feed([]byte("ab"))
	first.want(t, "opened 1s; rx ab")
	second.want(t, "opened 1s; rx b")
}

func TestSleepCallsTimeout(t *testing.T) {
	l := New()
	s := &script{deadline: 3 * time.Second}
	l.Open(s)
	l.Sleep(time.Second)
	s.want(t, "opened 1s")
	l.Sleep(5 * time.Second)
	s.want(t, "timeout 3s")
	if l.Clock != 7*time.Second {
		t.Errorf("Clock after Sleep: got %v, want 7s", l.Clock)
	}
}

func TestWakeIsAnsweredInTheNextService(t *testing.T) {
	l := New()
	s := &script{}
	s.rx = func(b []byte) int { l.Wake(); return len(b) }
	l.Open(s)
	l.Feed([]byte("a"))
	s.want(t, "opened 1s; rx a")
	if !l.Wakes() {
		t.Error("Wakes: got false, want true")
	}
	l.Pause()
	l.Sleep(0)
	s.want(t, "woken 1s")
	s.woken = l.Wake
	l.Wake()
	if l.Sleep(0); l.Misuse == "" {
		t.Errorf("Misuse of an Upper that calls Wake in each Woken: got %q, want a sentence", l.Misuse)
	}
}

func TestMisuseIsRecorded(t *testing.T) {
	for what, f := range map[string]func(l *Lower, s *script){
		"Rx used 2 of 1 bytes":               func(l *Lower, s *script) { s.rx = func([]byte) int { return 2 }; l.Feed([]byte("a")) },
		"Room(16513) is more than MaxRecord": func(l *Lower, s *script) { l.Room(roles.MaxRecord + 1) },
		"Commit(1) with room for 0":          func(l *Lower, s *script) { l.Commit(1) },
		"Commit after Close":                 func(l *Lower, s *script) { l.Close(0, nil); l.Room(1); l.Commit(1) },
	} {
		l, s := New(), &script{}
		l.Open(s)
		f(l, s)
		if l.Misuse != what {
			t.Errorf("Misuse: got %q, want %q", l.Misuse, what)
		}
	}
}

func TestUsedBytesAreOverwritten(t *testing.T) {
	l := New()
	var kept []byte
	s := &script{rx: func(b []byte) int { kept = b; return len(b) }}
	l.Open(s)
	l.Feed([]byte("view"))
	if string(kept) != "!!!!" {
		t.Errorf("a view that is kept too long: got %q, want it overwritten", kept)
	}
}

func TestSplitsGiveEveryByteOnce(t *testing.T) {
	in := bytes.Repeat([]byte("abcdefghij"), 500)
	ways := map[string]bool{}
	Splits(t, in, 12, func(how string, feed func(func([]byte))) {
		ways[how] = true
		var got []byte
		feed(func(b []byte) { got = append(got, b...) })
		if !bytes.Equal(got, in) {
			t.Errorf("%s: got %d bytes in all pieces, want the %d of the input", how, len(got), len(in))
		}
	})
	if len(ways) != 14 || !ways["random pieces, seed 11"] {
		t.Errorf("got %d ways to split, want 14: %v", len(ways), ways)
	}
}
