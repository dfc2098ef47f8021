package wsi

import (
	"cmp"
	"slices"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// levelChanged acts on the memory account: see loop.Level. Below LevelStopReading connections that
// were not read are read again, below LevelStopAccepting listeners accept again.
func (n *Net) levelChanged(v loop.Level) {
	if v < loop.LevelStopReading {
		n.unstall()
	}
	if v < loop.LevelStopAccepting {
		n.wakeListeners()
	}
	if v == loop.LevelCloseWorst {
		n.loop.Defer(&n.closeTask, n)
	}
}

// unstall has the connections read again that were not. All of them hold bytes, so they are found
// among the holders.
func (n *Net) unstall() {
	for b := n.holders.next; b != &n.holders; b = b.next {
		if w := b.owner; w.flags&stalledRx != 0 {
			w.flags &^= stalledRx
			w.kick()
		}
	}
}

// closeWorst resets the connections that hold the most, until the account will have fallen an eighth
// below its ceiling. LevelCloseWorst ends only a tenth below: stopping earlier would leave the level
// where it is, and the next byte past the ceiling would not be heard of.
func (n *Net) closeWorst() {
	ceiling := n.account.Ceiling()
	over := n.account.Used() - (ceiling - ceiling/8)
	var candidates []*Wsi
	for b := n.holders.next; b != &n.holders; b = b.next {
		switch w := b.owner; {
		case w.flags&closing != 0 && w.mode != roles.Graceful:
			over -= int64(cap(b.b)) // going already
		case b == w.out && w.in != nil: // counted with its input
		default:
			candidates = append(candidates, w)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *Wsi) int { return cmp.Compare(b.Held(), a.Held()) })
	for _, w := range candidates {
		if over <= 0 {
			return
		}
		over -= int64(w.Held())
		n.Counters.MemoryClosed++
		w.Close(roles.Reset, &Error{Op: "keep", Wsi: w.Label(), Err: ErrMemory})
	}
}
