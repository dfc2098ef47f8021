package dial

import "github.com/millrace/millrace/internal/machine"

// state is what a dial waits for.
type state uint8

const (
	awaitStart state = iota
	awaitAddrs
	awaitConnect
	ended
)

var states = machine.New("wsi-dial", "A dial", []machine.State{
	awaitStart: machine.Row("awaitStart", "Start.",
		machine.On("Start", awaitAddrs),
	),
	awaitAddrs: machine.Row("awaitAddrs", "The resolver's answer.",
		machine.On("connect(2) has started", awaitConnect),
		machine.On("no address, or the system accepts none; Options.Timeout or Cancel", ended),
	),
	awaitConnect: machine.Row("awaitConnect", "The system's answer to connect(2).",
		machine.On("the attempt has failed, and connect(2) to the next address has started", awaitConnect),
		machine.On("connected, no address is left, Options.Timeout or Cancel", ended),
	),
	ended: machine.Row("ended", "Nothing. The owner has the socket, or the dial has closed it."),
})

// move changes the state. A move that the table does not have is a bug of this package: the dial stops where it is, and
// its owner's timeout ends it.
func (d *Dial) move(to state) {
	if !states.Allows(uint8(d.state), uint8(to)) {
		d.halted = true
		return
	}
	d.state = to
}
