package meta

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// TestHeaders: the copy is found by name in any case, is charged while it exists, and goes with Drop and with the
// stream.
func TestHeaders(t *testing.T) {
	low := rolestest.New()
	message := func(list ...string) *http.Message {
		m := new(http.Message)
		for i := 0; i < len(list); i += 2 {
			m.Add([]byte(list[i]), []byte(list[i+1]))
		}
		return m
	}
	var p Pool
	m := p.Take(0)
	h := &m.Headers
	want := func(when string, held int, values ...string) {
		t.Helper()
		for i := 0; i < len(values); i += 2 {
			v, ok := h.Get(values[i])
			if string(v) != values[i+1] || ok != (values[i+1] != "") {
				t.Errorf("%s: %s: got %q, %v; want %q", when, values[i], v, ok, values[i+1])
			}
		}
		if got := low.Held[roles.HoldHead]; got != held {
			t.Errorf("%s: %d bytes charged, want %d", when, got, held)
		}
	}
	want("at first", 0, "server", "")
	first := message("Server", "x", "Set-Cookie", "a", "set-cookie", "b")
	if size, ok := h.Save(first, low); !ok || size != 29 {
		t.Errorf("Save: got %d, %v; want 29, true", size, ok)
	}
	clear(first.Fields[0].Value) // the exchange's memory is used again
	want("after Save", 29, "server", "x", "set-cookie", "a", "date", "")
	h.Save(message("Date", "today"), low)
	want("after another Save", 9, "server", "", "date", "today")
	low.Short = true
	if size, ok := h.Save(first, low); ok || size != 29 {
		t.Errorf("Save without memory: got %d, %v; want 29, false", size, ok)
	}
	want("without memory", 0, "server", "", "date", "")
	low.Short = false
	h.Save(message("x-long", strings.Repeat("x", 2*smallHeaders)), low)
	h.Drop()
	h.Drop()
	want("after Drop", 0, "x-long", "")
	if cap(h.buf) > smallHeaders {
		t.Errorf("after Drop: memory of %d bytes is kept, want at most %d", cap(h.buf), smallHeaders)
	}
	h.Save(message("Date", "today"), low)
	p.Return(m)
	want("after the stream", 0, "date", "")
}
