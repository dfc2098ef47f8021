package h2

import "testing"

func TestUrgencyOf(t *testing.T) {
	for v, want := range map[string]uint8{
		"u=0": 0, "u=7": 7, "i, u=5": 5, "u=2, i": 2, "u=1;x": 1, "i,u=6": 6,
		"": 3, "i": 3, "u": 3, "u=": 3, "u=8": 3, "u=-1": 3, "u=10": 3, "xu=1": 3, "u=1x": 3, "U=1": 3,
	} {
		if got := parseUrgency([]byte(v)); got != want {
			t.Errorf("%q: got %d, want %d", v, got, want)
		}
	}
}
