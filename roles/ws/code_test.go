package ws

import "testing"

func TestCodes(t *testing.T) {
	for c, want := range map[Code]string{Normal: "1000 normal closure", 1016: "1016", 4321: "4321", TLSFailed: "1015 TLS handshake failed"} {
		if got := c.String(); got != want {
			t.Errorf("%d prints %q, want %q", uint16(c), got, want)
		}
	}
}
