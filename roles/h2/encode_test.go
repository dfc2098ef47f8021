package h2

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles/http"
)

// TestInvalidHeadsAreRefused: SendHead and SendTrailers return an error for an invalid message, and send nothing.
func TestInvalidHeadsAreRefused(t *testing.T) {
	long := strings.Repeat("x", 17000)
	with := func(f ...http.Field) http.Message { m := get("/"); m.Fields = f; return m }
	but := func(f func(m *http.Message)) http.Message { m := get("/"); f(&m); return m }
	for _, c := range []struct {
		name string
		m    http.Message
		want error
	}{
		{"connection", with(field("Connection", "close")), errSendFraming},
		{"a length among the fields", with(field("content-length", "0")), errSendFraming},
		{"transfer-encoding", with(field("transfer-encoding", "chunked")), errSendFraming},
		{"te: gzip", with(field("te", "gzip")), errSendFraming},
		{"a name with a colon", with(field(":path", "/")), errSendName},
		{"an empty name", with(field("", "x")), errSendName},
		{"a line end in a value", with(field("a", "b\r\nc: d")), errSendValue},
		{"a value with a space in front", with(field("a", " b")), errSendValue},
		{"too long", with(field("a", long)), errSendSize},
		{"a method with a space", but(func(m *http.Message) { m.Method = []byte("G T") }), errSendMethod},
		{"CONNECT", but(func(m *http.Message) { m.Method = []byte("CONNECT") }), errSendMethod},
		{"a protocol without CONNECT", but(func(m *http.Message) { m.Protocol = []byte("x") }), errSendMethod},
		{"a target with a space", but(func(m *http.Message) { m.Target = []byte("/a b") }), errSendTarget},
		{"a path with a query in it", but(func(m *http.Message) { m.Target, m.Path = nil, []byte("/a?b") }), errSendTarget},
		{"no scheme", but(func(m *http.Message) { m.Scheme = nil }), errSendScheme},
		{"userinfo", but(func(m *http.Message) { m.Authority = []byte("u@h") }), errSendHost},
		{"a length without a body", but(func(m *http.Message) { m.Length = 5 }), errSendEnd},
	} {
		v := dial(t, DefaultConfig())
		v.ask(t, c.m, "")
		if got, want := v.log.String(), fmt.Sprintf("1: send head: %v\n", c.want); got != want {
			t.Errorf("request with %s: got %q, want %q", c.name, got, want)
		}
		if out := v.out(t); out != "" || !errors.Is(c.want, http.ErrMisuse) {
			t.Errorf("request with %s: sent %q", c.name, out)
		}
		v.over(t)
	}
	for _, trailer := range []http.Field{field("a", long), field("A:", "b"), field("a", "\n"), field("upgrade", "x")} {
		v := dial(t, DefaultConfig())
		v.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.trail = []http.Field{trailer} })
		if got := v.log.String(); !strings.Contains(got, "send trailers: h2: send head: ") {
			t.Errorf("trailer %.10q of %d octets: got %q", trailer.Name, len(trailer.Value), got)
		}
		v.over(t)
		if v.l.Misuse != "" {
			t.Error(v.l.Misuse)
		}
	}
}

// TestShortCredentialsAreNotIndexed: short credentials are in no table, whether or not the field has an ID.
func TestShortCredentialsAreNotIndexed(t *testing.T) {
	var never []string
	for _, numbered := range []bool{false, true} {
		v := dial(t, DefaultConfig())
		m := get("/")
		m.Fields = []http.Field{field("Authorization", "Basic short"), field("cookie", "a=b"), field("x-a", "b"), field("cookie", strings.Repeat("long", 10))}
		if numbered {
			for i := range m.Fields {
				m.Fields[i].ID = http.Lookup(m.Fields[i].Name)
			}
		}
		v.ask(t, m, "")
		b := v.l.Out
		f := parseFrame(b)
		dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
			if f.Sensitive {
				never = append(never, f.Name+"="+f.Value)
			}
		})
		if _, err := dec.Write(b[headerLen : headerLen+int(f.length)]); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(never, " "), "authorization=Basic short cookie=a=b"; got != want {
			t.Errorf("with IDs %t: never indexed: got %q, want %q", numbered, got, want)
		}
		never = nil
		v.over(t)
	}
}

// TestBlocksAreReused: the block of the last response is sent again for an equal response, and not for any other.
func TestBlocksAreReused(t *testing.T) {
	cfg := DefaultConfig()
	date := "Mon, 01 Jan 2026 00:00:00 GMT"
	cfg.Date = func() []byte { return []byte(date) }
	cfg.ServerName = "x"
	sh := NewShared(cfg)
	base := func() *http.Message {
		return &http.Message{Status: 200, Fields: []http.Field{field("a", "bc"), field("d", "e")}}
	}
	block := func(m *http.Message, length int64) string {
		t.Helper()
		b, err := sh.response(m, length)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := block(base(), 5)
	if got := block(base(), 5); got != first {
		t.Error("an equal response got another block")
	}
	dec := hpack.NewDecoder(0, nil)
	for name, f := range map[string]func(m *http.Message) int64{
		"status":              func(m *http.Message) int64 { m.Status = 201; return 5 },
		"length":              func(m *http.Message) int64 { return 6 },
		"no length":           func(m *http.Message) int64 { return -1 },
		"value":               func(m *http.Message) int64 { m.Fields[1].Value = []byte("f"); return 5 },
		"names share letters": func(m *http.Message) int64 { m.Fields[0] = field("ab", "c"); return 5 },
		"one field less":      func(m *http.Message) int64 { m.Fields = m.Fields[:1]; return 5 },
		"date":                func(m *http.Message) int64 { date = "Mon, 01 Jan 2026 00:00:01 GMT"; return 5 },
	} {
		block(base(), 5)
		m := base()
		got := block(m, f(m))
		if got == first {
			t.Errorf("%s: the old block was sent", name)
		}
		fields, err := dec.DecodeFull([]byte(got))
		if err != nil || fields[0].Value != fmt.Sprint(m.Status) {
			t.Errorf("%s: %v, %v", name, fields, err)
		}
		date = "Mon, 01 Jan 2026 00:00:00 GMT"
	}
}
