package ss

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi"
)

// Memory is what a program holds for a stream from one callback to the next because of what its peer does: an echo
// that waits to be sent, a piece of a file that the peer does not take. A program that says so has it counted beside
// what Millrace holds for the same connection: see loop.Config.Memory. A peer that makes the program hold much is
// not read, and goes first when memory is short. It is a value to embed in the program's stream; the zero Memory
// holds nothing.
type Memory struct {
	h *Handle
	w *wsi.Wsi // the connection that is charged; nil for the runtime
	n int
}

// Set says that the program holds n bytes for h now. It must say 0 when it holds nothing any more, at DESTROYING at
// the latest. It is called on the loop's goroutine, and costs little when n has not changed.
func (m *Memory) Set(h *Handle, n int) {
	if n == m.n {
		return
	}
	w := m.w
	if n > 0 {
		if w = h.be.wsi(); w != nil && (w.Net() == nil || w.IsClosed()) {
			w = nil
		}
	}
	if w != m.w || m.h == nil {
		m.charge(-m.n)
		m.h, m.w, m.n = h, w, 0
	}
	m.charge(n - m.n)
	m.n = n
}

func (m *Memory) charge(delta int) {
	switch {
	case delta == 0:
	case m.w != nil:
		m.w.Hold(roles.HoldProgram, delta)
	default:
		m.h.rt.loop.Account().Hold(uint8(roles.HoldProgram), delta)
	}
}
