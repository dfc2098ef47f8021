package h1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// talk gives in to a new server with sh, whose handler answers 200 with the target as body, and returns the calls and the
// output.
func talk(sh *Shared, in string) string {
	r := &recorder{}
	body := ""
	r.onHead = func(_ http.Exchange, m *http.Message) { body = string(m.Target) }
	r.onEnd = func(x http.Exchange) { x.WantWrite() }
	r.writable = func(x http.Exchange) {
		m := &http.Message{Status: 200, Length: int64(len(body))}
		m.Add([]byte("X-Target"), []byte(body))
		if err := x.SendHead(m, body == ""); err != nil {
			panic(err)
		}
		x.Commit(copy(x.Room(), body), true)
	}
	l, s := rolestest.New(), new(Server)
	s.Init(sh, l, r)
	l.Open(s)
	l.Feed([]byte(in))
	l.End()
	return strings.Join(r.lines, "\n") + "\n" + string(l.Out)
}

// TestHeadCacheChangesNoResult: the result for a head does not depend on the heads before it.
func TestHeadCacheChangesNoResult(t *testing.T) {
	heads := []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: y\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"GET /?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://other/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", headCacheMax) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	want := make([]string, len(heads))
	for i, in := range heads {
		want[i] = talk(NewShared(DefaultConfig()), in)
	}
	sh := NewShared(DefaultConfig())
	for round := range 3 {
		for i, in := range heads {
			for n := range 3 * headCacheTry {
				if got := talk(sh, in); got != want[i] {
					t.Fatalf("round %d, %q for the time %d:\ngot  %q\nwant %q", round, in, n, got, want[i])
				}
			}
		}
		for n := range 20 * len(heads) { // and mixed
			i := n * 7 % len(heads)
			if got := talk(sh, heads[i]); got != want[i] {
				t.Fatalf("round %d, mixed, %q:\ngot  %q\nwant %q", round, heads[i], got, want[i])
			}
		}
	}
}

// TestHeadCacheTakesRepeatedHeads: the cache takes a head that comes again and again, and no head if all differ.
func TestHeadCacheTakesRepeatedHeads(t *testing.T) {
	const same = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	sh := NewShared(DefaultConfig())
	for range 2 * headCacheTry {
		talk(sh, same)
	}
	if got := string(sh.requests.head); got != same {
		t.Errorf("after %d equal heads: the cache holds %q, want that head", 2*headCacheTry, got)
	}
	for i := range 10 * headCacheTry {
		talk(sh, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
	}
	if got := string(sh.requests.head); got != same {
		t.Errorf("after different heads: the cache holds %q, want the head that it held", got)
	}
	missed := sh.requests.missed
	for range 4 * headCacheTry {
		talk(sh, same)
	}
	if sh.requests.missed != missed {
		t.Errorf("the cached head was parsed %d times, want 0", sh.requests.missed-missed)
	}
}

// TestResponseCacheChangesNoHead: a head from the cache equals one that is built.
func TestResponseCacheChangesNoHead(t *testing.T) {
	now := "Sun, 22 Nov 2026 12:00:00 GMT"
	fresh := func() *Shared {
		return sharedWith(func(c *Config) { c.Date = func() []byte { return []byte(now) } })
	}
	kept := fresh()
	field := func(name, value string) http.Field { return http.Field{Name: []byte(name), Value: []byte(value)} }
	for round := range 4 {
		if round == 2 {
			now = "Sun, 22 Nov 2026 12:00:01 GMT"
		}
		for _, k := range []responseKey{
			{status: 200, length: 5}, {status: 200, length: 5, close: true}, {status: 200, length: 6}, {status: 204, length: -1},
			{status: 200, length: -1, chunked: true}, {status: 200, length: 5, old: true}, {status: 299, length: 5},
		} {
			for _, fields := range [][]http.Field{
				nil, {field("A", "b")}, {field("A", "b"), field("C", "d")}, {field("A", "bc")}, {field("A", "")}, {field("Ab", "c")},
				{field("A", "b\r\nC: d")}, {field("A: b\r\nC", "d")}, {field("A", "b\r\nC: d"), field("C", "d")}, {field("Content-Length", "5")},
			} {
				m := &http.Message{Fields: fields}
				got, err := kept.head(k, m)
				want, wantErr := fresh().head(k, m)
				if string(got) != string(want) || (err == nil) != (wantErr == nil) {
					t.Fatalf("round %d, %+v, fields %q:\ngot  %q, %v\nwant %q, %v", round, k, fields, got, err, want, wantErr)
				}
			}
		}
	}
	k, m := responseKey{status: 200, length: 5}, &http.Message{Fields: []http.Field{field("A", "b"), field("C", "d")}}
	if _, err := kept.head(k, m); err != nil {
		t.Fatal(err)
	}
	if got, err := kept.head(k, &http.Message{Fields: []http.Field{field("A", "b\r\nC: d")}}); err == nil {
		t.Errorf("a line end in a value, when the cached head has two lines: got %q, want an error", got)
	}
}
