package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/wsi"
)

// protocols are those of a server stream of h2: scenarios run over each.
var protocols = []string{"h1", "h2"}

// overEach runs a scenario over each protocol.
func overEach(t *testing.T, f func(t *testing.T, proto string)) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { f(t, proto) })
	}
}

// peer is a client without a stream: a role on a connection, for calls that streams do not make.
type peer struct {
	w     *world
	wsi   wsi.Wsi
	h1    h1.Client
	h2    h2.Client
	proto string
	queue []*call // on h1: those that wait for the one before
	busy  bool
	up    bool
	over  bool
	cause error
}

// upper is a role that reports to its peer when the connection is established and when it ends.
type upper struct {
	roles.Upper
	p *peer
}

func (u upper) Opened(now time.Duration) {
	u.Upper.Opened(now)
	u.p.up = true
	u.p.wsi.Established()
}

func (u upper) Closed(cause error) {
	u.Upper.Closed(cause)
	u.p.over, u.p.cause = true, cause
}

// peer connects to port 80 of the server machine.
func (w *world) peer(proto string) *peer {
	p := w.dialPeer(proto)
	w.Run("a peer to be connected", func() bool { return p.up || p.over })
	w.Settle()
	return p
}

// dialPeer starts to connect.
func (w *world) dialPeer(proto string) *peer {
	p := &peer{w: w, proto: proto}
	var u roles.Upper = &p.h1
	p.h1.Init(h1.NewShared(h1.DefaultConfig()), &p.wsi)
	if proto == "h2" {
		c := h2.DefaultConfig()
		c.Limits.Resets = 1 << 20
		p.h2.Init(h2.NewShared(c), &p.wsi)
		u = &p.h2
	}
	w.Client.Runtime.Net().Dial(&p.wsi, wsi.Target{Host: "10.0.0.2", Port: 80}, upper{u, p}, wsi.DialOptions{})
	return p
}

// call is one request of a peer and its outcome.
type call struct {
	http.Message
	p      *peer
	body   string
	length int64 // announced; 0: as long as body is, below 0: not
	hold   bool  // the body, or the rest of it, is not sent yet
	deaf   bool  // takes no body
	// goAhead asks for 100 (Continue); trailer is the name of one.
	goAhead bool
	trailer string
	expect  []byte // the answer's body, as far as it comes; nil: whatever

	x       http.Exchange
	sent    int
	begun   bool
	interim []int
	status  int
	fields  string
	got     int
	text    string
	ended   bool
	done    bool
	cause   error
}

// ask makes a request. fields have the form "Name: value".
func (p *peer) ask(method, target, body string, fields ...string) *call {
	c := &call{body: body}
	c.set(method, target, fields...)
	p.send(c)
	return c
}

// set builds the head.
func (c *call) set(method, target string, fields ...string) {
	c.Method, c.Target = []byte(method), []byte(target)
	for _, f := range fields {
		name, v, _ := strings.Cut(f, ": ")
		c.Add([]byte(name), []byte(v))
	}
}

// send sends a request after set.
func (p *peer) send(c *call) {
	c.p = p
	c.Scheme, c.Authority = []byte("http"), []byte("host.example")
	if path, query, ok := strings.Cut(string(c.Target), "?"); p.proto == "h2" {
		c.Path = []byte(path)
		if ok {
			c.Query = []byte(query)
		}
	}
	if c.length == 0 {
		c.length = int64(len(c.body))
	}
	p.queue = append(p.queue, c)
	p.next()
}

func (p *peer) next() {
	for len(p.queue) > 0 && !(p.busy && p.proto == "h1") {
		c := p.queue[0]
		p.queue = p.queue[1:]
		do := p.h1.Do
		if p.proto == "h2" {
			do = p.h2.Do
		}
		x, err := do(c)
		if err != nil {
			c.done, c.cause = true, err
			continue
		}
		p.busy, c.x = true, x
		if c.deaf {
			x.Pause()
		}
	}
}

// Writable implements http.Handler.
func (c *call) Writable(x http.Exchange) {
	if !c.begun {
		c.Length, c.Continue = c.length, c.goAhead
		if err := x.SendHead(&c.Message, c.length == 0); errors.Is(err, http.ErrNoRoom) {
			x.WantWrite()
			return
		} else if err != nil {
			c.p.w.t.Errorf("%s %s cannot be sent: %v", c.Method, c.Target, err)
			return
		}
		c.begun = true
	}
	if c.length == 0 || c.hold && c.sent == len(c.body) {
		return
	}
	r := x.Room()
	if r == nil {
		x.WantWrite()
		return
	}
	n := copy(r, c.body[c.sent:])
	c.sent += n
	end := c.sent == len(c.body) && !c.hold
	x.Commit(n, end && c.trailer == "")
	if end && c.trailer != "" {
		if err := x.SendTrailers([]http.Field{{Name: []byte(c.trailer), Value: []byte("v")}}); errors.Is(err, http.ErrNoRoom) {
			x.WantWrite()
		} else if err != nil {
			c.p.w.t.Errorf("trailers: %v", err)
		}
	}
	if c.sent < len(c.body) {
		x.WantWrite()
	}
}

// Head implements http.Handler.
func (c *call) Head(_ http.Exchange, m *http.Message) {
	if m.Status < 200 {
		c.interim = append(c.interim, m.Status)
		return
	}
	c.status = m.Status
	var list []string
	for _, f := range m.Fields {
		if n := strings.ToLower(string(f.Name)); n != "date" && n != "transfer-encoding" && n != "connection" {
			list = append(list, n+"="+string(f.Value))
		}
	}
	sort.Strings(list)
	c.fields = strings.Join(list, " ")
}

// Body implements http.Handler.
func (c *call) Body(_ http.Exchange, b []byte) {
	if c.expect != nil && !bytes.HasPrefix(c.expect[min(c.got, len(c.expect)):], b) {
		c.p.w.t.Errorf("%s %s: the answer's body differs from what was sent within %d bytes behind byte %d", c.Method, c.Target, len(b), c.got)
	}
	c.got += len(b)
	c.text += string(b[:min(len(b), 64-len(c.text))])
}

// End implements http.Handler.
func (c *call) End(http.Exchange, []http.Field) { c.ended = true }

// Done implements http.Handler.
func (c *call) Done(_ http.Exchange, cause error) {
	c.done, c.cause, c.x = true, cause, nil
	p := c.p
	p.busy = false
	p.w.Net.At(0, p.next)
}

// seen is the response in one line.
func (c *call) seen() string {
	var b strings.Builder
	for _, s := range c.interim {
		fmt.Fprintf(&b, "%d, ", s)
	}
	switch {
	case c.status == 0 && c.cause != nil:
		return b.String() + "broken"
	case c.status == 0:
		return b.String() + "nothing"
	}
	fmt.Fprintf(&b, "%d", c.status)
	if c.fields != "" {
		b.WriteString(" " + c.fields)
	}
	if c.text != "" {
		fmt.Fprintf(&b, " %q", c.text)
	}
	switch {
	case !c.ended && c.cause != nil:
		b.WriteString(" cut")
	case !c.ended:
		b.WriteString(" ...")
	}
	return b.String()
}

// want compares it.
func (c *call) want(what, want string) {
	c.p.w.t.Helper()
	if got := c.seen(); got != want {
		c.p.w.t.Errorf("%s: the client saw\n  got  %s\n  want %s\n  cause %v", what, got, want, c.cause)
	}
}

// until turns the loops for at most d, until all calls are done.
func (w *world) until(d time.Duration, calls ...*call) {
	w.t.Helper()
	end := w.Net.Now() + d
	w.Net.At(d, func() {})
	w.Run("calls to be done", func() bool {
		if w.Net.Now() >= end {
			return true
		}
		for _, c := range calls {
			if !c.done {
				return false
			}
		}
		return true
	})
}

// turnsAtMost checks that the server's loop did not spin.
func (w *world) turnsAtMost(n uint64) {
	w.t.Helper()
	if got := w.Server.Loop.Stats().Turns; got > n {
		w.t.Errorf("turns of the server's loop: got %d, want at most %d: it spins", got, n)
	}
}
