package loop

import "testing"

// Five unestablished sources and one established are ready at once, and the five again each time. The established one
// is served first in every turn, the others in order, a few at a time.
func TestUnestablishedWaitForOthers(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{Unestablished: 3})
	var calls string
	hosts := make([]funcs, 6)
	for i := range hosts {
		h := &hosts[i]
		h.ready = func(Ready) bool { calls += string(rune('a' + i)); return false }
		if err := l.Watch(&h.Source, FD(i), h); err != nil {
			t.Fatal(err)
		}
		l.SetUnestablished(&h.Source, i < 5)
	}
	f.script = func(ev []Event) int {
		for i := range hosts {
			ev[i] = Event{Token: f.added[FD(i)], Ready: Readable}
		}
		return len(hosts)
	}
	for range 3 {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		calls += " "
	}
	if want := "fabc fdea fbca "; calls != want {
		t.Errorf("order of service: got %q, want %q", calls, want)
	}
	f.script = nil
	if got := l.Timeout(); got != 0 {
		t.Errorf("with unestablished sources queued: got timeout %v, want 0", got)
	}
	calls = ""
	for l.Timeout() == 0 {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if calls != "de" {
		t.Errorf("the rest: got %q, want de", calls)
	}
}

// A few connections may move Config.Bytes each in a turn. Many connections share that amount, and each may move at
// least one TLS record.
func TestShareOfATurn(t *testing.T) {
	for _, c := range []struct{ ready, bytes, want int }{
		{1, 0, 256 << 10}, {16, 0, 256 << 10}, {64, 0, 64 << 10}, {500, 0, 16 << 10}, {500, 1000, 1000}, {32, 100 << 10, 50 << 10},
	} {
		f := &fakeSystem{now: 1}
		l := New(f, Config{Bytes: c.bytes})
		hosts := make([]funcs, c.ready)
		got := 0
		for i := range hosts {
			hosts[i].ready = func(Ready) bool { got = l.Share(); return false }
			if err := l.Watch(&hosts[i].Source, FD(i), &hosts[i]); err != nil {
				t.Fatal(err)
			}
		}
		f.script = func(ev []Event) int {
			for i := range hosts {
				ev[i] = Event{Token: f.added[FD(i)], Ready: Readable}
			}
			return len(hosts)
		}
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%d connections ready, Config.Bytes %d: got a share of %d, want %d", c.ready, c.bytes, got, c.want)
		}
	}
}

// A source that an unestablished source kicks is served in the same turn. A source that has become established is
// served with the others in its next turn.
func TestBecomesEstablished(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	calls := ""
	var young, old funcs
	young.ready = func(Ready) bool {
		calls += "y"
		l.SetUnestablished(&young.Source, false)
		l.Kick(&old.Source)
		return len(calls) < 5
	}
	old.ready = func(Ready) bool { calls += "o"; return false }
	for i, h := range []*funcs{&young, &old} {
		if err := l.Watch(&h.Source, FD(i), h); err != nil {
			t.Fatal(err)
		}
	}
	l.SetUnestablished(&young.Source, true)
	l.Kick(&young.Source)
	for n := 0; n < 10 && l.Timeout() == 0; n++ {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		calls += " "
	}
	if want := "yo yo yo "; calls != want {
		t.Errorf("got %q, want %q", calls, want)
	}
}

// Unestablished sources that are unwatched while they wait do not use the budget, and their entries are freed.
func TestUnestablishedQueueIsCleared(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	const many = 5000
	served := 0
	hosts := make([]funcs, many)
	for i := range hosts {
		h := &hosts[i]
		h.ready = func(Ready) bool { served++; return false }
		if err := l.Watch(&h.Source, FD(i), h); err != nil {
			t.Fatal(err)
		}
		l.SetUnestablished(&h.Source, true)
		l.Kick(&h.Source)
	}
	for i := 0; i < many; i += 2 {
		l.Unwatch(&hosts[i].Source)
	}
	turns := 0
	for ; l.Timeout() == 0; turns++ {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if served != many/2 || !l.unestablished.empty() || l.unestablished.head != 0 {
		t.Errorf("served %d of %d in %d turns, head %d", served, many/2, turns, l.unestablished.head)
	}
	if want := many/2/16 + 1; turns > want {
		t.Errorf("took %d turns, want at most %d: unwatched sources must not count", turns, want)
	}
}
