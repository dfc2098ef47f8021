package loop

import "testing"

func TestAccountWithoutCeiling(t *testing.T) {
	l := New(&fakeSystem{}, Config{Memory: -1})
	a := l.Account()
	a.Watch(func(v Level) { t.Errorf("the watch was called with %q without a ceiling", v) })
	a.Charge(1 << 30)
	a.Release(1)
	if err := l.turn(0); err != nil {
		t.Fatal(err)
	}
	if a.Level() != LevelNormal || a.Used() != 1<<30-1 || a.Peak() != 1<<30 || a.Ceiling() != -1 {
		t.Errorf("got level %q, used %d, peak %d, ceiling %d", a.Level(), a.Used(), a.Peak(), a.Ceiling())
	}
}

func TestChargingAllocatesNothing(t *testing.T) {
	l := New(&fakeSystem{}, Config{Memory: 1000})
	a := l.Account()
	calls := 0
	a.Watch(func(Level) { calls++ })
	if got := testing.AllocsPerRun(1000, func() {
		a.Charge(800)
		l.turn(0)
		a.Release(800)
		l.turn(0)
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
	if calls != 2*1001 {
		t.Errorf("the watch was called %d times, want %d", calls, 2*1001)
	}
}

func TestLevelString(t *testing.T) {
	for v, want := range map[Level]string{LevelNormal: "normal", LevelStopAccepting: "stop accepting", LevelCloseWorst: "close worst", 200: "close worst"} {
		if got := v.String(); got != want {
			t.Errorf("level %d: got %q, want %q", v, got, want)
		}
	}
}

// A change calls every watch that is not stopped. A watch that stops during the calls does not prevent the call of
// another.
func TestAccountCallsEveryWatch(t *testing.T) {
	l := New(&fakeSystem{}, Config{Memory: 1000})
	a := l.Account()
	told := make([]int, 3)
	var first *Watch
	first = a.Watch(func(Level) { told[0]++; first.Stop() })
	a.Watch(func(Level) { told[1]++ })
	last := a.Watch(func(Level) { told[2]++ })
	step := func(n int) {
		a.Charge(n)
		l.turn(0)
	}
	step(600)
	step(-600)
	last.Stop()
	last.Stop()
	step(600)
	if told[0] != 1 || told[1] != 3 || told[2] != 2 {
		t.Errorf("three changes called the watches %v times, want [1 3 2]: the first stops at once, the last before the third", told)
	}
}

// A level that starts and ends within one turn has had effects, so its end is reported too.
func TestAccountReportsLevelsWithinATurn(t *testing.T) {
	l := New(&fakeSystem{}, Config{Memory: 1000})
	var told []Level
	l.Account().Watch(func(v Level) { told = append(told, v) })
	l.Account().Charge(600)
	l.Account().Release(600)
	l.turn(0)
	l.Account().Charge(400)
	l.turn(0)
	if len(told) != 1 || told[0] != LevelNormal {
		t.Errorf("600 of 1000 bytes charged and released in one turn, then 400: the watch was called with %v, want [normal]", told)
	}
}

// Bytes are counted by kind, and Over returns the bytes to release before a level ends.
func TestAccountKinds(t *testing.T) {
	a := New(&fakeSystem{}, Config{Memory: 1000}).Account()
	a.Hold(3, 700)
	a.Hold(4, 100)
	a.Hold(3, -50)
	a.Charge(30)
	if a.UsedBy(3) != 650 || a.UsedBy(4) != 100 || a.UsedBy(0) != 30 || a.Used() != 780 {
		t.Errorf("got %d, %d and %d of %d, want 650, 100 and 30 of 780", a.UsedBy(3), a.UsedBy(4), a.UsedBy(0), a.Used())
	}
	if got := a.Over(LevelCloseWorst); got != 0 {
		t.Errorf("over a level that is not reached: got %d, want 0", got)
	}
	n := int(a.Over(LevelStopAccepting))
	a.Hold(3, 1-n)
	if a.Level() != LevelStopAccepting {
		t.Errorf("one byte less than Over was released: got level %q, want stop accepting", a.Level())
	}
	if a.Hold(3, -1); a.Level() != LevelStopReading {
		t.Errorf("as much as Over was released: got level %q, want stop reading", a.Level())
	}
}

func BenchmarkAccount(b *testing.B) {
	a := New(&fakeSystem{}, Config{Memory: 1 << 20}).Account()
	for b.Loop() {
		a.Hold(3, 4096)
		a.Hold(3, -4096)
	}
}
