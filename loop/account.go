package loop

import (
	"math"
	"slices"
	"time"
)

// Level is how full the account is. It determines what the runtime does to save memory.
type Level uint8

const (
	// LevelNormal requires no action.
	LevelNormal Level = iota
	// LevelStopReading starts at half of the ceiling. Connections that already use their share of bytes are not read,
	// and flow-control window is not extended for buffered bytes.
	LevelStopReading
	// LevelStopAccepting starts at three quarters. Stalled connections are closed to make room; if there is none to
	// close, no connection is accepted.
	LevelStopAccepting
	// LevelCloseWorst starts at the ceiling. Connections are closed, starting with those that have stalled longest with
	// the most bytes.
	LevelCloseWorst
)

var levelNames = [...]string{"normal", "stop reading", "stop accepting", "close worst"}

// String names the level by its action.
func (v Level) String() string { return levelNames[min(int(v), len(levelNames)-1)] }

// levelShares are the percentages of the ceiling at which each level starts. A level ends levelSlack percent below
// its start, so that one connection that crosses the mark repeatedly does not switch reading on and off for all.
var levelShares = [...]int64{0, 50, 75, 100}

const levelSlack = 10

// Kinds is the number of kinds of memory that an account counts. The caller of Hold defines them; Charge and Release
// use kind 0.
const Kinds = 16

// Account counts the bytes that a loop keeps for longer than one turn: unread input, unsent output, bodies,
// inflaters, handshakes. It refuses nothing; the code that charges it checks the Level and acts.
type Account struct {
	l       *Loop
	ceiling int64 // no ceiling if <= 0
	used    int64
	peak    int64
	level   Level
	begins  [LevelCloseWorst + 2]int64 // each level starts at this many bytes; the last entry is unreachable
	ends    [LevelCloseWorst + 1]int64 // each level ends below this many bytes
	kinds   [Kinds]int64
	watches []*Watch
	task    Task
}

// Watch is a registration for changes of the level.
type Watch struct {
	a *Account
	f func(Level)
}

func (a *Account) init(l *Loop, ceiling int64) {
	a.l, a.ceiling = l, ceiling
	a.begins[len(a.begins)-1] = math.MaxInt64
	for v := LevelNormal + 1; v <= LevelCloseWorst; v++ {
		a.begins[v] = a.levelAt(v, 0)
		a.ends[v] = a.levelAt(v, levelSlack)
	}
	a.ends[LevelNormal] = math.MinInt64
}

// Watch calls f at the end of each turn in which the level has changed, with the level at that time, until Stop. The
// reported level can equal the one before the turn: a connection that was not read in between must still be read
// again. Watches are called in the order in which they were made.
func (a *Account) Watch(f func(Level)) *Watch {
	w := &Watch{a, f}
	a.watches = append(a.watches, w)
	return w
}

// Stop ends the watch. A second call has no effect.
func (w *Watch) Stop() {
	if w.a != nil {
		// Copy the list: RunTask may be iterating over the old one.
		w.a.watches = slices.DeleteFunc(slices.Clone(w.a.watches), func(o *Watch) bool { return o == w })
		w.a, w.f = nil, nil
	}
}

// Charge adds n bytes of kind 0.
func (a *Account) Charge(n int) { a.Hold(0, n) }

// Release subtracts n bytes of kind 0 that were charged before.
func (a *Account) Release(n int) { a.Hold(0, -n) }

// Hold adds delta bytes of a kind, or subtracts them if delta is negative. kind must be less than Kinds.
func (a *Account) Hold(kind uint8, delta int) {
	a.kinds[kind] += int64(delta)
	a.used += int64(delta)
	a.peak = max(a.peak, a.used)
	if a.ceiling > 0 && (a.used >= a.begins[a.level+1] || a.used < a.ends[a.level]) {
		a.updateLevel()
	}
}

// Used returns the bytes charged now. A negative number means that bytes were released which were never charged.
func (a *Account) Used() int64 { return a.used }

// UsedBy returns the bytes of one kind.
func (a *Account) UsedBy(kind uint8) int64 { return a.kinds[kind] }

// Peak returns the highest number of bytes charged so far.
func (a *Account) Peak() int64 { return a.peak }

// Ceiling returns the configured limit. There is no limit if it is 0 or less.
func (a *Account) Ceiling() int64 { return a.ceiling }

// Level returns the present level. It rises as soon as its share of the ceiling is reached, and falls when the
// account is a tenth of the ceiling below that share.
func (a *Account) Level() Level { return a.level }

// Over returns how many bytes must be released before level v ends. It returns 0 if v is not reached.
func (a *Account) Over(v Level) int64 {
	if a.level < v {
		return 0
	}
	return a.used - a.ends[v] + 1
}

func (a *Account) updateLevel() {
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

// levelAt returns the bytes at which v starts, minus slack percent of the ceiling.
func (a *Account) levelAt(v Level, slack int64) int64 {
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

// Label names the account in reports.
func (a *Account) Label() string { return "the memory account" }
