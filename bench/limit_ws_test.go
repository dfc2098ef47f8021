package main

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// unmask agrees with the definition at every length and alignment (RFC 6455 s.5.3).
func TestUnmask(t *testing.T) {
	key := [4]byte{1, 0x20, 0xff, 0x80}
	for n := range 100 {
		got, want := make([]byte, n), make([]byte, n)
		for i := range got {
			got[i] = byte(7 * i)
			want[i] = got[i] ^ key[i%4]
		}
		if unmask(got, binary.LittleEndian.Uint32(key[:])); !bytes.Equal(got, want) {
			t.Errorf("%d octets: got % x, want % x", n, got, want)
		}
	}
}

func TestFrame(t *testing.T) {
	short := "\x82\x83KEYSabc"
	long := "\x82\xfe\x00\x7eKEYS" + string(make([]byte, 126))
	for _, tc := range []struct {
		in             string
		whole, payload int
	}{
		{short, 9, 6}, {short + "more", 9, 6}, {short[:8], 0, 0}, {short[:5], 0, 0}, {"", 0, 0},
		{long, 134, 8}, {long[:133], 0, 0}, {long[:7], 0, 0}, {"\x82\x80KEYS", 6, 6},
	} {
		whole, payload := frame([]byte(tc.in))
		if whole != tc.whole || whole > 0 && payload != tc.payload {
			t.Errorf("%.12q: got %d octets, payload at %d; want %d and %d", tc.in, whole, payload, tc.whole, tc.payload)
		}
	}
}
