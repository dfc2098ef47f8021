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
	// Allow bounds what Room gives, if it is not 0: once Out holds that many bytes it returns nil.
	Allow int
	// Closing is set by Close: the mode and the cause of the one that counts.
	Closing bool
	Mode    roles.CloseMode
	Cause   error
	// Shut is set by CloseWrite, Over when the Upper was told Closed, Paused by Pause.
	Shut, Over, Paused bool
	// Credited adds up Credit; Pauses and Resumes count the calls, Writables those of the Upper.
	Credited                   int
	Pauses, Resumes, Writables int
	// Memory is what the Upper holds.
	Memory
	// Below is what Info says beside its Conn, which is the Lower itself.
	Below roles.Info
	// Stands is set by Established; Peer is what PeerIP says, and Due what InputDue does.
	Stands bool
	Peer   netip.AddrPort
	Due    bool
	// Misuse is the first breach of the contract by the Upper, "" if there was none.
	Misuse string

	upper   roles.Upper
	in      []byte
	room    []byte
	want    bool
	end     bool
	ended   bool
	replace bool
	wake    bool
}

var (
	_ roles.Lower = (*Lower)(nil)
	_ roles.Conn  = (*Lower)(nil)
)

// New returns a Lower with an empty arena.
func New() *Lower {
	return &Lower{Out: make([]byte, 0, 4*roles.MaxRoom), in: make([]byte, 0, 4096), Clock: time.Second}
}

// Open attaches u, says Opened, and serves it.
func (l *Lower) Open(u roles.Upper) {
	l.upper = u
	u.Opened(l.Clock)
	l.Service()
}

// Upper is the protocol in place now, after any Replace.
func (l *Lower) Upper() roles.Upper { return l.upper }

// Unused are the bytes that the Upper has left.
func (l *Lower) Unused() []byte { return l.in }

// Wants tells whether a WantWrite is outstanding.
func (l *Lower) Wants() bool { return l.want }

// Wakes reports whether a Wake is outstanding: Woken comes in the next Service.
func (l *Lower) Wakes() bool { return l.wake }

// Feed offers b behind what is unused, and serves.
func (l *Lower) Feed(b []byte) {
	l.in = append(l.in, b...)
	l.Service()
}

// End says that the peer has ended its direction, behind what was fed, and serves.
func (l *Lower) End() {
	l.end = true
	l.Service()
	if u, ok := l.upper.(roles.HangUpWatcher); ok && l.Paused && !l.Over && !l.ended {
		u.HungUp(l.Clock)
		l.Service()
	}
}

// Break says Closed with cause, as when the connection is lost.
func (l *Lower) Break(cause error) {
	if !l.Over {
		l.Over = true
		l.upper.Closed(cause)
	}
}

// maxAgain is how often an Upper may ask for another call at once, as it does when its own calls have left it
// something to do.
const maxAgain = 100

// Sleep lets time pass: a Wake is answered, and so is each deadline that is reached.
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

// Service calls the Upper until nothing moves, as a transport does in one turn. A Wake from inside is for the next.
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
	// Used bytes are spoilt, and the rest moves: a view kept of either is found out.
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

// Close is roles.Lower's. Closed follows when the present call is over, or in the next Service.
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
