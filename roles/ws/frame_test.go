package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
)

// TestFrameHeaders checks invalid headers. Each fails at its last octet, and not before.
func TestFrameHeaders(t *testing.T) {
	for _, r := range []struct {
		name   string
		client bool
		in     string
		want   string
	}{
		{"server: not masked", false, "\x81\x05", "unmasked frame from client"},
		{"server: ping not masked", false, "\x89\x00", "unmasked frame from client"},
		{"client: masked", true, "\x81\x85", "masked frame from server"},
		{"client: close masked", true, "\x88\x80", "masked frame from server"},
		{"16 bits for 125", true, "\x82\x7e\x00\x7d", "shortest form"},
		{"16 bits for 0", true, "\x82\x7e\x00\x00", "shortest form"},
		{"64 bits for 65535", true, "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "shortest form"},
		{"64 bits for 5", false, "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05", "shortest form"},
		{"highest bit of 64", true, "\x82\x7f\x80", "highest bit"},
		{"longer than any frame may be", true, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "limit"},
		{"control with 16 bits", true, "\x89\x7e", "longer than 125"},
		{"control with 64 bits", false, "\x89\xff", "longer than 125"},
		{"RSV in the first octet alone", true, "\xf1", "reserved bit"},
		{"opcode in the first octet alone", false, "\x03", "opcode"},
		{"fragmented ping in the first octet alone", false, "\x09", "fragmented"},
		{"continuation in the first octet alone", false, "\x80", "continuation frame outside"},
	} {
		for n := 1; n <= len(r.in); n++ {
			h := &recorder{}
			_, l := open(newShared(), r.client, Agreed{}, h)
			for i := range n {
				l.Feed([]byte{r.in[i]})
			}
			if n < len(r.in) {
				if l.Closing || len(l.Unused()) != n {
					t.Errorf("%s: after %d octets closing %v, %d held; want it to wait", r.name, n, l.Closing, len(l.Unused()))
				}
				continue
			}
			wantClosed(t, l, roles.Graceful, r.want)
			if !strings.Contains(errText(h.cause), r.want) {
				t.Errorf("%s: closed with %v, want %s", r.name, h.cause, r.want)
			}
		}
	}
}

func TestPutHeader(t *testing.T) {
	for _, r := range []struct {
		bits   byte
		masked bool
		n      int
		want   string
	}{
		{0x81, false, 0, "\x81\x00"},
		{0x82, true, 125, "\x82\xfd"},
		{0x02, false, 126, "\x02\x7e\x00\x7e"},
		{0x80, true, 65535, "\x80\xfe\xff\xff"},
	} {
		var b [4]byte
		if n := putHeader(b[:], r.bits, r.masked, r.n); string(b[:n]) != r.want {
			t.Errorf("header of %d octets is %x, want %x", r.n, b[:n], r.want)
		}
	}
}
