package h2

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// TestExchanges: requests and responses of every shape, and the calls that both handlers get.
func TestExchanges(t *testing.T) {
	big := strings.Repeat("0123456789", 30000)
	for _, c := range []struct {
		name   string
		req    http.Message
		reqEnd bool
		body   string
		trail  []http.Field
		res    http.Message
		resEnd bool
		answer string
		resTrl []http.Field
		want   string
	}{
		{"GET", get("/x?y"), true, "", nil,
			http.Message{Status: 200, Length: 5, Fields: []http.Field{field("content-type", "text/plain")}}, false, "hello", nil, `
s head GET https a.example /x?y length 0
s end
s done <nil>
c head 200 length 5 content-length=5 content-type=text/plain
c body "hello"
c end
c done <nil>
`},
		{"POST with a length", post("/", 3), false, "abc", nil,
			http.Message{Status: 201, Length: 0}, false, "", nil, `
s head POST https a.example / length 3 content-length=3
s body "abc"
s end
s done <nil>
c head 201 length 0 content-length=0
c end
c done <nil>
`},
		{"POST without, trailers both ways", post("/", http.UnknownLength), false, "abc", []http.Field{field("X-Sum", "1")},
			http.Message{Status: 200, Length: http.UnknownLength}, false, "xyz", []http.Field{field("y-sum", "2")}, `
s head POST https a.example / length -1
s body "abc"
s end x-sum=1
s done <nil>
c head 200 length -1
c body "xyz"
c end y-sum=2
c done <nil>
`},
		{"HEAD", func() http.Message { m := get("/"); m.Method = []byte("HEAD"); return m }(), true, "", nil,
			http.Message{Status: 200, Length: 1000}, true, "", nil, `
s head HEAD https a.example / length 0
s end
s done <nil>
c head 200 length 1000 content-length=1000
c end
c done <nil>
`},
		{"204", get("/"), true, "", nil, http.Message{Status: 204}, true, "", nil, `
s head GET https a.example / length 0
s end
s done <nil>
c head 204 length 0
c end
c done <nil>
`},
		{"cookies are joined, names lowered", func() http.Message {
			m := get("/")
			m.Fields = []http.Field{field("Cookie", "a=b"), field("X-A", "1"), field("cookie", "c=d")}
			return m
		}(), true, "", nil, http.Message{Status: 200, Length: http.UnknownLength}, false, big, nil, `
s head GET https a.example / length 0 cookie=a=b; c=d x-a=1
s end
s done <nil>
c head 200 length -1
c end
c done <nil>
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			s := &recorder{name: "s", log: &log, head: c.res, end: c.resEnd, body: c.answer, trail: c.resTrl}
			p := newPair(DefaultConfig(), DefaultConfig(), func(*Server) http.Handler { return s })
			p.open()
			r := &recorder{name: "c", log: &log, head: c.req, end: c.reqEnd, body: c.body, trail: c.trail, quiet: len(c.answer) > 100}
			if _, err := p.c.Do(r); err != nil {
				t.Fatal(err)
			}
			p.pump()
			// The calls of both ends interleave as the frames do; only the order at each end counts.
			got := only(log.String(), "s ") + only(log.String(), "c ")
			if got != c.want[1:] {
				t.Errorf("got\n%s\nwant\n%s", got, c.want[1:])
			}
			if len(c.answer) > 100 && r.got != len(c.answer) {
				t.Errorf("body of %d bytes, want %d", r.got, len(c.answer))
			}
			if p.c.Active() != 0 || p.s.Active() != 0 {
				t.Errorf("open streams: client %d, server %d; want none", p.c.Active(), p.s.Active())
			}
			p.check(t)
		})
	}
}

// only returns the lines of s that begin with prefix.
func only(s, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, prefix) {
			b.WriteString(line)
		}
	}
	return b.String()
}
