package h1

import "testing"

func TestPutSize(t *testing.T) {
	for _, c := range []struct {
		size int
		want string
	}{
		{1, "01\r\n"}, {0xff, "ff\r\n"}, {0x100, "0100\r\n"}, {0xffff, "ffff\r\n"}, {0x10000, "010000\r\n"}, {0x12345678, "12345678\r\n"},
	} {
		var b [lentFront]byte
		if n := putSize(b[:], c.size); string(b[:n]) != c.want {
			t.Errorf("size line of %d: got %q, want %q", c.size, b[:n], c.want)
		}
	}
}
