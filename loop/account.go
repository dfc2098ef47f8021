package loop

import (
	"math"
	"slices"
	"time"
)

// Level is how full the account is, and so what has to be done about it.
type Level uint8

const (
	// LevelNormal: nothing.
	LevelNormal Level = iota
	// LevelStopReading, from half of the ceiling: connections that already hold their share of bytes
	// are not read, and no window is given back for what is held.
	LevelStopReading
	// LevelStopAccepting, from three quarters: connections that have stalled for a while are closed, and if
	// there is none that could be, no new one is taken.
	LevelStopAccepting
	// LevelCloseWorst, from the ceiling: connections are closed, those first that have stalled longest
	// with much.
	LevelCloseWorst
)

var levelNames = [...]string{"normal", "stop reading", "stop accepting", "close worst"}

// String names the level by its action.
func (v Level) String() string { return levelNames[min(int(v), len(levelNames)-1)] }

// levelShares are the percentages of the ceiling at which a level begins. It ends levelSlack below, so
// that one connection going to and fro over the mark does not switch reading on and off for all.
var levelShares = [...]int64{0, 50, 75, 100}

const levelSlack = 10

// Kinds is the number of kinds of memory that an account counts. The caller of Hold gives them their meaning; Charge and
// Release use kind 0.
const Kinds = 16

// Account counts the bytes that a loop holds beyond one turn: parked input, refused output, bodies,
// inflaters, handshakes. It refuses nothing; whoever charges looks at the Level and acts.
type Account struct {
	l       *Loop
	ceiling int64 // <= 0: none
	used    int64
	peak    int64
	level   Level
	begins  [LevelCloseWorst + 2]int64 // where each level begins; nothing reaches the last
	ends    [LevelCloseWorst + 1]int64 // below what it ends
	kinds   [Kinds]int64
	watches []*Watch
	task    Task
}

// Watch is a place among those that hear of changes of the level.
type Watch struct {
	a *Account
	f func(Level)
}

func (a *Account) init(l *Loop, ceiling int64) {
	a.l, a.ceiling = l, ceiling
	a.begins[len(a.begins)-1] = math.MaxInt64
	for v := LevelNormal + 1; v <= LevelCloseWorst; v++ {
		a.begins[v] = a.mark(v, 0)
		a.ends[v] = a.mark(v, levelSlack)
	}
	a.ends[LevelNormal] = math.MinInt64
}

// Watch calls f at the end of each turn in which the level has changed, with the level at that time, until Stop. That may be
// the level from before the turn: a connection that was not read in between has to be read again. Watches are called in the
// order in which they were made.
func (a *Account) Watch(f func(Level)) *Watch {
	w := &Watch{a, f}
	a.watches = append(a.watches, w)
	return w
}

// Stop ends the watch. Stopping twice is stopping once.
func (w *Watch) Stop() {
	if w.a != nil {
		// A new list: the old one may be being told.
		w.a.watches = slices.DeleteFunc(slices.Clone(w.a.watches), func(o *Watch) bool { return o == w })
		w.a, w.f = nil, nil
	}
}

// Charge adds n bytes of kind 0.
func (a *Account) Charge(n int) { a.Hold(0, n) }

// Release takes n bytes of kind 0 off that were charged before.
func (a *Account) Release(n int) { a.Hold(0, -n) }

// Hold adds delta bytes of a kind, which must be less than Kinds, or takes some off that were added
// before when delta is negative.
func (a *Account) Hold(kind uint8, delta int) {
	a.kinds[kind] += int64(delta)
	a.used += int64(delta)
	a.peak = max(a.peak, a.used)
	if a.ceiling > 0 && (a.used >= a.begins[a.level+1] || a.used < a.ends[a.level]) {
		a.settle()
	}
}

// Used returns the bytes charged now. Less than none means somebody released what was never charged.
func (a *Account) Used() int64 { return a.used }

// UsedBy returns how many of them are of a kind.
func (a *Account) UsedBy(kind uint8) int64 { return a.kinds[kind] }

// Peak returns the most that was ever charged.
func (a *Account) Peak() int64 { return a.peak }

// Ceiling returns the configured limit; 0 or less: there is none.
func (a *Account) Ceiling() int64 { return a.ceiling }

// Level returns the present level. It rises the moment its share of the ceiling is reached, and falls
// when the account is a tenth of the ceiling below.
func (a *Account) Level() Level { return a.level }

// Over returns how many bytes must be released before v ends, 0 when it is not reached.
func (a *Account) Over(v Level) int64 {
	if a.level < v {
		return 0
	}
	return a.used - a.ends[v] + 1
}

func (a *Account) settle() {
	was := a.level
	for a.level < LevelCloseWorst && a.used >= a.begins[a.level+1] {
		a.level++
	}
	for a.level > LevelNormal && a.used < a.ends[a.level] {
		a.level--
	}
	if a.level != was {
		a.l.Defer(&a.task, a)
	}
}

// mark returns the bytes at which v begins, less so many percent of the ceiling.
func (a *Account) mark(v Level, slack int64) int64 {
	return int64(float64(a.ceiling) / 100 * float64(levelShares[v]-slack))
}

// RunTask calls the watches. The loop calls it.
func (a *Account) RunTask(time.Duration) {
	level := a.level
	for _, w := range a.watches {
		if w.f != nil {
			w.f(level)
		}
	}
}

// Label implements the naming of tasks.
func (a *Account) Label() string { return "the memory account" }
