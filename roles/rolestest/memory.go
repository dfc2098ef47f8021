package rolestest

import (
	"fmt"

	"github.com/millrace/millrace/roles"
)

// Memory is a transport's part of roles.Lower by which memory is accounted for. Lower has one; a test's own transport
// embeds one.
type Memory struct {
	// Held is what is held of each kind, Most the most that was ever held of all kinds together.
	Held [roles.Kinds]int
	Most int
	// Short makes MayHold say no.
	Short bool
	// OnHold is told of each Hold, unless it is nil.
	OnHold func(k roles.Kind, delta int)
}

// Hold is roles.Lower's. It panics when more is given back than was held.
func (m *Memory) Hold(k roles.Kind, delta int) {
	if m.Held[k] += delta; m.Held[k] < 0 {
		panic(fmt.Sprintf("rolestest: hold: %d bytes of %v more were given back than were held", -m.Held[k], k))
	}
	m.Most = max(m.Most, m.All())
	if m.OnHold != nil {
		m.OnHold(k, delta)
	}
}

// All is what is held of all kinds together.
func (m *Memory) All() (n int) {
	for _, k := range m.Held {
		n += k
	}
	return n
}

// MayHold is roles.Lower's.
func (m *Memory) MayHold(roles.Kind, int) bool { return !m.Short }
