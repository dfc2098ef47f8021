package meta

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/policy"
)

// TestValues: what the program sets is sent, what the peer says is read, and the peer's is never sent.
func TestValues(t *testing.T) {
	var p Pool
	m := p.Take(2)
	want := func(when, get, own string) {
		t.Helper()
		show := func(v []byte, ok bool) string {
			if !ok {
				return "-"
			}
			return string(v)
		}
		if g, o := show(m.Get(1)), show(m.Own(1)); g != get || o != own || own != "-" && string(m.Expand(1)) != own {
			t.Errorf("%s: read %q, sent %q; want %q, %q", when, g, o, get, own)
		}
	}
	want("at first", "-", "-")
	m.SetFromPeer(1, []byte("peer"))
	want("after the peer", "peer", "-")
	b := []byte("own")
	m.Set(1, b)
	copy(b, "xxx")
	want("after the program", "own", "own")
	m.SetFromPeer(1, []byte("peer again"))
	want("after the peer again", "peer again", "own")
	m.Hide(1)
	want("hidden by the peer", "-", "own")
	m.DropFromPeer()
	want("without the peer's", "own", "own")
	m.SetString(1, "")
	want("set to nothing", "", "")
	m = nil
	want("of a stream without values", "-", "-")
	m.Hide(1)
	m.DropFromPeer()
}

// TestPool: memory serves the next stream, values do not, and large ones are not kept.
func TestPool(t *testing.T) {
	var p Pool
	p.Return(nil)
	m := p.Take(3)
	for i := range 3 {
		m.SetString(i, strings.Repeat("secret", 1+100*i))
		m.SetFromPeer(i, []byte(strings.Repeat("secret", 1+100*i)))
	}
	if err := m.Fields.Set("x-secret", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	p.Return(m)
	n := p.Take(4)
	if n != m {
		t.Fatal("Take after Return: got new Values, want those that were returned")
	}
	for i := range 4 {
		if v, ok := n.Get(i); ok {
			t.Errorf("item %d of the next stream: got %q, want nothing", i, v)
		}
	}
	if v, ok := n.Fields.Get("x-secret"); ok {
		t.Errorf("field of the next stream: got %q, want nothing", v)
	}
	for i := range n.items {
		if v := &n.items[i]; cap(v.own) > smallValue || cap(v.peer) > smallValue {
			t.Errorf("item %d: %d and %d bytes kept, want at most %d", i, cap(v.own), cap(v.peer), smallValue)
		}
	}
	var many []*Values
	for range 2 * poolMax {
		many = append(many, p.Take(1))
	}
	for _, m := range many {
		p.Return(m)
	}
	if len(p.free) != poolMax {
		t.Errorf("after %d returns: %d kept, want %d", len(many), len(p.free), poolMax)
	}
	if n := testing.AllocsPerRun(100, func() {
		m := p.Take(1)
		m.SetString(0, "value")
		m.SetFromPeer(0, b)
		p.Return(m)
	}); n != 0 {
		t.Errorf("a stream's values: %v allocations, want 0", n)
	}
}

var b = []byte("value")

// TestExpand: a template takes what the program has set, whatever the peer said.
func TestExpand(t *testing.T) {
	doc, err := policy.Parse([]byte(`{"s":[{"c":{"endpoint":"h","port":80,"http_url":"/a/${x}/${y}","metadata":[{"x":""},{"y":""}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	u := &doc.Stream("c").HTTP.URL
	var m *Values
	if got, err := u.Append(nil, m.Expand); err != nil || string(got) != "/a//" && string(got) != "a//" {
		t.Errorf("without values: got %q, %v", got, err)
	}
	m = new(Pool).Take(2)
	m.SetString(0, "one")
	m.SetFromPeer(0, []byte("evil"))
	m.SetFromPeer(1, []byte("evil"))
	if got, err := u.Append(nil, m.Expand); err != nil || strings.TrimPrefix(string(got), "/") != "a/one/" {
		t.Errorf("with a value of the program and two of the peer: got %q, %v; want a/one/", got, err)
	}
}
