package h2

import "testing"

// TestResetsAreRemembered: howReset knows the last 64 resets, and returns resetByUs for streams before them.
func TestResetsAreRemembered(t *testing.T) {
	var c conn
	if c.howReset(1) != notReset {
		t.Error("got a reset stream before any reset")
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
