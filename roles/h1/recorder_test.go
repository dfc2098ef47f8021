package h1

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// recorder is a Handler that records its calls, a line for each, with adjacent pieces of a body joined. A function that is
// set runs after the call is recorded.
type recorder struct {
	lines    []string
	body     bool // the last line is a body
	x        http.Exchange
	onHead   func(x http.Exchange, m *http.Message)
	onBody   func(x http.Exchange, b []byte)
	onEnd    func(x http.Exchange)
	writable func(x http.Exchange)
	cause    error
	dones    int
}

func (r *recorder) note(format string, a ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, a...))
	r.body = false
}

func (r *recorder) Head(x http.Exchange, m *http.Message) {
	r.x = x
	var b strings.Builder
	if m.Status == 0 {
		fmt.Fprintf(&b, "%s %s", m.Method, m.Path)
		if m.Query != nil {
			fmt.Fprintf(&b, "?%s", m.Query)
		}
		if m.Scheme != nil {
			fmt.Fprintf(&b, " scheme=%s", m.Scheme)
		}
		fmt.Fprintf(&b, " for=%s", m.Authority)
	} else {
		fmt.Fprintf(&b, "%d", m.Status)
		if len(m.Reason) > 0 {
			fmt.Fprintf(&b, " %s", m.Reason)
		}
	}
	fmt.Fprintf(&b, " %v length=%d", m.Version, m.Length)
	for _, o := range []struct {
		name string
		on   bool
	}{{"close", m.Close}, {"continue", m.Continue}} {
		if o.on {
			b.WriteString(" " + o.name)
		}
	}
	if m.Upgrade != nil {
		fmt.Fprintf(&b, " upgrade=%s", m.Upgrade)
	}
	for _, f := range m.Fields {
		if !f.ID.Framing() {
			fmt.Fprintf(&b, " [%s: %s]", f.Name, f.Value)
		}
	}
	r.note("head %s", b.String())
	if r.onHead != nil {
		r.onHead(x, m)
	}
}

func (r *recorder) Body(x http.Exchange, p []byte) {
	if r.body {
		r.lines[len(r.lines)-1] += string(p)
	} else {
		r.note("body %s", p)
		r.body = true
	}
	if r.onBody != nil {
		r.onBody(x, p)
	}
}

func (r *recorder) End(x http.Exchange, t []http.Field) {
	s := "end"
	for _, f := range t {
		s += fmt.Sprintf(" [%s: %s]", f.Name, f.Value)
	}
	r.note("%s", s)
	if r.onEnd != nil {
		r.onEnd(x)
	}
}

func (r *recorder) Writable(x http.Exchange) {
	if r.writable != nil {
		r.writable(x)
	}
}

func (r *recorder) Done(x http.Exchange, cause error) {
	r.dones++
	r.cause = cause
	if cause != nil {
		r.note("done: %v", cause)
		return
	}
	r.note("done")
}

func (r *recorder) String() string { return strings.Join(r.lines, "\n") }

// answer makes r a handler of a server that responds at the end of the request with this status and body.
func (r *recorder) answer(status int, body string) *recorder {
	r.onEnd = func(x http.Exchange) { x.WantWrite() }
	r.writable = func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: status, Length: int64(len(body))}, len(body) == 0); err != nil {
			panic(err)
		}
		if len(body) > 0 {
			x.Commit(copy(x.Room(), body), true)
		}
	}
	return r
}

// request makes r a handler of a client that sends this head and body once.
func (r *recorder) request(m *http.Message, body string) *recorder {
	r.writable = func(x http.Exchange) {
		r.writable = nil
		if err := x.SendHead(m, m.Length == 0); err != nil {
			panic(err)
		}
		if m.Length != 0 {
			r.send(x, body)
		}
	}
	return r
}

// send commits body as far as there is room, and the rest in later Writables.
func (r *recorder) send(x http.Exchange, body string) {
	for {
		room := x.Room()
		if room == nil {
			r.writable = func(x http.Exchange) { r.send(x, body) }
			x.WantWrite()
			return
		}
		n := copy(room, body)
		body = body[n:]
		x.Commit(n, body == "")
		if body == "" {
			r.writable = nil
			return
		}
	}
}

// sharedWith returns a Shared with the default configuration, changed by change.
func sharedWith(change func(c *Config)) *Shared {
	c := DefaultConfig()
	change(&c)
	return NewShared(c)
}

// serve opens a server over a new Lower.
func serve(sh *Shared, h http.Handler) (*Server, *rolestest.Lower) {
	s, l := new(Server), rolestest.New()
	s.Init(sh, l, h)
	l.Open(s)
	return s, l
}

// dial opens a client over a new Lower.
func dial(sh *Shared) (*Client, *rolestest.Lower) {
	k, l := new(Client), rolestest.New()
	k.Init(sh, l)
	l.Open(k)
	return k, l
}

// visible returns bytes as readable text on one line.
func visible(b []byte) string { return fmt.Sprintf("%q", b) }
