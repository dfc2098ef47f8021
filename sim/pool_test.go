package sim

import "testing"

func TestPool(t *testing.T) {
	var p pool
	for _, c := range []struct{ ask, want int }{{1, 512}, {512, 512}, {513, 1024}, {100_000, 1 << 17}} {
		b := p.get(c.ask)
		if len(b) != c.want {
			t.Errorf("get(%d): got %d bytes, want %d", c.ask, len(b), c.want)
		}
		p.put(b)
		if again := p.get(c.ask); &again[0] != &b[0] {
			t.Errorf("get(%d) after put: got a new ring, want the old one", c.ask)
		}
	}
	p.put(nil)
}
