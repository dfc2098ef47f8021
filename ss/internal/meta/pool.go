package meta

// poolMax is how many Values a Pool keeps for the next streams.
const poolMax = 256

// Pool lends Values to the streams of a loop. The zero Pool is empty.
type Pool struct{ free []*Values }

// Take returns empty Values for n items.
func (p *Pool) Take(n int) *Values {
	var m *Values
	if k := len(p.free); k > 0 {
		m, p.free = p.free[k-1], p.free[:k-1]
	} else {
		m = new(Values)
	}
	m.grow(n)
	return m
}

// Return takes m back, which may be nil and must not be used any more. Headers are dropped.
func (p *Pool) Return(m *Values) {
	if m == nil {
		return
	}
	m.Headers.Drop()
	if len(p.free) < poolMax {
		m.reset()
		p.free = append(p.free, m)
	}
}
