package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	kflate "github.com/klauspost/compress/flate"

	"github.com/millrace/millrace/roles/rolestest"
)

// inflateAll feeds a new inflater with the pieces that feed makes and returns its output; ok is false if the input is
// invalid, and whole reports whether it ended between two blocks.
func inflateAll(hist string, feed func(func([]byte))) (out []byte, ok, whole bool) {
	z := new(inflater)
	z.reset([]byte(hist), 15)
	ok = true
	var left []byte // what was given back
	feed(func(p []byte) {
		p = append(left, p...)
		for ok {
			n, st := z.feed(p)
			out = append(out, z.output()...)
			p = p[n:]
			if st == outputFull && len(p) == 0 {
				panic("full, and no input left")
			}
			if ok = st != invalid; st != outputFull {
				break
			}
		}
		left = bytes.Clone(p)
	})
	return out, ok, z.atBoundary()
}

// library inflates b with compress/flate; the error is nil at the end of a stream, io.ErrUnexpectedEOF inside one.
func library(b []byte) (out []byte, err error) {
	return io.ReadAll(flate.NewReader(bytes.NewReader(b)))
}

// prose returns n octets of text with a typical compression ratio.
func prose(n int) string {
	r := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("the a of stream wheel water mill race sluice turns under over when while stone grain flour runs and never stops again 12 345 {\"id\": \"name\",")
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:n]
}

func noise(n int) string {
	r := rand.New(rand.NewPCG(8, 8))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestInflate(t *testing.T) {
	for _, r := range []struct{ name, s string }{
		{"nothing", ""},
		{"an octet", "a"},
		{"a word", "Hello"},
		{"one octet often", strings.Repeat("x", 200000)},
		{"two octets often", strings.Repeat("xy", 50000)},
		{"prose", prose(40000)},
		{"noise", noise(40000)},
		{"noise and its repetition a window later", noise(32768) + noise(32768)},
		{"prose in noise", noise(20000) + prose(20000) + noise(20000)},
	} {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, 6, flate.BestCompression} {
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, level)
			for rest := r.s; len(rest) > 0; {
				n := min(len(rest), 30000)
				io.WriteString(w, rest[:n])
				w.Flush()
				rest = rest[n:]
			}
			w.Close()
			splits := 2
			if b.Len() > 20000 || testing.Short() {
				splits = 0
			}
			rolestest.Splits(t, b.Bytes(), splits, func(how string, feed func(func([]byte))) {
				if out, ok, whole := inflateAll("", feed); string(out) != r.s || !ok || !whole {
					t.Errorf("%s, level %d, %s: %d octets, want %d; ok %v, whole %v", r.name, level, how, len(out), len(r.s), ok, whole)
				}
			})
		}
	}
}

// TestInflateInvalid checks that each error of a stream is found, and at its first octet.
func TestInflateInvalid(t *testing.T) {
	for _, r := range []struct {
		name string
		b    string
	}{
		{"block type 3", "\x07"},
		{"stored length and its complement differ", "\x00\x05\x00\x00\x00"},
		{"287 lengths of literals", "\xf5\x00\x00"},
		{"31 lengths of distances", "\x05\x1e\x00"},
		{"reference before the beginning", "\x03\x02\x00"},
		{"lengths' code oversubscribed", "\x04\x00\xfe\xff\xff\xff\xff"},
		{"lengths' code incomplete", "\x04\x00\x12\x00\x00\x00\x00\x00\x00"},
		{"repeats the length before the first", "\x04\x20\x40\x00\x00\x00\x00\x00\x40\x02"},
		{"fixed code that stands for nothing", "\x1b\x03"},
	} {
		out, ok, _ := inflateAll("", func(f func([]byte)) {
			for i := range len(r.b) {
				f([]byte(r.b[i : i+1]))
			}
		})
		_, err := library([]byte(r.b))
		if ok || err == nil || err == io.ErrUnexpectedEOF {
			t.Errorf("%s: ok %v with %q out, compress/flate says %v; want it refused", r.name, ok, out, err)
		}
	}
}

// TestInflateWindow checks that a reference beyond the negotiated window fails.
func TestInflateWindow(t *testing.T) {
	s := noise(300) + noise(300)
	b := []byte(deflated(s, ""))
	for bits, want := range map[uint8]progress{8: invalid, 9: needInput, 15: needInput} {
		z := new(inflater)
		z.reset(nil, bits)
		if _, st := z.feed(b); st != want {
			t.Errorf("distance 300 in a window of %d bits: %v, want %v", bits, st, want)
		}
	}
}

// TestInflateFullAtTheEnd checks that input is left when output must be taken, even if all its bits were used.
func TestInflateFullAtTheEnd(t *testing.T) {
	s := noise(chunk + 100)
	b := append([]byte{0, byte(len(s) & 0xff), byte(len(s) >> 8), ^byte(len(s) & 0xff), ^byte(len(s) >> 8)}, s...)
	z := new(inflater)
	z.reset(nil, 15)
	n, st := z.feed(b[:5+chunk])
	if out := z.output(); st != outputFull || n != 5+chunk-1 || string(out) != s[:chunk] {
		t.Fatalf("used %d of %d, %v, %d octets out; want one left, full", n, 5+chunk, st, len(out))
	}
	if n, st = z.feed(b[n:]); st != needInput || n != 101 || string(z.output()) != s[chunk:] {
		t.Errorf("used %d of the rest, %v; want 101, starved", n, st)
	}
}

func TestInflateHistory(t *testing.T) {
	hist := prose(40000)
	b := []byte(deflated(hist[20000:30000], hist))
	out, ok, _ := inflateAll(hist[len(hist)-window:], func(f func([]byte)) { f(b) })
	if string(out) != hist[20000:30000] || !ok {
		t.Errorf("%d octets out, ok %v", len(out), ok)
	}
	z := new(inflater)
	z.reset([]byte(hist[:window]), 10)
	if h := z.history(); string(h) != hist[window-1024:window] {
		t.Errorf("history has %d octets, want the last 1024", len(h))
	}
}

// FuzzInflate compares the inflater with compress/flate, in any pieces.
func FuzzInflate(f *testing.F) {
	for _, s := range []string{"", "Hello", prose(300), noise(50), strings.Repeat("x", 1000)} {
		f.Add([]byte(deflated(s, "")), uint64(1))
		f.Add([]byte(deflated(s, "")+string(tail)), uint64(2))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole, okWhole, _ := inflateAll("", func(f func([]byte)) { f(b) })
		cut, okCut, _ := inflateAll("", func(f func([]byte)) { rolestest.Pieces(seed, b, f) })
		if okWhole != okCut || okWhole && !bytes.Equal(whole, cut) {
			t.Fatalf("whole: %d octets, ok %v; in pieces: %d, %v", len(whole), okWhole, len(cut), okCut)
		}
		// After the last block of a stream compress/flate stops and the inflater continues. Before it, compress/flate
		// accepts blocks without a code for their end, and the inflater does not.
		want, err := library(b)
		if err == nil && !bytes.HasPrefix(whole, want) {
			t.Fatalf("%d octets, ok %v; compress/flate: %d", len(whole), okWhole, len(want))
		}
		if okWhole && err != nil && err != io.ErrUnexpectedEOF {
			// A code without any symbol is refused when it is met, of which one bit of it may be part.
			_, okWhole, _ = inflateAll("", func(f func([]byte)) { f(append(b, 0)) })
		}
		if okWhole && (err != nil && err != io.ErrUnexpectedEOF || !bytes.HasPrefix(whole, want)) {
			t.Fatalf("%d octets are good; compress/flate: %d, %v", len(whole), len(want), err)
		}
	})
}

// pulled is the alternative: a library's reader in a coroutine, which is suspended while it needs input or its output must
// be taken.
type pulled struct {
	in    []byte
	out   []byte
	yield func(int) bool
	r     io.ReadCloser
}

func (p *pulled) Read(b []byte) (int, error) {
	for len(p.in) == 0 {
		if !p.yield(-1) {
			return 0, io.EOF
		}
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *pulled) ReadByte() (byte, error) {
	for len(p.in) == 0 {
		if !p.yield(-1) {
			return 0, io.EOF
		}
	}
	c := p.in[0]
	p.in = p.in[1:]
	return c, nil
}

func (p *pulled) run(yield func(int) bool) {
	p.yield = yield
	p.r = kflate.NewReader(p)
	for {
		n, err := p.r.Read(p.out)
		if err != nil || !yield(n) {
			return
		}
	}
}

// BenchmarkInflate compares the inflater with a library in a coroutine, with a message in pieces as from the network.
func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{64, 1024, 16 << 10, 256 << 10} {
		msg := []byte(deflated(prose(n), "") + string(tail))
		b.Run(fmt.Sprintf("%d/fed", n), func(b *testing.B) {
			z := new(inflater)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				z.reset(nil, 15)
				total := 0
				for rest := msg; len(rest) > 0; {
					k, st := z.feed(rest[:min(len(rest), 1400)])
					total += len(z.output())
					if st == invalid {
						b.Fatal("corrupt")
					}
					rest = rest[k:]
				}
				if total != n {
					b.Fatal(total)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/coroutine", n), func(b *testing.B) {
			p := &pulled{out: make([]byte, chunk)}
			next, stop := iter.Pull(p.run)
			defer stop()
			next()
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				total := 0
				for rest := msg; len(rest) > 0; {
					k := min(len(rest), 1400)
					p.in, rest = rest[:k], rest[k:]
					for {
						k, ok := next()
						if !ok {
							b.Fatal("over")
						}
						if k < 0 {
							break
						}
						total += k
					}
				}
				if total != n {
					b.Fatal(total)
				}
			}
		})
	}
}

func newWriter(w io.Writer, level int) *kflate.Writer {
	f, err := kflate.NewWriter(w, level)
	if err != nil {
		panic(err)
	}
	return f
}
