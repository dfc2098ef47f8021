package loop

import "time"

// Level is how full the account is, and so what has to be done about it.
type Level uint8

const (
	// LevelNormal: nothing.
	LevelNormal Level = iota
	// LevelStopReading, from half of the ceiling: connections that already hold bytes are not read.
	LevelStopReading
	// LevelStopAccepting, from three quarters: no new connection is taken either.
	LevelStopAccepting
	// LevelCloseWorst, from the ceiling: the connection that holds most is closed, until it is not.
	LevelCloseWorst
)

var levelNames = [...]string{"normal", "stop reading", "stop accepting", "close worst"}

// String names the level by its action.
func (v Level) String() string { return levelNames[min(int(v), len(levelNames)-1)] }

// levelShares are the percentages of the ceiling at which a level begins. It ends levelSlack below, so
// that one connection going to and fro over the mark does not switch reading on and off for all.
var levelShares = [...]int64{0, 50, 75, 100}

const levelSlack = 10

// Account counts the bytes that a loop holds beyond one turn: parked input, refused output, inflaters,
// handshakes. It refuses nothing; whoever charges looks at the Level and acts.
type Account struct {
	// OnLevel is called at the end of a turn in which the level has changed, with the new one. It may
	// be nil.
	OnLevel func(Level)

	l       *Loop
	ceiling int64 // <= 0: none
	used    int64
	peak    int64
	level   Level
	told    Level // what OnLevel last heard
	task    Task
}

func (a *Account) init(l *Loop, ceiling int64) { a.l, a.ceiling = l, ceiling }

// Charge adds n bytes.
func (a *Account) Charge(n int) {
	a.used += int64(n)
	a.peak = max(a.peak, a.used)
	a.settle()
}

// Release takes n bytes off that were charged before.
func (a *Account) Release(n int) {
	a.used -= int64(n)
	a.settle()
}

// Used returns the bytes charged now. Less than none means somebody released what was never charged.
func (a *Account) Used() int64 { return a.used }

// Peak returns the most that was ever charged.
func (a *Account) Peak() int64 { return a.peak }

// Ceiling returns the configured limit; 0 or less: there is none.
func (a *Account) Ceiling() int64 { return a.ceiling }

// Level returns the present level. It rises the moment its share of the ceiling is reached, and falls
// when the account is a tenth of the ceiling below.
func (a *Account) Level() Level { return a.level }

func (a *Account) settle() {
	if a.ceiling <= 0 {
		return
	}
	was := a.level
	for a.level < LevelCloseWorst && a.used >= a.mark(a.level+1, 0) {
		a.level++
	}
	for a.level > LevelNormal && a.used < a.mark(a.level, levelSlack) {
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

// RunTask tells OnLevel. The loop calls it.
func (a *Account) RunTask(time.Duration) {
	if a.level != a.told {
		a.told = a.level
		if a.OnLevel != nil {
			a.OnLevel(a.level)
		}
	}
}

// Label implements the naming of tasks.
func (a *Account) Label() string { return "the memory account" }
