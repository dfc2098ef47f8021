package rolestest

import (
	"fmt"

	"github.com/millrace/millrace/roles"
)

// Memory implements the methods of roles.Lower that account for memory. A transport for tests embeds it, as Lower does.
type Memory struct {
	// Held is the number of bytes held of each kind, Most the largest sum of all kinds so far.
	Held [roles.Kinds]int
	Most int
	// Short makes MayHold return false.
	Short bool
	// OnHold, unless nil, receives each Hold.
	OnHold func(k roles.Kind, delta int)
}

// Hold is roles.Lower's. It panics if the Upper gives back more than it holds.
func (m *Memory) Hold(k roles.Kind, delta int) {
	if m.Held[k] += delta; m.Held[k] < 0 {
		panic(fmt.Sprintf("rolestest: Hold: %d more bytes of %v given back than held", -m.Held[k], k))
	}
	m.Most = max(m.Most, m.All())
	if m.OnHold != nil {
		m.OnHold(k, delta)
	}
}

// All returns the number of bytes held of all kinds.
func (m *Memory) All() (n int) {
	for _, k := range m.Held {
		n += k
	}
	return n
}

// MayHold is roles.Lower's.
func (m *Memory) MayHold(roles.Kind, int) bool { return !m.Short }
