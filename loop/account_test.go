package loop

import "testing"

func TestAccountWithoutCeiling(t *testing.T) {
	l := New(&fakeSystem{}, Config{Memory: -1})
	a := l.Account()
	a.OnLevel = func(v Level) { t.Errorf("OnLevel(%q) without a ceiling", v) }
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
	a.OnLevel = func(Level) { calls++ }
	if got := testing.AllocsPerRun(1000, func() {
		a.Charge(800)
		l.turn(0)
		a.Release(800)
		l.turn(0)
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
	if calls != 2*1001 {
		t.Errorf("OnLevel was called %d times, want %d", calls, 2*1001)
	}
}

func TestLevelString(t *testing.T) {
	for v, want := range map[Level]string{LevelNormal: "normal", LevelStopAccepting: "stop accepting", LevelCloseWorst: "close worst", 200: "close worst"} {
		if got := v.String(); got != want {
			t.Errorf("level %d: got %q, want %q", v, got, want)
		}
	}
}
