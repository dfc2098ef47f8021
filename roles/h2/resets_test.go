package h2

import "testing"

// TestResetsAreRemembered knows who reset a stream for as long as 64 others were not, and gives the benefit of the
// doubt behind that.
func TestResetsAreRemembered(t *testing.T) {
	var c conn
	if c.howReset(1) != notReset {
		t.Error("one was reset before any was")
	}
	for i := range 100 {
		c.noteReset(id(i), i%2 == 0)
	}
	for i := range 110 {
		want := resetByUs
		switch {
		case i >= 100:
			want = notReset
		case i >= 36 && i%2 == 0:
			want = resetByPeer
		}
		if got := c.howReset(id(i)); got != want {
			t.Errorf("stream %d: got %d, want %d", id(i), got, want)
		}
	}
}
