package loop

import (
	"fmt"
	"testing"
	"unsafe"
)

func TestSizesOfEmbeddedTypes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("sizes are promised for 64 bits")
	}
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"Source", unsafe.Sizeof(Source{}), 32},
		{"Timer", unsafe.Sizeof(Timer{}), 40},
		{"Task", unsafe.Sizeof(Task{}), 24},
	} {
		if c.got > c.want {
			t.Errorf("%s takes %d bytes, want %d at most: every connection has one", c.name, c.got, c.want)
		}
	}
}

func TestSourceTable(t *testing.T) {
	var table sourceTable
	s := &Source{gen: 5}
	for _, fd := range []FD{0, 1, sourcePageSize - 1, sourcePageSize, 100_000} {
		if got := table.get(fd); got != nil {
			t.Errorf("fd %d before: got a source", fd)
		}
		table.set(fd, s)
		for _, c := range []struct {
			tok  Token
			want *Source
		}{{MakeToken(fd, 5), s}, {MakeToken(fd, 4), nil}, {MakeToken(fd+1, 5), nil}, {MakeToken(NoFD, 5), nil}} {
			if got := table.find(c.tok); got != c.want {
				t.Errorf("find fd %d, generation %d: got %v, want %v", c.tok.FD(), c.tok.Gen(), got, c.want)
			}
		}
		table.set(fd, nil)
		if got := table.find(MakeToken(fd, 5)); got != nil {
			t.Errorf("fd %d after: got a source", fd)
		}
	}
}

// No registration has generation 0, also after the counter has wrapped.
func TestGenerationWraps(t *testing.T) {
	f := &fakeSystem{}
	l := New(f, Config{})
	l.gen = 1<<32 - 2
	for i, want := range []uint32{1<<32 - 1, 1, 2} {
		h := &funcs{}
		if err := l.Watch(&h.Source, FD(i), h); err != nil {
			t.Fatal(err)
		}
		if got := f.added[FD(i)].Gen(); got != want {
			t.Errorf("registration %d: got generation %d, want %d", i, got, want)
		}
	}
}

// The owner may be reset to zero and used again while an old event or kick for it is still queued.
func TestZeroedOwnerInTheQueue(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	calls := ""
	var a, b, c funcs
	for i, h := range []*funcs{&a, &b, &c} {
		h.ready = func(Ready) bool { calls += string(rune('a' + i)); return false }
		if err := l.Watch(&h.Source, FD(i), h); err != nil {
			t.Fatal(err)
		}
	}
	a.ready = func(Ready) bool {
		calls += "a"
		l.Unwatch(&b.Source)
		b.Source = Source{}
		return false
	}
	f.script = func(ev []Event) int {
		f.script = nil
		for i := range 3 {
			ev[i] = Event{f.added[FD(i)], Readable}
		}
		return 3
	}
	if err := l.turn(0); err != nil {
		t.Fatal(err)
	}
	if calls != "ac" {
		t.Errorf("got calls %q, want %q", calls, "ac")
	}
}

// Move inside Ready keeps the token, the position in the queue and the pending readiness, and makes no call to the
// System.
func TestMove(t *testing.T) {
	f := &fakeSystem{}
	l := New(f, Config{})
	var log []string
	second := &funcs{name: "second"}
	second.ready = func(r Ready) bool { log = append(log, fmt.Sprint("second ", r)); return false }
	first := &funcs{name: "first"}
	first.ready = func(r Ready) bool {
		log = append(log, fmt.Sprint("first ", r))
		l.Move(&second.Source, &first.Source, second)
		return true // the budget is used up: second is called in the next turn
	}
	if err := l.Watch(&first.Source, 7, first); err != nil {
		t.Fatal(err)
	}
	tok := f.added[7]
	events := []Event{{tok, Readable}, {tok, Writable}}
	f.script = func(ev []Event) int { n := copy(ev, events); events = nil; return n }
	for range 3 {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprint(log), fmt.Sprintf("[first %d second 0]", Readable|Writable); got != want {
		t.Errorf("calls: got %s, want %s", got, want)
	}
	if first.Watched() || !second.Watched() || second.FD() != 7 || l.Stats().Sources != 1 || f.added[7] != tok {
		t.Errorf("got first watched %v, second watched %v at fd %d, %d sources, token %v; want the second alone with the old token %v",
			first.Watched(), second.Watched(), second.FD(), l.Stats().Sources, f.added[7], tok)
	}
	l.Unwatch(&second.Source)
	if len(f.added) != 0 {
		t.Errorf("registered after Unwatch: got %v, want none", f.added)
	}
}
