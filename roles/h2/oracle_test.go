package h2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// drive carries bytes between a role and conn until done returns true.
func drive(t *testing.T, conn net.Conn, l *rolestest.Lower, u roles.Upper, done func() bool) {
	t.Helper()
	in := make(chan []byte, 1<<16) // more than ever arrives, so that neither end waits for the other to read
	go func() {
		defer close(in)
		for {
			b := make([]byte, 32<<10)
			n, err := conn.Read(b)
			if n > 0 {
				in <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	patience := time.After(20 * time.Second)
	l.Open(u)
	for {
		if b := l.Out; len(b) > 0 {
			if _, err := conn.Write(b); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			l.Out = b[:0]
			continue
		}
		if done() {
			return
		}
		select {
		case b, ok := <-in:
			if !ok {
				t.Error("the other end has closed")
				return
			}
			l.Feed(b)
			l.Sleep(0)
			l.Service()
		case <-time.After(5 * time.Millisecond): // the other end may be done
		case <-patience:
			t.Error("no progress")
			return
		}
	}
}

// onlyH2 is HTTP/2 in plain text, with prior knowledge.
func onlyH2() *nethttp.Protocols {
	p := new(nethttp.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn chan net.Conn
	addr net.Addr
	once sync.Once
}

func (o *oneConn) Accept() (net.Conn, error) {
	c, ok := <-o.conn
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (o *oneConn) Close() error   { o.once.Do(func() { close(o.conn) }); return nil }
func (o *oneConn) Addr() net.Addr { return o.addr }

// TestClientAgainstNetHTTP: the standard library's server echoes what several exchanges of our client send it at a time.
func TestClientAgainstNetHTTP(t *testing.T) {
	near, far := net.Pipe()
	l := &oneConn{conn: make(chan net.Conn, 1), addr: near.LocalAddr()}
	l.conn <- far
	s := &nethttp.Server{Protocols: onlyH2(), Handler: nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("Trailer", "Sum")
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: read: %v", r.URL, err)
		}
		w.WriteHeader(203)
		w.Write(b)
		w.Header().Set("Sum", fmt.Sprint(len(b), r.Trailer.Get("Sum")))
	})}
	go s.Serve(l)
	defer s.Close()
	defer near.Close()

	var c Client
	low := rolestest.New()
	c.Init(NewShared(DefaultConfig()), low)
	var all []*recorder
	owner := &asked{}
	owner.ready = func() {
		for len(all) < 20 {
			n := []int{0, 1, 100, 16384, 70000, 300000}[len(all)%6]
			r := &recorder{name: "x", log: new(strings.Builder), head: post("/"+fmt.Sprint(len(all)), http.UnknownLength), body: string(text(n)), quiet: true}
			r.trail = []http.Field{field("sum", "!")}
			r.head.Fields = []http.Field{field("trailer", "sum")}
			if _, err := c.Do(r); err != nil {
				return
			}
			all = append(all, r)
		}
	}
	c.Owner = owner
	drive(t, near, low, &c, func() bool {
		for _, r := range all {
			if !r.done {
				return false
			}
		}
		return len(all) == 20
	})
	for i, r := range all {
		want := len(r.body)
		if r.cause != nil || r.got != want || !strings.Contains(r.log.String(), fmt.Sprintf("x end sum=%d!", want)) || !strings.Contains(r.log.String(), "head 203 ") {
			t.Errorf("exchange %d: done with %v, got %d of %d octets:\n%s", i, r.cause, r.got, want, r.log.String())
		}
	}
	if low.Misuse != "" {
		t.Error(low.Misuse)
	}
}

// echoing is a handler that sends back what arrives, and pauses while it has much of it.
type echoing struct {
	held  []byte
	begun bool
	all   bool
}

func (h *echoing) Head(x http.Exchange, m *http.Message) { x.WantWrite() }

func (h *echoing) Body(x http.Exchange, b []byte) {
	if h.held = append(h.held, b...); len(h.held) > 50000 {
		x.Pause()
	}
	x.WantWrite()
}

func (h *echoing) End(x http.Exchange, _ []http.Field) { h.all = true; x.WantWrite() }

func (h *echoing) Writable(x http.Exchange) {
	if !h.begun {
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength, Fields: []http.Field{field("A", "b")}}, false); err != nil {
			x.WantWrite()
			return
		}
		h.begun = true
	}
	for len(h.held) > 0 {
		r := x.Room()
		if r == nil {
			x.WantWrite()
			return
		}
		n := copy(r, h.held)
		h.held = h.held[n:]
		x.Commit(n, false)
	}
	x.Resume()
	if h.all {
		x.SendTrailers([]http.Field{field("Sum", "5")})
	}
}

func (h *echoing) Done(http.Exchange, error) {}

// TestServerAgainstNetHTTP: the standard library's client makes requests to our server, twenty at a time.
func TestServerAgainstNetHTTP(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	tr := &nethttp.Transport{Protocols: onlyH2(), DialContext: func(context.Context, string, string) (net.Conn, error) { return far, nil }}
	results := make(chan error, 20)
	ask := func(i int) error {
		n := []int{0, 1, 100, 16384, 70000, 300000}[i%6]
		req, err := nethttp.NewRequest("PUT", "http://a.example/", bytes.NewReader(text(n)))
		if err != nil {
			return err
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(b, text(n)) || res.StatusCode != 200 || res.Header.Get("A") != "b" || res.Trailer.Get("Sum") != "5" {
			return fmt.Errorf("%d octets: status %d, %v, %v, %d octets, %v", n, res.StatusCode, res.Header, res.Trailer, len(b), err)
		}
		return nil
	}
	go func() {
		results <- ask(0) // makes the connection that the others share
		for i := range 19 {
			go func() { results <- ask(i + 1) }()
		}
	}()
	var s Server
	low := rolestest.New()
	s.Init(NewShared(DefaultConfig()), low, acceptFunc(func(*Server) http.Handler { return new(echoing) }))
	drive(t, near, low, &s, func() bool { return len(results) == 20 })
	for range len(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if low.Misuse != "" {
		t.Error(low.Misuse)
	}
}
