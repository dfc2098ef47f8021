package multipart

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// recorder writes down what a Reader finds: part{name=value|...}"content"end, with adjacent pieces joined.
type recorder struct {
	b    strings.Builder
	body []byte
}

func (r *recorder) Part(fields []http.Field) {
	r.b.WriteString("part{")
	for i, f := range fields {
		if i > 0 {
			r.b.WriteByte('|')
		}
		fmt.Fprintf(&r.b, "%s=%s", f.Name, f.Value)
	}
	r.b.WriteByte('}')
	r.body = r.body[:0]
}

func (r *recorder) Content(b []byte) {
	if len(b) == 0 {
		r.b.WriteString("EMPTY")
	}
	r.body = append(r.body, b...)
}

func (r *recorder) EndPart(last bool) {
	fmt.Fprintf(&r.b, "%q", r.body)
	if last {
		r.b.WriteString("last")
	}
	r.b.WriteByte(' ')
}

func (r *recorder) EndParts() { r.b.WriteString("end ") }

// read reads the body that feed supplies, and returns the calls of the Reader as text, with the error at the end.
func read(r *Reader, contentType string, l Limits, feed func(func([]byte))) string {
	rec := new(recorder)
	err := r.Begin([]byte(contentType), l, rec)
	if err == nil {
		feed(func(b []byte) { r.Rx(0, b) })
		err = r.End()
	}
	s := strings.TrimSpace(rec.b.String())
	if err != nil {
		if strings.HasSuffix(s, "}") && len(rec.body) > 0 {
			s += fmt.Sprintf("%q", rec.body)
		}
		s = strings.TrimSpace(s + " ! " + err.Error())
	}
	return s
}

const mixed = "multipart/mixed; boundary=B"

var bodies = []struct{ name, body, want string }{
	{"two parts", "--B\r\nA: 1\r\n\r\none\r\n--B\r\nA: 2\r\nb:  3 \r\n\r\ntwo\r\n--B--\r\n", `part{A=1}"one" part{A=2|b=3}"two"last`},
	{"preamble and epilogue", "skip --B\r\n me\r\n--B\r\n\r\nx\r\n--B--\r\nand\r\n--B\r\n\r\nthis", `part{}"x"last`},
	{"an empty line as preamble", "\r\n--B\r\n\r\nx\r\n--B--", `part{}"x"last`},
	{"no line break at the very end", "--B\r\n\r\nx\r\n--B--", `part{}"x"last`},
	{"empty content", "--B\r\nA: 1\r\n\r\n\r\n--B--", `part{A=1}""last`},
	{"no content: the empty line belongs to the delimiter", "--B\r\nA: 1\r\n\r\n--B--", `part{A=1}""last`},
	{"neither header nor content", "--B\r\n\r\n--B--", `part{}""last`},
	{"no parts", "--B--\r\n", `end`},
	{"padding after the delimiter", "--B \t \r\n\r\nx\r\n--B\t\r\n\r\ny\r\n--B--  \r\n", `part{}"x" part{}"y"last`},
	{"content with line breaks", "--B\r\n\r\n\r\na\r\n\r\nb\r\n\r\n--B--", `part{}"\r\na\r\n\r\nb\r\n"last`},
	{"CRs that start no delimiter", "--B\r\n\r\n\r\r\n\r\r\r\n-\r\n--\r\n--A\r\r\n--B--", `part{}"\r\r\n\r\r\r\n-\r\n--\r\n--A\r"last`},
	{"a longer line is content", "--B\r\n\r\n--Bx\r\n--B-\r\n--B\r\r\n--B \tx\r\n--B--", `part{}"--Bx\r\n--B-\r\n--B\r\r\n--B \tx"last`},
	{"line feeds alone end no line", "--B\r\n\r\na\n--B\nb\r\n--B--", `part{}"a\n--B\nb"last`},
	{"endless padding is content", "--B\r\n\r\nx\r\n--B" + strings.Repeat(" ", 64) + "\r\n--B--",
		`part{}"x\r\n--B` + strings.Repeat(" ", 64) + `"last`},
	{"folded field", "--B\r\nA: 1\r\n  2\r\n\t3\r\nB: 4\r\n\r\nx\r\n--B--", "part{A=1    2  \t3|B=4}\"x\"last"},
	{"UTF-8 in a field", "--B\r\nContent-Disposition: form-data; name=\"\xc3\xa4\"\r\n\r\n\r\n--B--", "part{Content-Disposition=form-data; name=\"\xc3\xa4\"}\"\"last"},
	{"length", "--B\r\nContent-Length: 3\r\n\r\none\r\n--B\r\ncontent-length:0\r\n\r\n\r\n--B--", `part{Content-Length=3}"one" part{content-length=0}"" end`},
	{"length, and no line break after it", "--B\r\nContent-Length: 3\r\n\r\none--B\r\nContent-Length: 0\r\n\r\n--B--", `part{Content-Length=3}"one" part{Content-Length=0}"" end`},
	{"length, and more line breaks and blanks after it", "--B\r\nContent-Length: 3\r\n\r\none\r\n\r\n \t\n\r\n--B--", `part{Content-Length=3}"one" end`},
	{"length with the line break in it", "--B\r\nContent-Length: 5\r\n\r\none\r\n--B--", `part{Content-Length=5}"one\r\n" end`},
	{"length of content that ends like a delimiter", "--B\r\nContent-Length: 6\r\n\r\na\r\n--\r\r\n--B--", `part{Content-Length=6}"a\r\n--\r" end`},
	{"length of content with the start of a delimiter in it", "--B\r\nContent-Length: 11\r\n\r\na\r\n--\r\n--C\r\r\n--B--", `part{Content-Length=11}"a\r\n--\r\n--C\r" end`},
	{"length beyond the delimiter", "--B\r\nContent-Length: 99\r\n\r\none\r\n--B--", `part{Content-Length=99}"one"last`},
	{"length at the end of the delimiter", "--B\r\nContent-Length: 8\r\n\r\none\r\n--B--", `part{Content-Length=8}"one"last`},
	{"length short of the content", "--B\r\nContent-Length: 1\r\n\r\none\r\n--B--", `part{Content-Length=1}"o" ! multipart: part: has more content than its Content-Length (400)`},
	{"length that is not a number", "--B\r\nContent-Length: 1x\r\n\r\none\r\n--B--", `part{Content-Length=1x}"one"last`},
	{"length twice", "--B\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\none\r\n--B--", `part{Content-Length=1|Content-Length=1}"one"last`},
	{"length at the limit", "--B\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200) + "\r\n--B--", `part{Content-Length=200}"` + strings.Repeat("x", 200) + `" end`},
	{"content over the limit", "--B\r\n\r\n" + strings.Repeat("x", 201) + "\r\n--B--", `part{}"` + strings.Repeat("x", 200) + `" ! multipart: part: exceeds the limit (413)`},
	{"cut after a length", "--B\r\nContent-Length: 3\r\n\r\none\r\n", `part{Content-Length=3}"one" ! multipart: body: ends before its last delimiter (400)`},
	{"cut in the preamble", "--", `! multipart: body: ends before its last delimiter (400)`},
	{"cut in a delimiter", "--B\r\n\r\nx\r\n--B", `part{}"x" ! multipart: body: ends before its last delimiter (400)`},
	{"cut in a header", "--B\r\nA: 1\r\n", `! multipart: body: ends before its last delimiter (400)`},
	{"empty", "", `! multipart: body: ends before its last delimiter (400)`},
	{"field without colon", "--B\r\nA 1\r\n\r\nx\r\n--B--", `! multipart: part header: has a line without a colon (400)`},
	{"delimiter instead of the empty line", "--B\r\nA: 1\r\n--B--\r\n\r\n", `! multipart: part header: has a line without a colon (400)`},
	{"field without name", "--B\r\n: 1\r\n\r\nx\r\n--B--", `! multipart: part header: has a field name that is not a token (400)`},
	{"fold without field", "--B\r\n A: 1\r\n\r\nx\r\n--B--", `! multipart: part header: has a field name that is not a token (400)`},
	{"NUL in a field", "--B\r\nA: \x00\r\n\r\nx\r\n--B--", `! multipart: part header: has a control byte in a value (400)`},
	{"bare LF in a field", "--B\r\nA: 1\nB: 2\r\n\r\nx\r\n--B--", `! multipart: part header: has a control byte in a value (400)`},
	{"header at the limit", "--B\r\nA: " + strings.Repeat("x", 57) + "\r\n\r\ny\r\n--B--", `part{A=` + strings.Repeat("x", 57) + `}"y"last`},
	{"header over the limit", "--B\r\nA: " + strings.Repeat("x", 58) + "\r\n\r\ny\r\n--B--", `! multipart: part header: exceeds the limit (431)`},
	{"header without end", "--B\r\nA: " + strings.Repeat("x", 200), `! multipart: part header: exceeds the limit (431)`},
	{"too many fields", "--B\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\ny\r\n--B--", `! multipart: part header: exceeds the limit (431)`},
	{"parts over the limit", "--B" + strings.Repeat("\r\n\r\n--B", 5) + "--", `part{}"" part{}"" part{}"" part{}"" ! multipart: body: has more parts than the limit (413)`},
	{"parts at the limit", "--B" + strings.Repeat("\r\n\r\n--B", 4) + "--", `part{}"" part{}"" part{}"" part{}""last`},
}

var tight = Limits{Parts: 4, Head: 64, Fields: 3, Part: 200}

func TestReader(t *testing.T) {
	var r Reader // one for all bodies: Begin must reset it
	for _, c := range bodies {
		rolestest.Splits(t, []byte(c.body), 20, func(how string, feed func(func([]byte))) {
			if got := read(&r, mixed, tight, feed); got != c.want {
				t.Errorf("%s, %s: %q\n got  %s\n want %s", c.name, how, c.body, got, c.want)
			}
		})
		for i := range c.body {
			got := read(&r, mixed, tight, func(f func([]byte)) { f([]byte(c.body[:i])); f([]byte(c.body[i:])) })
			if got != c.want {
				t.Errorf("%s, cut at %d: %q\n got  %s\n want %s", c.name, i, c.body, got, c.want)
			}
		}
	}
}

// TestReaderDashedBoundary: a boundary that starts with dashes may include those of the delimiter, as some cameras send
// it, or not, as browsers do. The first line decides.
func TestReaderDashedBoundary(t *testing.T) {
	for _, c := range []struct{ boundary, body, want string }{
		{"--B", "--B\r\n\r\nx\r\n--B\r\n\r\ny\r\n--B--\r\n", `part{}"x" part{}"y"last`},
		{"--B", "\r\n--B\r\n\r\nx\r\n--B--", `part{}"x"last`},
		{"--B", "\r\n\r\n--B\r\n\r\nx\r\n--B--", `part{}"x"last`},
		{"--B", "----B\r\n\r\nx\r\n--B\r\n----B--", `part{}"x\r\n--B"last`},
		{"--B", "text\r\n--B\r\n----B\r\n\r\nx\r\n----B--", `part{}"x"last`},
		{"--B", "--B--", `end`},
		{"--B", "----B--", `end`},
		{"----B", "----B\r\n\r\nx\r\n----B--", `part{}"x"last`},
		{"----B", "------B\r\n\r\nx\r\n------B--", `part{}"x"last`},
		{"----", "------\r\n\r\nx\r\n--------", `part{}"x"last`},
		{"--B", "", `! multipart: body: ends before its last delimiter (400)`},
		{"--B", "--B", `! multipart: body: ends before its last delimiter (400)`},
		{"--" + strings.Repeat("b", 68), "\r\n\r\n\r\n\r\n" + "----" + strings.Repeat("b", 68) + "\r\n\r\nx\r\n----" + strings.Repeat("b", 68) + "--", `part{}"x"last`},
	} {
		var r Reader
		rolestest.Splits(t, []byte(c.body), 20, func(how string, feed func(func([]byte))) {
			if got := read(&r, `multipart/x-mixed-replace; boundary="`+c.boundary+`"`, Limits{}, feed); got != c.want {
				t.Errorf("boundary %q, %s: %q\n got  %s\n want %s", c.boundary, how, c.body, got, c.want)
			}
		})
	}
}

// TestReaderReplaceEnds: multipart/x-mixed-replace may end between two parts without a last delimiter, but not inside a part.
func TestReaderReplaceEnds(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"--B\r\nContent-Length: 1\r\n\r\nx", `part{Content-Length=1}"x" end`},
		{"--B\r\nContent-Length: 1\r\n\r\nx\r\n--B", `part{Content-Length=1}"x" end`},
		{"--B\r\n\r\nx\r\n--B\r\n", `part{}"x" end`},
		{"--B\r\n\r\nx\r\n--B\r\nA", `part{}"x" ! multipart: body: ends before its last delimiter (400)`},
		{"--B\r\n\r\nx", `part{}"x" ! multipart: body: ends before its last delimiter (400)`},
		{"--B\r\nContent-Length: 2\r\n\r\nx", `part{Content-Length=2}"x" ! multipart: body: ends before its last delimiter (400)`},
		{"", `! multipart: body: ends before its last delimiter (400)`},
	} {
		var r Reader
		rolestest.Splits(t, []byte(c.body), 20, func(how string, feed func(func([]byte))) {
			if got := read(&r, "multipart/x-mixed-replace; boundary=B", Limits{}, feed); got != c.want {
				t.Errorf("%s: %q\n got  %s\n want %s", how, c.body, got, c.want)
			}
		})
	}
}

// TestReaderEndsPartsByLength: a part with a Content-Length ends with its last byte, before anything follows.
func TestReaderEndsPartsByLength(t *testing.T) {
	for _, content := range []string{"", "x", "x\r", "x\r\n", "x\r\n--", "\r\n"} {
		body := fmt.Sprintf("--B\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
		rolestest.Splits(t, []byte(body), 10, func(how string, feed func(func([]byte))) {
			var r Reader
			rec := new(recorder)
			r.Begin([]byte(mixed), Limits{}, rec)
			feed(func(b []byte) { r.Rx(0, b) })
			if got, want := rec.b.String(), fmt.Sprintf("part{Content-Length=%d}%q ", len(content), content); got != want {
				t.Errorf("%q, %s: got %s, want %s", body, how, got, want)
			}
		})
	}
}

// TestReaderLimits: by default a body may have any length and any number of parts, at a limited rate; each limit holds.
func TestReaderLimits(t *testing.T) {
	var r Reader
	h := new(sink)
	part := []byte("--B\r\nContent-Length: 3\r\n\r\none\r\n")
	r.Begin([]byte(mixed), Limits{}, h)
	for i := range 20_000 {
		if err := r.Rx(time.Duration(i)*time.Second/1000, part); err != nil {
			t.Fatalf("part %d at 1000 parts a second: got %v, want no error", i, err)
		}
	}
	if h.parts != 20_000 {
		t.Errorf("parts: got %d, want 20000", h.parts)
	}
	for _, c := range []struct {
		name  string
		l     Limits
		step  time.Duration
		parts int // parts that reach the handler
	}{
		{"Rate 2, at three parts a second", Limits{Rate: 2}, time.Second / 3, 2},
		{"Rate -1: no limit", Limits{Rate: -1}, 0, 5000},
		{"Parts 7", Limits{Parts: 7}, time.Second, 7},
		{"Body of ten parts and a bit", Limits{Body: int64(10*len(part) + 4)}, time.Second, 10},
	} {
		h := new(sink)
		r.Begin([]byte(mixed), c.l, h)
		var err error
		for i := 0; i < 5000 && err == nil; i++ {
			err = r.Rx(time.Duration(i)*c.step, part)
		}
		var p *http.ProtocolError
		if h.parts != c.parts || c.parts < 5000 && (!errors.As(err, &p) || p.Status != 413) {
			t.Errorf("%s: got %d parts and %v, want %d and status 413", c.name, h.parts, err, c.parts)
		}
	}
}

// TestReaderDefaults: limits that are zero have the documented values.
func TestReaderDefaults(t *testing.T) {
	for _, c := range []struct {
		what, body string
		status     int // 0: no error
	}{
		{"1000 parts", "--B" + strings.Repeat("\r\n\r\n--B", 1000) + "--", 0},
		{"1001 parts", "--B" + strings.Repeat("\r\n\r\n--B", 1001) + "--", 413},
		{"32 fields", "--B\r\n" + strings.Repeat("A: 1\r\n", 32) + "\r\n\r\n--B--", 0},
		{"33 fields", "--B\r\n" + strings.Repeat("A: 1\r\n", 33) + "\r\n\r\n--B--", 431},
		{"8 KiB of header", "--B\r\nA: " + strings.Repeat("x", 8<<10-7) + "\r\n\r\n\r\n--B--", 0},
		{"8 KiB of header and a byte", "--B\r\nA: " + strings.Repeat("x", 8<<10-6) + "\r\n\r\n\r\n--B--", 431},
	} {
		var r Reader
		if err := r.Begin([]byte(mixed), Limits{}, new(recorder)); err != nil {
			t.Fatal(err)
		}
		r.Rx(0, []byte(c.body))
		err := r.End()
		var p *http.ProtocolError
		if errors.As(err, &p); c.status == 0 && err != nil || c.status != 0 && (p == nil || p.Status != c.status) {
			t.Errorf("%s: got %v, want status %d", c.what, err, c.status)
		}
	}
}

// TestReaderAllocatesNothing: a Reader that has read one body allocates nothing for the next, in pieces of any size.
func TestReaderAllocatesNothing(t *testing.T) {
	body := []byte("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("content\r\n--", 500) + "\r\n--B\r\nA: 1\r\n 2\r\n\r\nx\r\n--B--")
	var r Reader
	var h sink
	ct := []byte(mixed)
	for _, size := range []int{len(body), 7} {
		round := func() {
			if err := r.Begin(ct, Limits{}, &h); err != nil {
				t.Fatal(err)
			}
			for b := body; len(b) > 0; b = b[min(size, len(b)):] {
				r.Rx(0, b[:min(size, len(b))])
			}
			if err := r.End(); err != nil {
				t.Fatal(err)
			}
		}
		round()
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("pieces of %d bytes: got %v allocations per body, want 0", size, n)
		}
	}
	if h.parts == 0 || h.bytes == 0 {
		t.Errorf("got %d parts and %d bytes, want more than 0", h.parts, h.bytes)
	}
}

// sink counts parts and bytes.
type sink struct{ parts, bytes int }

func (s *sink) Part([]http.Field) { s.parts++ }
func (s *sink) Content(b []byte)  { s.bytes += len(b) }
func (s *sink) EndPart(bool)      {}
func (s *sink) EndParts()         {}

// TestReaderSize: Size counts a header that comes in pieces, and Trim frees its memory.
func TestReaderSize(t *testing.T) {
	var r Reader
	for range 2 {
		if err := r.Begin([]byte(mixed), Limits{}, new(sink)); err != nil {
			t.Fatal(err)
		}
		small := r.Size()
		r.Rx(0, []byte("--B\r\nA: "+strings.Repeat("x", 4000)))
		if n := r.Size(); n < 4000 || n > 8000 {
			t.Errorf("Size with 4000 bytes of a header: got %d, want 4000 to 8000", n)
		}
		if r.Trim(1000); r.Size() > 1000 || small > 1000 {
			t.Errorf("Size: got %d before the header and %d after Trim(1000), want at most 1000 both times", small, r.Size())
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range bodies {
		f.Add([]byte(c.body), uint64(1))
		f.Add([]byte(c.body), uint64(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		var r Reader
		mixed := mixed
		if seed&1 == 0 {
			mixed = "multipart/x-mixed-replace; boundary=--B"
		}
		whole := read(&r, mixed, tight, func(g func([]byte)) { g(b) })
		if cap(r.head) > 1<<10 {
			t.Fatalf("capacity for a header: got %d bytes, want at most 1024 with Limits.Head %d", cap(r.head), tight.Head)
		}
		for how, feed := range map[string]func(func([]byte)){
			"byte by byte": func(g func([]byte)) {
				for i := range b {
					g(b[i : i+1])
				}
			},
			"pieces": func(g func([]byte)) { rolestest.Pieces(seed, b, g) },
		} {
			if got := read(&r, mixed, tight, feed); got != whole {
				t.Fatalf("%s: %q\n got  %s\n want %s", how, b, got, whole)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	body := []byte("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("0123456789abcde\r", 4096) + "\r\n--B--")
	var r Reader
	var h sink
	ct := []byte(mixed)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Begin(ct, Limits{}, &h)
		r.Rx(0, body)
		r.End()
	}
}
