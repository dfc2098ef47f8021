package wsi

import (
	"fmt"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/roles"
)

// phase is what a connection waits for.
type phase uint8

// The order counts: there is a socket from phaseOpening on, and the Upper is called from phaseOpening to phaseUnread.
const (
	phaseNew phase = iota
	phaseDialling
	phaseOpening
	phaseOpen
	phaseUnread
	phaseDraining
	phaseLingering
	phaseClosed
)

var phases = machine.New("wsi-phase", "A connection", []machine.State{
	phaseNew: machine.Row("new", "Net.Dial, or a socket from an Acceptor's listener.",
		machine.On("Dial", phaseDialling),
		machine.On("accept", phaseOpening),
	),
	phaseDialling: machine.Row("dialling", "A connected socket: the dial has states of its own.",
		machine.On("connected", phaseOpening),
		machine.On("no address is left, or Close", phaseClosed),
	),
	phaseOpening: machine.Row("opening", "Established, which the owner calls when its protocol is up, or Timeouts.Establish.",
		machine.On("Established", phaseOpen),
		machine.On("the socket is over, and the Upper has paused before bytes", phaseUnread),
		machine.On("a graceful Close", phaseDraining),
		machine.On("any other Close", phaseClosed),
	),
	phaseOpen: machine.Row("open", "Bytes in either direction, or Timeouts.Idle.",
		machine.On("the socket is over, and the Upper has paused before bytes", phaseUnread),
		machine.On("a graceful Close", phaseDraining),
		machine.On("any other Close", phaseClosed),
	),
	phaseUnread: machine.Row("unread", "The Upper's Resume, for a limited time. The socket is over.",
		machine.On("a read finds the socket whole", phaseOpen),
		machine.On("a graceful Close", phaseDraining),
		machine.On("any other Close, or the time is over", phaseClosed),
	),
	phaseDraining: machine.Row("draining", "The peer to accept our last bytes, or Timeouts.Linger.",
		machine.On("all is sent, and our direction ended", phaseLingering),
		machine.On("the peer has ended, the socket failed, the time is over, or an immediate Close", phaseClosed),
	),
	phaseLingering: machine.Row("lingering", "The peer to end its direction, or Timeouts.Linger.",
		machine.On("the peer has ended or sends too much, the socket failed, the time is over, or an immediate Close", phaseClosed),
	),
	phaseClosed: machine.Row("closed", "Nothing. The descriptor is closed."),
})

// String names the phase as reports do.
func (p phase) String() string { return phases.States[p].Name }

// move changes the phase. A move that the table does not have is a bug of this package: the connection is closed with an
// error that names it, and Counters.Illegal counts it.
func (w *Wsi) move(to phase) {
	if !phases.Allows(uint8(w.phase), uint8(to)) {
		w.net.Counters.Illegal++
		from := w.phase
		w.phase = max(to, phaseOpening)
		w.Close(roles.Reset, fmt.Errorf("wsi: illegal move from %s to %s: this is a bug in Millrace", from, to))
		return
	}
	w.phase = to
}
