package ss

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi"
)

// Memory accounts for memory that a program keeps for a stream between callbacks because of its peer: an echo that
// waits to be sent, a piece of a file that the peer is slow to read. Millrace adds it to its own memory of the same
// connection: see loop.Config.Memory. A peer that makes the program keep much is not read, and is disconnected first
// when memory is short. Embed it in the program's stream; the zero Memory is empty.
type Memory struct {
	h *Handle
	w *wsi.Wsi // the connection that is charged; nil for the runtime
	n int
}

// Set reports that the program keeps n bytes for h now. Set 0 when it keeps none any more, at DESTROYING at the
// latest. Call it on the loop's goroutine; it is cheap if n has not changed.
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
