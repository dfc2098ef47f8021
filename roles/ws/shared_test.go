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

// TestMaskKeys checks that keys differ and come from Rand, and that used octets are zeroed.
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
			t.Fatalf("got key %08x twice", k)
		}
		seen[k] = true
	}
	if asked != 2 {
		t.Errorf("got %d calls of Rand for 65 keys, want 2", asked)
	}
	if !bytes.Equal(sh.randBuf[:4], make([]byte, 4)) {
		t.Error("got a used key in randBuf, want zeros")
	}
}
