package h2

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// recorder is a handler that records its calls and sends a given message.
type recorder struct {
	name   string
	log    *strings.Builder
	head   http.Message // sent, if its Status or Method is set
	body   string       // sent after it
	end    bool         // head has no body
	split  int          // bytes per Commit; 0: as much as Room returns
	trail  []http.Field
	onHead func(x http.Exchange, m *http.Message)
	onBody func(x http.Exchange, b []byte)
	onEnd  func(x http.Exchange)
	stuck  bool // nothing is sent after the head
	quiet  bool // body is counted and not logged
	got    int
	left   string
	sent   bool
	done   bool
	cause  error
	x      http.Exchange
}

func (r *recorder) say(format string, args ...any) {
	if r.log != nil {
		fmt.Fprintf(r.log, r.name+" "+format+"\n", args...)
	}
}

func (r *recorder) Head(x http.Exchange, m *http.Message) {
	r.x = x
	var f strings.Builder
	for _, v := range m.Fields {
		fmt.Fprintf(&f, " %s=%s", v.Name, v.Value)
	}
	if m.Status != 0 {
		r.say("head %d length %d%s", m.Status, m.Length, f.String())
	} else {
		r.say("head %s %s %s %s length %d%s", m.Method, m.Scheme, m.Authority, m.Target, m.Length, f.String())
	}
	if r.onHead != nil {
		r.onHead(x, m)
	}
}

func (r *recorder) Body(x http.Exchange, b []byte) {
	r.got += len(b)
	if !r.quiet {
		r.say("body %s", quoted(b))
	}
	if r.onBody != nil {
		r.onBody(x, b)
	}
}

// quoted quotes octets one by one, so that the quotes of the pieces concatenate to the quote of the whole.
func quoted(b []byte) string {
	q := []byte{'"'}
	for _, c := range b {
		if c < 0x80 {
			one := strconv.Quote(string(rune(c)))
			q = append(q, one[1:len(one)-1]...)
		} else {
			q = fmt.Appendf(q, `\x%02x`, c)
		}
	}
	return string(append(q, '"'))
}

// HalfClosed implements http.HalfCloseWatcher.
func (r *recorder) HalfClosed(http.Exchange) { r.say("half-closed") }

func (r *recorder) End(x http.Exchange, t []http.Field) {
	var f strings.Builder
	for _, v := range t {
		fmt.Fprintf(&f, " %s=%s", v.Name, v.Value)
	}
	r.say("end%s", f.String())
	if r.onEnd != nil {
		r.onEnd(x)
	} else if r.head.Status != 0 {
		x.WantWrite()
	}
}

func (r *recorder) Writable(x http.Exchange) {
	r.x = x
	if !r.sent {
		if r.head.Status == 0 && len(r.head.Method) == 0 {
			return
		}
		if err := x.SendHead(&r.head, r.end); err != nil {
			if err == http.ErrNoRoom {
				x.WantWrite()
			} else {
				r.say("send head: %v", err)
			}
			return
		}
		r.sent, r.left = true, r.body
	}
	if r.end || r.stuck {
		return
	}
	room := x.Room()
	if room == nil {
		x.WantWrite()
		return
	}
	if r.split > 0 {
		room = room[:min(r.split, len(room))]
	}
	n := copy(room, r.left)
	r.left = r.left[n:]
	if r.left != "" {
		x.Commit(n, false)
		x.WantWrite()
		return
	}
	if r.trail == nil {
		x.Commit(n, true)
		return
	}
	x.Commit(n, false)
	if err := x.SendTrailers(r.trail); err != nil {
		r.say("send trailers: %v", err)
	}
}

func (r *recorder) Done(_ http.Exchange, cause error) {
	r.done, r.cause = true, cause
	r.say("done %v", cause)
}

// acceptFunc is an Acceptor.
type acceptFunc func(s *Server) http.Handler

func (f acceptFunc) Accept(s *Server) http.Handler { return f(s) }

// pair is a Client and a Server that talk over two fake transports.
type pair struct {
	c      Client
	s      Server
	cl, sl *rolestest.Lower
	events []string
}

func (p *pair) Ready(*Client)         { p.events = append(p.events, "ready") }
func (p *pair) Draining(*Client)      { p.events = append(p.events, "draining") }
func (p *pair) Closed(*Client, error) { p.events = append(p.events, "closed") }

func newPair(cc, sc Config, accept func(s *Server) http.Handler) *pair {
	p := &pair{cl: rolestest.New(), sl: rolestest.New()}
	p.c.Init(NewShared(cc), p.cl)
	p.c.Owner = p
	p.s.Init(NewShared(sc), p.sl, acceptFunc(accept))
	return p
}

func (p *pair) open() {
	p.cl.Open(&p.c)
	p.sl.Open(&p.s)
	p.pump()
}

// pump carries bytes until nothing moves.
func (p *pair) pump() {
	for moved := true; moved; {
		moved = false
		for _, w := range []struct{ from, to *rolestest.Lower }{{p.cl, p.sl}, {p.sl, p.cl}} {
			w.from.Sleep(0)
			w.from.Service()
			if b := w.from.Out; len(b) > 0 {
				moved = true
				b = append([]byte(nil), b...)
				w.from.Out = w.from.Out[:0]
				w.to.Feed(b)
			}
		}
	}
}

func (p *pair) check(t testing.TB) {
	t.Helper()
	if p.cl.Misuse != "" || p.sl.Misuse != "" {
		t.Errorf("misuse of the transport: client %q, server %q", p.cl.Misuse, p.sl.Misuse)
	}
}

func get(path string) http.Message {
	return http.Message{Method: []byte("GET"), Scheme: []byte("https"), Authority: []byte("a.example"), Target: []byte(path)}
}

func post(path string, length int64) http.Message {
	m := get(path)
	m.Method, m.Length = []byte("POST"), length
	return m
}

func field(name, value string) http.Field {
	return http.Field{Name: []byte(name), Value: []byte(value)}
}

var _ roles.Upper = (*Server)(nil)

const second = time.Second
