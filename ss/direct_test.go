package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

const directDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"web":{"server":true,"port":80,"protocol":"h2","direct_proto_str":true,"metadata":[{"mime":"content-type:"},{"ua":"User-Agent:"},{"one":"X-One:"},
		{"host":"host:"},{"method":""},{"path":""},{"authority":""},{"auth":""},{"q":""},{"len":"content-length:"}]}},
	{"plain":{"server":true,"port":80,"protocol":"h2"}},
	{"get":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"none","opportunistic":true,"direct_proto_str":true}}]}`

// TestRequestHead: SERVER_TXN can read everything in a request's head, the declared metadata until the end of the
// transaction, and none of it reaches the next transaction or the response.
func TestRequestHead(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		w := newWorld(t, directDoc, plan{})
		declared := []string{"mime", "ua", "one", "host", "method", "path", "authority", "auth", "q", "len"}
		read := func(h *ss.Handle, names ...string) string {
			var list []string
			for _, name := range names {
				if v, ok := h.Metadata(name); ok {
					list = append(list, fmt.Sprintf("%s=%s", name, v))
				}
			}
			return strings.Join(list, " ")
		}
		var inTxn, later, direct, directLater []string
		w.Serve("web", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				inTxn = append(inTxn, read(h, declared...))
				direct = append(direct, read(h, "User-Agent:", "x-one", "x-none:"))
				s.World.Net.At(time.Second, func() {
					later = append(later, read(h, declared...))
					directLater = append(directLater, read(h, "user-agent:", "x-one"))
					h.ServerAck(0)
					h.RequestTxLen(0)
				})
				return ss.OK
			})
		})
		p := w.peer(proto)
		for _, q := range []*call{
			p.ask("POST", "/a/b?q=1&path=evil&ua=evil&authority=evil&len=7", "abc", "User-Agent: probe", "X-One: first", "X-One: second",
				"Content-Type: text/x", "Authorization: Basic abc"),
			p.ask("GET", "/", ""),
		} {
			w.until(5*time.Second, q)
			q.want("the request", "200 content-length=0")
		}
		want := []string{
			"mime=text/x ua=probe one=first host=host.example method=POST path=/a/b authority=host.example auth=Basic abc q=1 len=3",
			"host=host.example method=GET path=/ authority=host.example",
		}
		for name, got := range map[string][]string{"in SERVER_TXN": inTxn, "a second later": later} {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("metadata %s:\n  got  %q\n  want %q", name, got, want)
			}
		}
		if got, want := fmt.Sprint(direct), "[User-Agent:=probe x-one=first ]"; got != want {
			t.Errorf("fields by name in SERVER_TXN: got %s, want %s", got, want)
		}
		if got, want := fmt.Sprint(directLater), "[ ]"; got != want {
			t.Errorf("fields by name a second later: got %s, want none", got)
		}
	})
}

// TestDirectFields: the fields that a program may and may not send by name.
func TestDirectFields(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		w := newWorld(t, directDoc, plan{})
		w.Serve("web", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				if path, _ := h.Metadata("path"); string(path) == "/" {
					for _, f := range [][2]string{{"X-Foo:", "one"}, {"x-foo", "two"}, {"X-Empty", ""}, {"mime", "text/x"}} {
						if err := h.SetMetadataString(f[0], f[1]); err != nil {
							t.Error(err)
						}
					}
					if err := h.SetMetadata("x-bar", []byte("three")); err != nil {
						t.Error(err)
					}
					for _, f := range [][2]string{{"content-length:", "5"}, {"Connection", "close"}, {"transfer-encoding", "chunked"}, {"Keep-Alive:", "1"},
						{"date", "today"}, {"x bad", "1"}, {"", "1"}, {":status", "500"}, {"x-bad", "a\r\nx-evil: 1"}, {"x-bad", " a"}, {"x-bad", "a\x00"},
						{"x-long", strings.Repeat("x", 8<<10)}} {
						if err := h.SetMetadataString(f[0], f[1]); !errors.Is(err, ss.ErrMisuse) {
							t.Errorf("header field %q with %q: got %v, want it refused", f[0], f[1], err)
						}
					}
					if v, ok := h.Metadata("X-FOO:"); !ok || string(v) != "two" {
						t.Errorf("a field that was set: got %q (%v), want two", v, ok)
					}
				}
				h.ServerAck(0)
				return h.RequestTxLen(0)
			})
		})
		p := w.peer(proto)
		a, b := p.ask("GET", "/", ""), p.ask("GET", "/next", "")
		w.until(time.Second, a, b)
		a.want("the answer", "200 content-length=0 content-type=text/x x-bar=three x-empty= x-foo=two")
		b.want("the next one", "200 content-length=0")
	})
}

// TestDirectIsBounded: the number of fields is limited; without direct_proto_str none is allowed.
func TestDirectIsBounded(t *testing.T) {
	w := newWorld(t, directDoc, plan{})
	w.Serve("plain", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			if err := h.SetMetadataString("x-foo:", "1"); !errors.Is(err, ss.ErrNoSuchMetadata) {
				t.Errorf("a field by name without direct_proto_str: got %v, want ErrNoSuchMetadata", err)
			}
			if v, ok := h.Metadata("user-agent:"); ok {
				t.Errorf("a field by name without direct_proto_str: read %q, want nothing", v)
			}
			h.ServerAck(0)
			h.SetMetadataString("x", "y")
			return h.RequestTxLen(0)
		})
	})
	p := w.peer("h1")
	q := p.ask("GET", "/", "", "user-agent: probe")
	w.Settle()
	q.want("the answer", "200 content-length=0")

	h := w.Create("get", newScript())
	n := 0
	for n < 1000 && h.SetMetadataString(fmt.Sprintf("x-%d", n), "v") == nil {
		n++
	}
	if n != 64 {
		t.Errorf("fields by name: got %d, want 64", n)
	}
	if err := h.SetMetadataString("x-7", "again"); err != nil {
		t.Errorf("a field that there is, when no other can be added: %v", err)
	}
}

// TestDirectOnClients: a client's fields are sent with its requests, and CONNECTED can read those of the response.
func TestDirectOnClients(t *testing.T) {
	w := newWorld(t, directDoc, plan{})
	var ua string
	w.Serve("web", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			v, _ := h.Metadata("ua")
			ua = string(v)
			h.SetMetadataString("x-answer", "42")
			h.ServerAck(0)
			return h.RequestTxLen(0)
		})
	})
	s := newScript()
	var seen, later string
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
		v, _ := h.Metadata("X-Answer:")
		seen = string(v)
		return ss.OK
	}).When(ss.Disconnected, func(h *ss.Handle) ss.Ret {
		v, _ := h.Metadata("X-Answer:")
		later = string(v)
		return ss.OK
	})
	h := w.Create("get", s)
	h.SetMetadataString("User-Agent:", "probe")
	h.Connect()
	w.Settle()
	if ua != "probe" || seen != "42" || later != "" {
		t.Errorf("sent %q, read %q in CONNECTED and %q later; want probe, 42 and nothing", ua, seen, later)
	}
}
