package ss

import (
	"testing"
	"unsafe"
)

// TestSizes: a hundred thousand accepted connections may be idle at a time, so the size of their object
// matters. The allocator rounds it up to a size class; the next larger class is the cost of a
// careless field.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		what       string
		size, most uintptr
	}{
		{"accepted, with its Wsi and Handle", unsafe.Sizeof(accepted{}), 256},
		{"acceptedTLS, with its Session too", unsafe.Sizeof(acceptedTLS{}), 576},
		{"acceptedHTTP", unsafe.Sizeof(acceptedHTTP{}), 112},
		{"sniffedHTTP", unsafe.Sizeof(sniffedHTTP{}), 112},
		{"acceptedWS", unsafe.Sizeof(acceptedWS{}), 144},
		{"clientWS", unsafe.Sizeof(clientWS{}), 160},
		{"addedLane", unsafe.Sizeof(addedStream{}), streamCost},
		{"acceptedH2", unsafe.Sizeof(acceptedH2{}), 640},
		{"acceptedRaw", unsafe.Sizeof(acceptedRaw{}), 320},
		{"Handle", unsafe.Sizeof(Handle{}), 88},
		{"direct, of a client stream", unsafe.Sizeof(direct{}), 112},
		{"httpConn, of a client's connection", unsafe.Sizeof(httpConn{}), 384},
	} {
		if c.size > c.most {
			t.Errorf("%s: got %d bytes, want at most the size class of %d", c.what, c.size, c.most)
		}
	}
}
