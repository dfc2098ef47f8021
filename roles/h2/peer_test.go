package h2

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// fr returns a frame.
func fr(typ frameType, flags uint8, id uint32, payload string) string {
	var h [headerLen]byte
	frame{length: uint32(len(payload)), typ: typ, flags: flags, stream: id}.put(h[:])
	return string(h[:]) + payload
}

// blk returns a header block of alternating names and values, which uses no table and leaves none.
func blk(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("\x10")
		for _, s := range fields[i : i+2] {
			b.Write(hpackLen(len(s)))
			b.WriteString(s)
		}
	}
	return b.String()
}

// hpackLen encodes an integer with a prefix of seven bits (RFC 7541 s.5.1).
func hpackLen(n int) []byte {
	if n < 127 {
		return []byte{byte(n)}
	}
	b := []byte{127}
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

const (
	endS = flagEndStream
	endH = flagEndHeaders
)

var ask = []string{":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"}

// with returns fields with more of them.
func with(fields []string, more ...string) []string {
	return append(append([]string(nil), fields...), more...)
}

// swap returns fields with another value for one of them, or without it.
func swap(fields []string, name, value string) []string {
	var r []string
	for i := 0; i < len(fields); i += 2 {
		switch {
		case fields[i] != name:
			r = append(r, fields[i], fields[i+1])
		case value != "":
			r = append(r, name, value)
		}
	}
	return r
}

func hdrs(id uint32, flags uint8, fields ...string) string {
	return fr(frameHeaders, flags|endH, id, blk(fields...))
}
func getReq(id uint32) string  { return hdrs(id, endS, ask...) }
func postReq(id uint32) string { return hdrs(id, 0, swap(ask, ":method", "POST")...) }
func u32(v uint32) string      { return string(binary.BigEndian.AppendUint32(nil, v)) }
func rst(id uint32, c Code) string {
	return fr(frameReset, 0, id, u32(uint32(c)))
}
func win(id, n uint32) string                      { return fr(frameWindow, 0, id, u32(n)) }
func data(id uint32, flags uint8, s string) string { return fr(frameData, flags, id, s) }
func goaway(last uint32, c Code) string {
	return fr(frameGoAway, 0, 0, u32(last)+u32(uint32(c)))
}
func setting(pairs ...uint32) string {
	s := ""
	for i := 0; i < len(pairs); i += 2 {
		s += string([]byte{byte(pairs[i] >> 8), byte(pairs[i])}) + u32(pairs[i+1])
	}
	return fr(frameSettings, 0, 0, s)
}

// hello is what a client sends first; setack acknowledges our SETTINGS.
var (
	setack = fr(frameSettings, flagAck, 0, "")
	hello  = preface + setting() + setack
)

// reader prints our frames.
type reader struct {
	dec *hpack.Decoder
}

// text returns one line for each frame in b. It fails the test if b is not a sequence of valid frames.
func (r *reader) text(t testing.TB, b []byte) string {
	t.Helper()
	if r.dec == nil {
		r.dec = hpack.NewDecoder(4096, nil)
	}
	var s strings.Builder
	var block []byte
	for len(b) > 0 {
		if len(b) < headerLen {
			t.Fatalf("%d octets after the last frame: %q", len(b), b)
		}
		f := parseFrame(b)
		if len(b) < headerLen+int(f.length) {
			t.Fatalf("a frame of %d octets is incomplete: %q", f.length, b)
		}
		p := b[headerLen : headerLen+int(f.length)]
		b = b[headerLen+int(f.length):]
		if block != nil != (f.typ == frameContinuation) {
			t.Fatalf("%v inside a header block, or CONTINUATION outside of one", f)
		}
		end := ""
		if f.has(endS) {
			end = " end"
		}
		switch f.typ {
		case frameData:
			fmt.Fprintf(&s, "data %d %d %q%s\n", f.stream, len(p), p[:min(len(p), 40)], end)
		case frameHeaders, frameContinuation:
			if f.typ == frameHeaders {
				fmt.Fprintf(&s, "headers %d%s", f.stream, end)
				block = []byte{}
			}
			if block = append(block, p...); !f.has(endH) {
				continue
			}
			fields, err := r.dec.DecodeFull(block)
			if err != nil {
				t.Fatalf("block: %v", err)
			}
			for _, v := range fields {
				fmt.Fprintf(&s, " %s=%s", v.Name, v.Value)
			}
			block = nil
			s.WriteString("\n")
		case frameReset:
			fmt.Fprintf(&s, "reset %d %v\n", f.stream, Code(binary.BigEndian.Uint32(p)))
		case frameSettings:
			if f.has(flagAck) {
				s.WriteString("settings ack\n")
			} else {
				s.WriteString("settings\n")
			}
		case framePing:
			fmt.Fprintf(&s, "ping %q%s\n", p, strings.Replace(end, "end", "ack", 1))
		case frameGoAway:
			fmt.Fprintf(&s, "goaway %d %v\n", binary.BigEndian.Uint32(p), Code(binary.BigEndian.Uint32(p[4:])))
		case frameWindow:
			fmt.Fprintf(&s, "window %d %d\n", f.stream, binary.BigEndian.Uint32(p))
		default:
			t.Fatalf("unexpected frame type %#x", f.typ)
		}
	}
	if block != nil {
		t.Fatal("a header block is not complete")
	}
	return s.String()
}

// served is a Server under test, with the calls of its handlers.
type served struct {
	s    Server
	l    *rolestest.Lower
	sh   *Shared
	log  strings.Builder
	r    reader
	made []*recorder
	// setup is called for each handler, before its Head.
	setup func(n int, r *recorder)
	kept  int // bytes charged
}

func serve(cfg Config) *served { return serveOn(NewShared(cfg)) }

// serveOn is serve with a Shared that several connections use.
func serveOn(sh *Shared) *served {
	v := &served{l: rolestest.New(), sh: sh}
	v.l.OnHold = func(_ roles.Kind, n int) { v.kept += n }
	v.s.Init(sh, v.l, acceptFunc(func(*Server) http.Handler {
		r := &recorder{name: fmt.Sprintf("%d:", len(v.made)+1), log: &v.log, head: http.Message{Status: 200, Length: http.UnknownLength}, body: "ok"}
		v.made = append(v.made, r)
		if v.setup != nil {
			v.setup(len(v.made), r)
		}
		return r
	}))
	v.l.Open(&v.s)
	return v
}

// out returns what was sent since the last call.
func (v *served) out(t testing.TB) string {
	t.Helper()
	b := v.l.Out
	v.l.Out = v.l.Out[:0]
	return v.r.text(t, b)
}

// feed feeds frames and returns the answer, without acknowledgements of SETTINGS.
func (v *served) feed(t testing.TB, frames ...string) string {
	t.Helper()
	v.l.Feed([]byte(strings.Join(frames, "")))
	return strings.ReplaceAll(v.out(t), "settings ack\n", "")
}

// ready returns a server that has received the preface.
func ready(t testing.TB, cfg Config) *served {
	t.Helper()
	return readyOn(t, NewShared(cfg))
}

// readyOn is ready with a Shared that several connections use.
func readyOn(t testing.TB, sh *Shared) *served {
	t.Helper()
	v := serveOn(sh)
	v.feed(t, hello)
	return v
}

// over checks that every handler got one Done, as its last call, and that no byte stays charged.
func (v *served) over(t testing.TB) {
	t.Helper()
	if !v.l.Over {
		v.l.Break(nil)
	}
	for _, r := range v.made {
		if !r.done {
			t.Errorf("handler %s did not get Done", r.name)
		}
		if lines := only(v.log.String(), r.name+" "); strings.Count(lines, " done ") != 1 || !strings.Contains(lines[strings.LastIndex(lines[:len(lines)-1], "\n")+1:], " done ") {
			t.Errorf("want one Done, as the last call; got\n%s", lines)
		}
	}
	if v.kept != 0 {
		t.Errorf("%d bytes are still charged", v.kept)
	}
	if v.l.Misuse != "" {
		t.Errorf("misuse of the transport: %s", v.l.Misuse)
	}
}

// asked is a Client under test.
type asked struct {
	c      Client
	l      *rolestest.Lower
	sh     *Shared
	log    strings.Builder
	r      reader
	made   []*recorder
	events []string
	kept   int
	// ready is called by Owner.Ready.
	ready func()
}

func (v *asked) Ready(*Client) {
	if v.ready != nil {
		v.ready()
	}
}
func (v *asked) Draining(*Client)            { v.events = append(v.events, "draining") }
func (v *asked) Closed(_ *Client, err error) { v.events = append(v.events, fmt.Sprint("closed ", err)) }

// dial returns a Client whose server has sent frames.
func dial(t testing.TB, cfg Config, frames ...string) *asked {
	t.Helper()
	v := &asked{l: rolestest.New(), sh: NewShared(cfg)}
	v.l.OnHold = func(_ roles.Kind, n int) { v.kept += n }
	v.c.Init(v.sh, v.l)
	v.c.Owner = v
	v.l.Open(&v.c)
	if !strings.HasPrefix(string(v.l.Out), preface) {
		t.Fatalf("the client began with %q", v.l.Out)
	}
	v.l.Out = v.l.Out[:copy(v.l.Out, v.l.Out[len(preface):])]
	if len(frames) == 0 {
		frames = []string{setting(), setack}
	}
	v.feed(t, frames...)
	return v
}

// ask starts a request.
func (v *asked) ask(t testing.TB, m http.Message, body string, set ...func(*recorder)) *recorder {
	t.Helper()
	r := &recorder{name: fmt.Sprintf("%d:", len(v.made)+1), log: &v.log, head: m, body: body, end: string(m.Method) == "GET"}
	for _, f := range set {
		f(r)
	}
	v.made = append(v.made, r)
	x, err := v.c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	r.x = x
	v.l.Service()
	return r
}

func (v *asked) out(t testing.TB) string {
	t.Helper()
	b := v.l.Out
	v.l.Out = v.l.Out[:0]
	return v.r.text(t, b)
}

func (v *asked) feed(t testing.TB, frames ...string) string {
	t.Helper()
	v.l.Feed([]byte(strings.Join(frames, "")))
	return strings.ReplaceAll(v.out(t), "settings ack\n", "")
}

func (v *asked) over(t testing.TB) {
	t.Helper()
	if !v.l.Over {
		v.l.Break(nil)
	}
	for _, r := range v.made {
		if !r.done {
			t.Errorf("handler %s did not get Done", r.name)
		}
	}
	if v.kept != 0 {
		t.Errorf("%d bytes are still charged", v.kept)
	}
	if v.l.Misuse != "" {
		t.Errorf("misuse of the transport: %s", v.l.Misuse)
	}
}

// joined returns a log in which adjacent pieces of a body are one.
func joined(log string) string {
	var out []string
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if n := len(out); n > 0 {
			who, piece, ok := strings.Cut(line, " body ")
			if ok && strings.HasPrefix(out[n-1], who+" body ") {
				out[n-1] = strings.TrimSuffix(out[n-1], `"`) + piece[1:]
				continue
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
