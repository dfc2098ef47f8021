package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

const rsvText, rsvBinary = bitFin | bitRSV1 | opText, bitFin | bitRSV1 | opBinary

// hello holds the examples of RFC 7692 s.7.2.3; each is "Hello".
var hello = []struct{ name, payload string }{
	{"7.2.3.1 one block", "\xf2\x48\xcd\xc9\xc9\x07\x00"},
	{"7.2.3.3 stored", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"},
	{"7.2.3.4 a last block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"},
	{"7.2.3.5 two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"},
	{"a last block at the end", "\xf3\x48\xcd\xc9\xc9\x07\x00"},
}

// deflateRules returns the rules of RFC 7692 s.6 and s.7 for a receiver, for both ends.
func deflateRules() (list []rule) {
	for _, m := range hello {
		list = append(list, rule{m.name, []part{{rsvText, m.payload}}, "text [Hello]", "text [Hello]", 0})
	}
	h := hello[0].payload
	return append(list, []rule{
		{"7.2.3.1 in fragments", []part{{bitRSV1 | opText, h[:3]}, fin(h[3:])}, "text [Hello]", "text [Hello]", 0},
		{"in fragments, a ping between them", []part{{bitRSV1 | opText, h[:3]}, pingF("p"), more(""), fin(h[3:])}, "text [Hello]", "text [\npong [p]\ncontinuation [Hello]", 0},
		{"an empty message", []part{{rsvText, "\x00"}}, "text []", "text []", 0},
		{"an empty message in an empty frame", []part{{rsvText, ""}}, "", "", BadPayload},
		{"an empty message in empty fragments", []part{{bitRSV1 | opBinary, ""}, more(""), fin("\x00")}, "binary []", "binary []", 0},
		{"compressed and uncompressed messages", []part{{rsvText, h}, text1("plain"), {rsvText, h}}, "text [Hello]\ntext [plain]\ntext [Hello]", "text [Hello]\ntext [plain]\ntext [Hello]", 0},
		{"RSV1 on a continuation", []part{{bitRSV1 | opText, h[:3]}, {bitFin | bitRSV1, h[3:]}}, "", "", Protocol},
		{"RSV1 on the continuation of a plain message", []part{textA("a"), {bitFin | bitRSV1, h}}, "text [a", "text [a", Protocol},
		{"RSV1 on a continuation of nothing", []part{{bitFin | bitRSV1, h}}, "", "", Protocol},
		{"RSV1 on ping", []part{{bitFin | bitRSV1 | opPing, ""}}, "", "", Protocol},
		{"RSV1 on pong", []part{{bitFin | bitRSV1 | opPong, ""}}, "", "", Protocol},
		{"RSV1 on close", []part{{bitFin | bitRSV1 | opClose, ""}}, "", "", Protocol},
		{"RSV2 in addition", []part{{rsvText | 0x20, h}}, "", "", Protocol},
		{"not DEFLATE", []part{{rsvText, "\x07"}}, "", "", BadPayload},
		{"a block that is cut off", []part{{rsvText, h[:4]}}, "", "", BadPayload},
		{"reference to an earlier message without context takeover", []part{{rsvText, h}, {rsvText, "\xf2\x00\x11\x00\x00"}}, "text [Hello]", "text [Hello]", BadPayload},
		{"inflates to invalid UTF-8", []part{{rsvText, deflated("edited\xf4\x90\x80\x80", "")}}, "", "", BadPayload},
		{"inflates to half a character", []part{{rsvText, deflated("\xce", "")}}, "", "", BadPayload},
		{"inflates to binary", []part{{rsvBinary, deflated("\xce\xff", "")}}, "binary [\xce\xff]", "binary [\xce\xff]", 0},
	}...)
}

func TestDeflateRules(t *testing.T) {
	for _, r := range deflateRules() {
		sides(func(side string, client bool) {
			rolestest.Splits(t, bytesOf(client, r.in), 4, func(how string, feed func(func([]byte))) {
				checkRule(t, &r, side+", "+how, client, packed(), feed)
			})
		})
	}
}

// account adds up the memory that connections charge in a test.
type account struct{ held, most int }

// shared returns a Shared whose connections charge their memory to a.
func (a *account) shared(cfg Config) *Shared {
	sh := NewShared(cfg)
	accounts[sh] = a
	return sh
}

// accounts holds the account that open charges, per Shared.
var accounts = make(map[*Shared]*account)

func (a *account) hold(_ roles.Kind, n int) {
	a.held += n
	a.most = max(a.most, a.held)
}

// sent inflates the messages of a compressed stream with compress/flate, and returns them and their number of octets.
func sent(t testing.TB, masked, fresh bool, b []byte) (msgs []string, wire int) {
	t.Helper()
	var hist []byte
	var msg []byte
	packed := false
	for len(b) > 0 {
		var h header
		h.first(b[0], true)
		n, f := h.rest(b, masked)
		if f != nil || n == 0 || uint64(len(b)-n) < h.length {
			t.Fatalf("got no valid frame: %v", f)
		}
		p := bytes.Clone(b[n : n+int(h.length)])
		b = b[n+int(h.length):]
		if masked {
			mask(p, h.key)
		}
		wire += len(p)
		if h.op() != opContinuation {
			packed = h.bits&bitRSV1 != 0
		}
		msg = append(msg, p...)
		if !h.fin() {
			continue
		}
		if packed {
			r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(msg), bytes.NewReader(tail), strings.NewReader("\x01\x00\x00\xff\xff")), hist)
			out, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("message %d does not inflate: %v", len(msgs), err)
			}
			if msg = out; !fresh {
				hist = append(hist, out...)
			}
		}
		msgs = append(msgs, string(msg))
		msg = nil
	}
	return msgs, wire
}

// TestDeflateSend checks that what is sent inflates to the message, within the window, for all terms.
func TestDeflateSend(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		for bits := uint8(8); bits <= 15; bits++ {
			sides(func(side string, client bool) {
				a := Agreed{Deflate: true, Params: Params{ServerFresh: fresh, ClientFresh: fresh, ServerBits: bits, ClientBits: bits}}
				var acc account
				c, l := open(acc.shared(newConfig()), client, a, &recorder{})
				want := []string{"", "short", prose(100), prose(5000), noise(5000), prose(5000), noise(MaxMin), prose(MaxMin), strings.Repeat("x", MaxMin), prose(3000)}
				for _, s := range want {
					r := c.Room(len(s))
					if len(r) < len(s) {
						t.Fatalf("room for %d, want %d", len(r), len(s))
					}
					copy(r, s)
					if err := c.Commit(len(s), First|Last|Binary); err != nil {
						t.Fatal(err)
					}
				}
				// And one in pieces, some of them empty.
				long := prose(50000)
				want = append(want, long)
				c.Commit(0, First|Binary)
				if n, err := c.Send([]byte(long), 0); n != len(long) || err != nil {
					t.Fatal(n, err)
				}
				c.Commit(0, Last)
				if l.Misuse != "" {
					t.Fatal(l.Misuse)
				}
				got, _ := sent(t, client, fresh, l.Out)
				how := fmt.Sprintf("%s, fresh %v, %d bits", side, fresh, bits)
				if len(got) != len(want) {
					t.Fatalf("%s: %d messages, want %d", how, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("%s: message %d has %d octets, want %d", how, i, len(got[i]), len(want[i]))
					}
				}
				// Our own other end, which knows the window, takes it too.
				h := &recorder{}
				_, peer := open(acc.shared(newConfig()), !client, a, h)
				rolestest.Pieces(1, l.Out, peer.Feed)
				var lines []string
				for _, s := range want {
					lines = append(lines, "binary ["+s+"]")
				}
				if h.String() != strings.Join(lines, "\n") {
					t.Errorf("%s: our own other end: cause %v, %d messages", how, h.cause, len(h.lines))
				}
				l.Break(nil)
				peer.Break(nil)
				if acc.held != 0 || !fresh && acc.most < maxSent/2 && bits == 15 {
					t.Errorf("%s: %d octets held at the end, at most %d", how, acc.held, acc.most)
				}
			})
		}
	}
}

// TestDeflateRatio checks the compression ratio of text, and that context takeover improves it.
func TestDeflateRatio(t *testing.T) {
	size := func(fresh bool) int {
		a := packed()
		a.Params.ServerFresh = fresh
		c, l := open(newShared(), false, a, &recorder{})
		s := prose(100 * 500)
		for i := 0; i < len(s); i += 500 {
			c.Send([]byte(s[i:i+500]), First|Last)
		}
		_, wire := sent(t, false, fresh, l.Out)
		return wire
	}
	alone, kept := size(true), size(false)
	t.Logf("messages of 500 octets become %d alone, %d with context", alone/100, kept/100)
	for bits := uint8(9); bits < 15; bits++ {
		a := packed()
		a.Params.ServerBits = bits
		c, l := open(newShared(), false, a, &recorder{})
		c.Send([]byte(prose(16000)), First|Last)
		if _, wire := sent(t, false, true, l.Out); wire > 13000 {
			t.Errorf("16000 octets become %d in a window of %d bits", wire, bits)
		}
	}
	if alone > 100*330 || kept > alone*3/4 {
		t.Errorf("100 messages of 500 octets become %d alone, %d with context", alone, kept)
	}
}

func TestDeflateContext(t *testing.T) {
	a := Agreed{Deflate: true, Params: Params{ServerBits: 15, ClientBits: 15}}
	for _, bits := range []uint8{8, 10, 15} {
		a.Params.ClientBits = bits
		h := &recorder{}
		var acc account
		_, l := open(acc.shared(newConfig()), false, a, h)
		all := prose(90000)
		if bits < 15 {
			all = all[:6000]
		}
		var want []string
		for i := 0; i+3000 <= len(all); i += 3000 {
			s := all[i : i+3000]
			from := max(0, i-1<<bits)
			var payload string
			if bits == 15 {
				payload = deflated(s, all[from:i])
			} else {
				// compress/flate cannot be told of a window; what it makes of little stays within one.
				payload = ""
				for k := 0; k < len(s); k += 100 {
					payload += strings.TrimSuffix(deflated(s[k:k+100], all[max(0, i+k-100):i+k]), "") + string(tail)
				}
				payload = strings.TrimSuffix(payload, string(tail))
			}
			l.Feed(frame(true, rsvText, payload))
			want = append(want, "text ["+s+"]")
		}
		if h.String() != strings.Join(want, "\n") {
			t.Fatalf("%d bits: cause %v after %d messages", bits, h.cause, len(h.lines))
		}
		if acc.held != 1<<bits {
			t.Errorf("%d bits: %d octets held between messages, want the window", bits, acc.held)
		}
		l.Break(nil)
		if acc.held != 0 {
			t.Errorf("%d bits: %d octets held at the end", bits, acc.held)
		}
	}
}

func TestDeflateMemory(t *testing.T) {
	var acc account
	sh := acc.shared(newConfig())
	_, l := open(sh, false, packed(), &recorder{})
	m := frame(true, rsvText, deflated(prose(5000), ""))
	for range 3 {
		l.Feed(m[:100])
		if acc.held != inflaterSize {
			t.Errorf("%d octets held inside a message, want %d", acc.held, inflaterSize)
		}
		l.Feed(m[100:])
		if acc.held != 0 {
			t.Errorf("%d octets held between messages, want none", acc.held)
		}
	}
	if n := len(sh.pool.free); n != 1 {
		t.Errorf("%d inflaters in the pool, want 1", n)
	}
	l.Feed(m[:100])
	l.Feed([]byte("\xff"))
	l.Break(nil)
	if acc.held != 0 {
		t.Errorf("%d octets held at the end", acc.held)
	}
}

func TestDeflateLimits(t *testing.T) {
	zeros := func(n int) string { return deflated(strings.Repeat("\x00", n), "") }
	for _, r := range []struct {
		name   string
		change func(c *Config)
		in     []part
		want   error
	}{
		{"a message at the limit", func(c *Config) { c.Limits.Message = 5000 }, []part{{rsvBinary, zeros(5000)}}, nil},
		{"a message over it", func(c *Config) { c.Limits.Message = 4999 }, []part{{rsvBinary, zeros(5000)}}, errMessageBig},
		{"fragments over it", func(c *Config) { c.Limits.Message = 4999 }, []part{{bitRSV1 | opBinary, zeros(5000)[:9]}, fin(zeros(5000)[9:])}, errMessageBig},
		{"a frame over the limit", func(c *Config) { c.Limits.Frame = 5 }, []part{{rsvBinary, zeros(5000)}}, errFrameBig},
		{"a bomb", func(*Config) {}, []part{{rsvBinary, zeros(8 << 20)}}, errDeflateRatio},
		{"a blank picture", func(*Config) {}, []part{{rsvBinary, zeros(1 << 20)}}, nil},
		{"a bomb without Deflate.Ratio", func(c *Config) { c.Deflate.Ratio = 0 }, []part{{rsvBinary, zeros(8 << 20)}}, nil},
		{"each message starts at 0", func(c *Config) { c.Limits.Message = 5000 }, []part{{rsvBinary, zeros(5000)}, {rsvBinary, zeros(5000)}}, nil},
	} {
		cfg := newConfig()
		r.change(&cfg)
		sh := NewShared(cfg)
		got := 0
		h := &counting{&got}
		_, l := open(sh, false, packed(), h)
		feeder(l)(bytesOf(false, r.in))
		if l.Cause != r.want {
			t.Errorf("%s: cause %v after %d octets, want %v", r.name, l.Cause, got, r.want)
		}
		if r.want == errDeflateRatio && got > 2<<20 {
			t.Errorf("%s: %d octets were delivered before the fault", r.name, got)
		}
	}
}

// counting is a Handler that counts octets.
type counting struct{ n *int }

func (h *counting) Opened(*Conn)                  {}
func (h *counting) Rx(_ *Conn, b []byte, _ Flags) { *h.n += len(b) }
func (h *counting) Writable(*Conn)                {}
func (h *counting) Pong(*Conn, []byte)            {}
func (h *counting) Closing(*Conn, Code, []byte)   {}
func (h *counting) Closed(*Conn, error)           {}

func TestInflaterLimit(t *testing.T) {
	cfg := newConfig()
	cfg.Deflate.Inflaters = 2
	sh := NewShared(cfg)
	m := frame(true, rsvText, deflated(prose(5000), ""))
	var ls []*rolestest.Lower
	for range 3 {
		_, l := open(sh, false, packed(), &recorder{})
		l.Feed(m[:100])
		ls = append(ls, l)
	}
	if ls[2].Cause != errInflaters || ls[1].Closing {
		t.Errorf("causes %v and %v, want the third refused", ls[1].Cause, ls[2].Cause)
	}
	wantSent(t, ls[2], false, "close 1013")
	ls[0].Feed(m[100:])
	_, l := open(sh, false, packed(), &recorder{})
	l.Feed(m[:100])
	if l.Closing {
		t.Errorf("cause %v, want the place of the first", l.Cause)
	}
}

// TestDeflateContextEnds checks that a peer can refer to its earlier messages, but not to anything before its first octet.
func TestDeflateContextEnds(t *testing.T) {
	a := Agreed{Deflate: true, Params: Params{ServerBits: 15, ClientBits: 15}}
	first, hist := noise(400), ""
	for _, r := range []struct {
		before string // what the peer claims to have sent before its first message
		want   error
	}{{"", nil}, {noise(1000)[400:], errDeflate}} {
		_, l := open(newShared(), false, a, &recorder{})
		hist = r.before
		for _, s := range []string{first, "and more", "and still more"} {
			l.Feed(frame(true, rsvBinary, deflated(s, "")))
			hist += s
		}
		l.Feed(frame(true, rsvBinary, deflated(hist[:300], hist)))
		if l.Cause != r.want {
			t.Errorf("refers to the octet %d before the first: cause %v, want %v", len(r.before), l.Cause, r.want)
		}
	}
}

// TestPauseInsideCompressed checks that a Handler that pauses receives nothing more from input that has arrived, and all of
// it after Resume.
func TestPauseInsideCompressed(t *testing.T) {
	for _, s := range []string{prose(100000), strings.Repeat("a", 300000)} {
		sides(func(side string, client bool) {
			var got strings.Builder
			var c *Conn
			ends := 0
			h := &recorder{onRx: func(c *Conn, b []byte, f Flags) {
				got.Write(b)
				if f&Last != 0 {
					ends++
				}
				c.Pause()
			}}
			c, l := open(newShared(), client, packed(), h)
			in := append(frame(!client, bitRSV1|opText, deflated(s, "")), frame(!client, bitFin, "")...)
			in = append(in, frame(!client, bitFin|opPing, "")...)
			l.Feed(in)
			for n := 0; got.Len() < len(s) || ends == 0; {
				if got.Len()-n > chunk || !l.Paused {
					t.Fatalf("%s: %d octets in one go, paused %v", side, got.Len()-n, l.Paused)
				}
				n = got.Len()
				l.Sleep(0)
				c.Resume()
				l.Service()
				if got.Len() == n && ends == 0 {
					t.Fatalf("%s: stuck at %d of %d octets; cause %v", side, n, len(s), l.Cause)
				}
			}
			c.Resume()
			l.Service()
			if got.String() != s || ends != 1 {
				t.Errorf("%s: %d octets of %d, %d ends", side, got.Len(), len(s), ends)
			}
			wantSent(t, l, client, "pong []")
		})
	}
}

// FuzzDeflate sends a message in any pieces and with any terms, and checks what the other end of this package reads.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte(prose(1000)), []byte("again"), uint64(1), uint8(0))
	f.Add([]byte(noise(300)), []byte(noise(300)), uint64(2), uint8(15))
	f.Add([]byte(strings.Repeat("ab", 9000)), []byte(""), uint64(3), uint8(9))
	f.Fuzz(func(t *testing.T, one, two []byte, seed uint64, how uint8) {
		bits := 8 + how>>1&7
		fresh := how&1 != 0
		a := Agreed{Deflate: true, Params: Params{ServerFresh: fresh, ClientFresh: fresh, ServerBits: bits, ClientBits: bits}}
		client := how&16 != 0
		c, l := open(newShared(), client, a, &recorder{})
		want := ""
		for _, m := range [][]byte{one, two, one} {
			flags := First | Binary
			rolestest.Pieces(seed, m, func(p []byte) {
				if n, err := c.Send(p, flags); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				flags &^= First
			})
			if err := c.Commit(0, flags|Last); err != nil {
				t.Fatal(err)
			}
			want += "binary [" + string(m) + "]"
		}
		h := &recorder{}
		_, peer := open(newShared(), !client, a, h)
		rolestest.Pieces(seed, l.Out, feeder(peer))
		if got := strings.Join(h.lines, ""); got != want || peer.Closing {
			t.Fatalf("cause %v: %d octets, want %d", peer.Cause, len(got), len(want))
		}
		sent(t, client, fresh, l.Out)
	})
}
