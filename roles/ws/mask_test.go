package ws

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// maskPlain is the algorithm of RFC 6455 s.5.3.
func maskPlain(b []byte, key [4]byte, offset int) {
	for i := range b {
		b[i] ^= key[(offset+i)&3]
	}
}

func TestMask(t *testing.T) {
	key := [4]byte{0x11, 0x22, 0x33, 0xf4}
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{125, 126, 127, 128, 129, 1000, 4099, 16 << 10}
	for n := range 70 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for align := range 9 {
			in := make([]byte, align+n)
			for i := range in {
				in[i] = byte(r.Uint32())
			}
			want := bytes.Clone(in)
			maskPlain(want[align:], key, 0)
			// Cut in two anywhere: the key goes on where it stopped.
			cut := align
			if n > 0 {
				cut += r.IntN(n + 1)
			}
			k := mask(in[align:cut], binary.LittleEndian.Uint32(key[:]))
			k = mask(in[cut:], k)
			if !bytes.Equal(in, want) {
				t.Fatalf("%d octets at %d cut at %d: wrong payload", n, align, cut)
			}
			if want := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(n&3)); k != want {
				t.Fatalf("%d octets: key ends as %08x, want %08x", n, k, want)
			}
		}
	}
}

// The alternatives to mask: crypto/subtle.XORBytes, which needs the key repeated in memory, as long as the payload or a
// block at a time.

func maskExpanded(b, keys []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(keys[i:], k)
	}
	subtle.XORBytes(b, b, keys)
}

func maskBlocks(b []byte, key uint32) {
	var keys [1024]byte
	k := uint64(key)<<32 | uint64(key)
	for i := 0; i < min(len(keys), len(b)); i += 8 {
		binary.LittleEndian.PutUint64(keys[i:], k)
	}
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, keys[:min(len(b), len(keys))]):]
	}
}

func BenchmarkMask(b *testing.B) {
	keys := make([]byte, 64<<10)
	for _, n := range []int{16, 125, 1024, 2048, 4096, 16 << 10, 64 << 10} {
		for _, w := range []struct {
			name string
			f    func([]byte)
		}{
			{"mask", func(p []byte) { mask(p, 0x01020304) }},
			{"blocks", func(p []byte) { maskBlocks(p, 0x01020304) }},
			{"expanded", func(p []byte) { maskExpanded(p, keys, 0x01020304) }},
			{"plain", func(p []byte) { maskPlain(p, [4]byte{1, 2, 3, 4}, 0) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, w.name), func(b *testing.B) {
				p := make([]byte, n+6)[6:]
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					w.f(p)
				}
			})
		}
	}
}
