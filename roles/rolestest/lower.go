package rolestest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/millrace/millrace/roles"
)

// Lower is the fake transport. Make one with New.
type Lower struct {
	// Out is what the role has committed. A test may empty it.
	Out []byte
	// Clock is the time given to the Upper.
	Clock time.Duration
	// Refuse makes Room return nil and holds Writable back.
	Refuse bool
	// Allow, unless 0, bounds the output: once Out has that many bytes Room returns nil.
	Allow int
	// Closing, Mode and Cause are set by Close.
	Closing bool
	Mode    roles.CloseMode
	Cause   error
	// Shut is set by CloseWrite, Over after Closed was called, Paused by Pause.
	Shut, Over, Paused bool
	// Credited is the sum of Credit. Pauses, Resumes and Writables count the calls.
	Credited                   int
	Pauses, Resumes, Writables int
	// Memory records Hold and answers MayHold.
	Memory
	// Below is what Info returns, except its Conn, which is the Lower.
	Below roles.Info
	// Stands is set by Established. Peer is the result of PeerIP, Due that of InputDue.
	Stands bool
	Peer   netip.AddrPort
	Due    bool
	// LendMost is what Lendable says; 0, as New has it, is a transport that does not lend. TakeMost is how much of a
	// longer Lend is taken. Lent adds up what was, and Corks counts Cork.
	LendMost, TakeMost, Lent, Corks int
	// Misuse describes the first violation of the contract of roles.Lower by the Upper; "" if there was none.
	Misuse string

	upper   roles.Upper
	in      []byte
	room    []byte
	want    bool
	end     bool
	ended   bool
	replace bool
	wake    bool
	corked  bool
	cut     bool // a Lend was not taken whole
}

var (
	_ roles.Lower = (*Lower)(nil)
	_ roles.Conn  = (*Lower)(nil)
)

// New returns a Lower with an empty arena.
func New() *Lower {
	return &Lower{Out: make([]byte, 0, 4*roles.MaxRoom), in: make([]byte, 0, 4096), Clock: time.Second}
}

// Open sets the Upper, calls its Opened, and serves it.
func (l *Lower) Open(u roles.Upper) {
	l.upper = u
	u.Opened(l.Clock)
	l.Service()
}

// Upper returns the current Upper, after any Replace.
func (l *Lower) Upper() roles.Upper { return l.upper }

// Unused returns the input that the Upper has not used.
func (l *Lower) Unused() []byte { return l.in }

// Wants reports whether a WantWrite is outstanding.
func (l *Lower) Wants() bool { return l.want }

// Wakes reports whether a Wake is outstanding: Woken comes in the next Service.
func (l *Lower) Wakes() bool { return l.wake }

// Feed appends b to the input and serves.
func (l *Lower) Feed(b []byte) {
	l.in = append(l.in, b...)
	l.Service()
}

// End ends the direction of the peer after the input, and serves.
func (l *Lower) End() {
	l.end = true
	l.Service()
	if u, ok := l.upper.(roles.HangUpWatcher); ok && l.Paused && !l.Over && !l.ended {
		u.HungUp(l.Clock)
		l.Service()
	}
}

// Break calls Closed with cause, as after the loss of a connection.
func (l *Lower) Break(cause error) {
	if !l.Over {
		l.Over = true
		l.upper.Closed(cause)
	}
}

// maxAgain is how many times in a row an Upper may ask for another call at once.
const maxAgain = 100

// Sleep lets d pass: it answers Wake, and calls Timeout at each deadline.
func (l *Lower) Sleep(d time.Duration) {
	end := l.Clock + d
	for again := 0; !l.Over; again++ {
		if again > maxAgain {
			l.misuse("Woken asked for another, or Timeout left its deadline in the past, without end")
			break
		}
		if l.wake && !l.Closing {
			l.Service()
			continue
		}
		due := l.upper.Deadline()
		if due == 0 || due > end {
			break
		}
		if due > l.Clock {
			l.Clock, again = due, 0
		}
		l.upper.Timeout(l.Clock)
		l.Service()
	}
	l.Clock = max(l.Clock, end)
}

// Service calls the Upper until nothing changes, as a transport does in one turn. A Wake from inside waits for the next
// Service.
func (l *Lower) Service() {
	if l.wake && l.upper != nil && !l.Over && !l.Closing && !l.replace {
		l.wake = false
		l.upper.Woken(l.Clock)
	}
	for l.upper != nil && !l.Over {
		moved := false
		if len(l.in) > 0 && !l.Paused && !l.Closing {
			moved = l.rx() > 0 || l.replace
		}
		if l.replace {
			l.replace = false
			l.upper.Opened(l.Clock)
			continue
		}
		if l.want && !l.full() && !l.Closing {
			l.want = false
			l.Writables++
			l.upper.Writable(l.Clock)
			moved = true
			if l.replace {
				l.replace = false
				l.upper.Opened(l.Clock)
			}
		}
		if l.Closing {
			l.Over = true
			l.upper.Closed(l.Cause)
			return
		}
		if moved {
			continue
		}
		if l.end && !l.ended && !l.Paused {
			l.ended = true
			l.upper.RxEnd(l.Clock, len(l.in))
			continue
		}
		return
	}
}

func (l *Lower) rx() int {
	n := l.upper.Rx(l.Clock, l.in)
	if n < 0 || n > len(l.in) {
		l.misuse(fmt.Sprintf("Rx used %d of %d bytes", n, len(l.in)))
		n = len(l.in)
	}
	// Overwrite the used bytes and move the rest, so that a test sees a view that is kept too long.
	for i := range l.in[:n] {
		l.in[i] = '!'
	}
	l.in = l.in[:copy(l.in, l.in[n:])]
	return n
}

func (l *Lower) misuse(s string) {
	if l.Misuse == "" {
		l.Misuse = s
	}
}

func (l *Lower) full() bool { return l.Refuse || l.Allow > 0 && len(l.Out) >= l.Allow }

// Room is roles.Lower's.
func (l *Lower) Room(min int) []byte {
	if min > roles.MaxRecord {
		l.misuse(fmt.Sprintf("Room(%d) is more than MaxRecord", min))
	}
	if l.full() {
		l.room = nil
		return nil
	}
	if free := cap(l.Out) - len(l.Out); free < min {
		l.Out = append(make([]byte, 0, 2*cap(l.Out)+min), l.Out...)
	}
	l.room = l.Out[len(l.Out):cap(l.Out)]
	return l.room
}

// Commit is roles.Lower's.
func (l *Lower) Commit(n int) {
	l.checkCut(n)
	if n < 0 || n > len(l.room) {
		l.misuse(fmt.Sprintf("Commit(%d) with room for %d", n, len(l.room)))
		return
	}
	if l.Closing || l.Shut {
		l.misuse("Commit after Close")
		return
	}
	l.Out = l.Out[:len(l.Out)+n]
	l.room = nil
}

// WantWrite is roles.Lower's.
func (l *Lower) WantWrite() { l.want = true }

// Pause is roles.Lower's.
func (l *Lower) Pause() { l.Paused = true; l.Pauses++ }

// Resume is roles.Lower's.
func (l *Lower) Resume() { l.Paused = false; l.Resumes++ }

// Credit is roles.Lower's.
func (l *Lower) Credit(n int) { l.Credited += n }

// CloseWrite is roles.Lower's.
func (l *Lower) CloseWrite() { l.Shut = true }

// Close is roles.Lower's. Closed follows after the current call, or in the next Service.
func (l *Lower) Close(mode roles.CloseMode, cause error) {
	if l.Closing && (mode == roles.Graceful || l.Mode != roles.Graceful) {
		return
	}
	if !l.Closing {
		l.Cause = cause
	}
	l.Closing, l.Mode = true, mode
}

// Replace is roles.Lower's.
func (l *Lower) Replace(u roles.Upper) {
	l.upper = u
	l.replace = true
}

// Rearm is roles.Lower's.
func (l *Lower) Rearm() {}

// Wake is roles.Lower's.
func (l *Lower) Wake() { l.wake = true }

// Now is roles.Lower's.
func (l *Lower) Now() time.Duration { return l.Clock }

// Info is roles.Lower's.
func (l *Lower) Info() roles.Info {
	i := l.Below
	i.Conn = l
	return i
}

// Label is roles.Conn's.
func (l *Lower) Label() string { return "test connection" }

// PeerIP is roles.Conn's.
func (l *Lower) PeerIP() netip.AddrPort { return l.Peer }

// InputDue is roles.Conn's.
func (l *Lower) InputDue() bool { return l.Due }

// Established is roles.Conn's.
func (l *Lower) Established() { l.Stands = true }
