package ss

import (
	"testing"
	"unsafe"
)

// TestSizes: a hundred thousand accepted connections wait at a time, so the size of the object that holds
// one is a figure of its own. The allocator rounds it up to a size class; the next larger class is what a
// careless field costs.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		what       string
		size, most uintptr
	}{
		{"acceptedHTTP, with its Wsi, h1.Server and Handle", unsafe.Sizeof(acceptedHTTP{}), 384},
		{"sniffedHTTP", unsafe.Sizeof(sniffedHTTP{}), 384},
		{"acceptedHTTPS, with its Session", unsafe.Sizeof(acceptedHTTPS{}), 704},
		{"lane", unsafe.Sizeof(lane{}), laneCost},
		{"acceptedH2", unsafe.Sizeof(acceptedH2{}), 576},
		{"acceptedRaw", unsafe.Sizeof(acceptedRaw{}), 352},
		{"Handle", unsafe.Sizeof(Handle{}), 96},
		{"onward, of a client stream", unsafe.Sizeof(onward{}), 112},
		{"httpConn, of a client's connection", unsafe.Sizeof(httpConn{}), 384},
	} {
		if c.size > c.most {
			t.Errorf("%s: got %d bytes, want at most the size class of %d", c.what, c.size, c.most)
		}
	}
}
