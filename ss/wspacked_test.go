package ss_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// wsPacked is a wsPeer's permessage-deflate (RFC 7692), by hand and slow, which checks how far back the other end
// refers.
type wsPacked struct {
	inBits, outBits   uint   // of the windows
	inFresh, outFresh bool   // messages stand alone
	got, sent         []byte // what messages may refer to
	far               int    // the farthest that a message has referred back
	max               int    // how far it may
	w                 *flate.Writer
}

// newWSPacked implements terms, the value of the field in a response. server: it is the server's end.
func newWSPacked(t testing.TB, terms string, server bool) *wsPacked {
	t.Helper()
	type side struct {
		bits  uint
		fresh bool
	}
	c, s := side{bits: 15}, side{bits: 15}
	params := strings.Split(terms, ";")
	if params[0] != "permessage-deflate" {
		t.Fatalf("agreed upon %q", terms)
	}
	for _, p := range params[1:] {
		name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		n, err := strconv.Atoi(v)
		if strings.HasSuffix(name, "_bits") && (err != nil || n < 8 || n > 15) {
			t.Fatalf("agreed upon %q", terms)
		}
		switch name {
		case "server_no_context_takeover":
			s.fresh = true
		case "client_no_context_takeover":
			c.fresh = true
		case "server_max_window_bits":
			s.bits = uint(n)
		case "client_max_window_bits":
			c.bits = uint(n)
		default:
			t.Fatalf("agreed upon %q", terms)
		}
	}
	in, out := s, c
	if server {
		in, out = c, s
	}
	return &wsPacked{inBits: in.bits, inFresh: in.fresh, outBits: out.bits, outFresh: out.fresh, max: 1 << in.bits}
}

// deflate compresses a message. Its first piece has half a window, and refers to the half before it; each of the
// others has a whole window, and refers to nothing before it.
func (z *wsPacked) deflate(msg string) string {
	if z.outFresh {
		z.sent = z.sent[:0]
	}
	var out bytes.Buffer
	window := 1 << z.outBits
	w, err := flate.NewWriterDict(&out, flate.BestSpeed, z.sent)
	if err != nil {
		panic(err)
	}
	n := min(len(msg), window/2)
	w.Write([]byte(msg[:n]))
	w.Flush()
	if n < len(msg) && z.w == nil {
		if z.w, err = flate.NewWriter(nil, flate.BestSpeed); err != nil {
			panic(err)
		}
	}
	for rest := msg[n:]; rest != ""; rest = rest[n:] {
		n = min(len(rest), window)
		z.w.Reset(&out)
		z.w.Write([]byte(rest[:n]))
		z.w.Flush()
	}
	z.sent = append(z.sent, msg[max(0, len(msg)-window/2):]...)
	z.sent = append(z.sent[:0], z.sent[max(0, len(z.sent)-window/2):]...)
	return strings.TrimSuffix(out.String(), "\x00\x00\xff\xff")
}

// inflate decompresses a message of the other end.
func (z *wsPacked) inflate(msg string) (string, error) {
	if z.inFresh {
		z.got = z.got[:0]
	}
	d := wsInflater{in: msg + "\x00\x00\xff\xff", out: z.got, z: z}
	from := len(d.out)
	for len(d.in) > 0 || d.n > 0 {
		if err := d.block(); err != nil {
			return "", fmt.Errorf("%w, behind %d octets", err, len(d.out)-from)
		}
	}
	s := string(d.out[from:])
	z.got = append(d.out[:0], d.out[max(0, len(d.out)-z.max):]...)
	return s, nil
}

// wsInflater reads DEFLATE (RFC 1951) a bit at a time.
type wsInflater struct {
	in   string
	bits uint
	n    uint // how many
	out  []byte
	z    *wsPacked
}

var (
	errCut  = errors.New("ends inside of a block")
	errCode = errors.New("no code")
)

func (d *wsInflater) take(n uint) (v int, err error) {
	for d.n < n {
		if d.in == "" {
			return 0, errCut
		}
		d.bits |= uint(d.in[0]) << d.n
		d.in, d.n = d.in[1:], d.n+8
	}
	v = int(d.bits & (1<<n - 1))
	d.bits, d.n = d.bits>>n, d.n-n
	return v, nil
}

// wsCodes are the codes of a Huffman tree: how many there are of each length, and their symbols, in order.
type wsCodes struct {
	count [16]int
	value []int
}

func wsCodesOf(lengths []int) (c wsCodes) {
	for n := 1; n < 16; n++ {
		for v, l := range lengths {
			if l == n {
				c.count[n]++
				c.value = append(c.value, v)
			}
		}
	}
	return c
}

func (d *wsInflater) code(c *wsCodes) (int, error) {
	code, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		b, err := d.take(1)
		if err != nil {
			return 0, err
		}
		if code |= b; code-first < c.count[n] {
			return c.value[index+code-first], nil
		}
		index += c.count[n]
		first = (first + c.count[n]) << 1
		code <<= 1
	}
	return 0, errCode
}

// block reads one block.
func (d *wsInflater) block() error {
	head, err := d.take(3)
	if err != nil {
		return err
	}
	switch head >> 1 {
	case 0:
		d.bits, d.n = 0, 0 // of whole octets none was taken beyond the one under way
		if len(d.in) < 4 {
			return errCut
		}
		n := int(d.in[0]) | int(d.in[1])<<8
		if int(d.in[2])|int(d.in[3])<<8 != n^0xffff || len(d.in) < 4+n {
			return errCut
		}
		d.out = append(d.out, d.in[4:4+n]...)
		d.in = d.in[4+n:]
	case 1:
		var lit, dist []int
		for i, n := range []int{144, 112, 24, 8} {
			for range n {
				lit = append(lit, []int{8, 9, 7, 8}[i])
			}
		}
		for range 30 {
			dist = append(dist, 5)
		}
		err = d.symbols(wsCodesOf(lit), wsCodesOf(dist))
	case 2:
		err = d.dynamic()
	default:
		err = errCode
	}
	if head&1 == 1 { // a stream's last block: the next begins on the border of an octet
		d.bits, d.n = 0, 0
	}
	return err
}

func (d *wsInflater) dynamic() error {
	var head [3]int
	for i, n := range []uint{5, 5, 4} {
		var err error
		if head[i], err = d.take(n); err != nil {
			return err
		}
	}
	var lens [19]int
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:head[2]+4] {
		var err error
		if lens[i], err = d.take(3); err != nil {
			return err
		}
	}
	codes := wsCodesOf(lens[:])
	nlit, ndist := head[0]+257, head[1]+1
	var all []int
	for len(all) < nlit+ndist {
		v, err := d.code(&codes)
		switch {
		case err != nil:
			return err
		case v < 16:
			all = append(all, v)
			continue
		case v == 16 && len(all) == 0:
			return errCode
		}
		fill := 0
		if v == 16 {
			fill = all[len(all)-1]
		}
		times, err := d.take([]uint{2, 3, 7}[v-16])
		if err != nil {
			return err
		}
		for range times + []int{3, 3, 11}[v-16] {
			all = append(all, fill)
		}
	}
	if len(all) != nlit+ndist {
		return errCode
	}
	return d.symbols(wsCodesOf(all[:nlit]), wsCodesOf(all[nlit:]))
}

// symbols reads literals and references until the block ends.
func (d *wsInflater) symbols(lit, dist wsCodes) error {
	for {
		v, err := d.code(&lit)
		switch {
		case err != nil:
			return err
		case v < 256:
			d.out = append(d.out, byte(v))
			continue
		case v == 256:
			return nil
		case v > 285:
			return errCode
		}
		// Lengths and distances go on in steps that double every fourth, and every second, code.
		k, length, extra := v-257, v-254, 0
		if k >= 8 {
			extra = k/4 - 1
			length = 3 + (4+k%4)<<extra
		}
		if v == 285 {
			length, extra = 258, 0
		}
		more, err := d.take(uint(extra))
		if err != nil {
			return err
		}
		length += more
		k, err = d.code(&dist)
		if err != nil {
			return err
		}
		back, extra := k+1, 0
		if k >= 4 {
			extra = k/2 - 1
			back = 1 + (2+k%2)<<extra
		}
		if more, err = d.take(uint(extra)); err != nil {
			return err
		}
		if back += more; back > len(d.out) || back > d.z.max {
			return fmt.Errorf("refers %d octets back, may %d", back, min(len(d.out), d.z.max))
		}
		d.z.far = max(d.z.far, back)
		for range length {
			d.out = append(d.out, d.out[len(d.out)-back])
		}
	}
}

// TestWSPacked: what the peer reads by hand is what the standard library has compressed.
func TestWSPacked(t *testing.T) {
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, 6} {
		for _, msg := range []string{"", "a", strings.Repeat("ab", 1000), wsProse(70_000), wsSound(40_000)} {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(msg))
			w.Flush()
			z := &wsPacked{max: 1 << 15}
			if got, err := z.inflate(strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")); got != msg || err != nil {
				t.Errorf("level %d: %d octets came out of %d: %v", level, len(got), len(msg), err)
			}
			one := &wsPacked{outBits: 9, max: 512}
			for range 3 {
				if got, err := one.inflate(one.deflate(msg)); got != msg || err != nil {
					t.Errorf("with a small window: %d octets came out of %d: %v", len(got), len(msg), err)
				}
			}
			if one.far > 512 {
				t.Errorf("with a window of 512 octets a message refers %d back", one.far)
			}
		}
	}
}
