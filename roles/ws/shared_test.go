package ws

import (
	"bytes"
	"testing"
)

func TestFaultsAreCounted(t *testing.T) {
	sh := newShared()
	for _, p := range []part{{0xf1, ""}, {bitFin | opText, "\xff"}, {bitFin | opClose, closeBody(1000, "\xff")}, {bitFin | 3, ""}} {
		_, l := open(sh, false, Agreed{}, &recorder{})
		l.Feed(frame(true, p.bits, p.payload))
	}
	if c := sh.Counters; c.Malformed != 2 || c.BadText != 2 || c.Opened != 4 {
		t.Errorf("counters are %+v, want 2 malformed, 2 of bad text, 4 opened", c)
	}
}

// TestMaskKeys: keys differ, come from Rand, and what was used of it is wiped.
func TestMaskKeys(t *testing.T) {
	cfg := DefaultConfig()
	asked := 0
	cfg.Rand = func(p []byte) {
		asked++
		for i := range p {
			p[i] = byte(asked*13 + i*5 + 1)
		}
	}
	sh := NewShared(cfg)
	seen := map[uint32]bool{}
	for range 65 {
		k := sh.key()
		if seen[k] {
			t.Fatalf("key %08x comes twice", k)
		}
		seen[k] = true
	}
	if asked != 2 {
		t.Errorf("asked for chance %d times for 65 keys, want 2", asked)
	}
	if !bytes.Equal(sh.randBuf[:4], make([]byte, 4)) {
		t.Error("a key that was used still lies there")
	}
}
