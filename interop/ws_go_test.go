package interop

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// wsLibrary is a WebSocket library for Go. wsGo makes a wsPeer of it.
type wsLibrary interface {
	// dial opens a connection. The response is the refusal, or the handshake response.
	dial(ctx context.Context, url string, h http.Header, d wsDialing) (wsGoConn, *http.Response, error)
	// accept accepts a request with these parameters, with the fields in h.
	accept(w http.ResponseWriter, r *http.Request, h http.Header, d wsDialing) (wsGoConn, error)
}

// wsDialing holds the parameters of a handshake.
type wsDialing struct {
	tls     *stdtls.Config
	deflate string
	offered string // or accepted
	pong    func(payload string)
}

// wsGoConn is a library's connection. One goroutine reads, one writes.
type wsGoConn interface {
	// read returns the next message, or a *wsCloseError.
	read() (kind, data string, err error)
	// write sends a message in fragments of these lengths, and the rest in a final one.
	write(kind, data string, cuts []int) error
	// ping sends a Ping, and may wait for the Pong, while another goroutine reads.
	ping(payload string) error
	// close sends a Close frame. There must be no concurrent writer. read returns the answer, if the library reports it.
	close(code int, reason string) error
	// drop closes the socket.
	drop()
	protocol() string
}

// wsCloseError is a Close frame of the peer.
type wsCloseError struct {
	code   int
	reason string
}

func (b *wsCloseError) Error() string { return fmt.Sprintf("closed with %d %q", b.code, b.reason) }

// wsGo makes a wsPeer of a library, with net/http servers.
type wsGo struct {
	lib  wsLibrary
	tls  *stdtls.Config // of the clients
	port map[bool]string
	mu   sync.Mutex
	came *sync.Cond
	seen map[string]*wsNote
	gate map[string]int
}

func newWSGo(t *testing.T, keys *wsTLS, lib wsLibrary) *wsGo {
	g := &wsGo{lib: lib, tls: &stdtls.Config{RootCAs: keys.pool, MinVersion: stdtls.VersionTLS13}, port: map[bool]string{},
		seen: map[string]*wsNote{}, gate: map[string]int{}}
	g.came = sync.NewCond(&g.mu)
	for _, secure := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &stdtls.Config{Certificates: []stdtls.Certificate{keys.leaf.pair()}, MinVersion: stdtls.VersionTLS13}
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		g.port[secure] = s.Listener.Addr().String()
	}
	return g
}

// at implements wsPeer.
func (g *wsGo) at(c *wsConversation) string {
	if c.h2 {
		return ""
	}
	return g.port[c.secure]
}

// saw implements wsPeer.
func (g *wsGo) saw(id string) (s wsSeen, over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.seen[id]; n != nil && n.over {
		return n.seen, true
	}
	return s, false
}

// serve handles a connection as the request's query says.
func (g *wsGo) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if status, _ := strconv.Atoi(q.Get("refuse")); status != 0 {
		w.WriteHeader(status)
		return
	}
	n := &wsNote{seen: wsSeen{Origin: r.Header.Get("Origin"), Said: r.Header.Get("X-Said")}}
	defer func() {
		g.mu.Lock()
		n.over = true
		g.seen[q.Get("id")] = n
		g.mu.Unlock()
	}()
	pongs := make(chan string, 1)
	c, err := g.lib.accept(w, r, http.Header{"X-Reply": {wsReply}}, wsDialing{deflate: q.Get("deflate"), offered: q.Get("serve"), pong: func(s string) { pongs <- s }})
	if err != nil {
		n.seen.Error = "accept: " + err.Error()
		return
	}
	defer c.drop()
	n.seen.Protocol = c.protocol()
	if code, _ := strconv.Atoi(q.Get("close_code")); code != 0 {
		if err := c.close(code, q.Get("reason")); err != nil {
			n.seen.Error = "close: " + err.Error()
		}
	}
	g.wait(q.Get("gate"))
	came := hears(c)
	if p := q.Get("ping"); p != "" {
		if err := c.ping(p); err != nil {
			n.seen.Error = "ping: " + err.Error()
		}
	}
	pieces, _ := strconv.Atoi(q.Get("pieces"))
	for m := range came {
		if n.seen.ended(m.err) {
			break
		}
		n.seen.Heard = append(n.seen.Heard, heard(m.kind, m.data))
		var cuts []int
		for left := len(m.data); pieces > 0 && left > pieces; left -= pieces {
			cuts = append(cuts, pieces)
		}
		if err := c.write(m.kind, m.data, cuts); err != nil {
			n.seen.Error = "echo: " + err.Error()
			break
		}
	}
	select {
	case s := <-pongs:
		n.seen.Pongs = []string{s}
	default:
	}
}

// wsHeard is a result of read.
type wsHeard struct {
	kind, data string
	err        error
}

// hears reads a connection to its end. The channel buffers a few messages, since a Pong may come after them.
func hears(c wsGoConn) <-chan wsHeard {
	came := make(chan wsHeard, 4)
	go func() {
		defer close(came)
		for {
			kind, data, err := c.read()
			came <- wsHeard{kind, data, err}
			if err != nil {
				return
			}
		}
	}()
	return came
}

// wait returns when as many connections have arrived as the gate requires.
func (g *wsGo) wait(gate string) {
	all, _ := strconv.Atoi(gate)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gate[gate]++
	g.came.Broadcast()
	for begun := g.gate[gate] - 1; all > 0 && g.gate[gate] < begun-begun%all+all; {
		g.came.Wait()
	}
}

// ended records why no further message comes, if that is so.
func (s *wsSeen) ended(err error) bool {
	var closeErr *wsCloseError
	switch {
	case err == nil:
		return false
	case errors.As(err, &closeErr):
		s.Code, s.Reason = closeErr.code, closeErr.reason
	default:
		s.Error = "read: " + err.Error()
	}
	return true
}

// play implements wsPeer.
func (g *wsGo) play(url string, c *wsConversation) (s wsSeen) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h := http.Header{}
	if c.origin != "" {
		h.Set("Origin", c.origin)
	}
	if c.said != "" {
		h.Set("X-Said", c.said)
	}
	pongs := make(chan string, 1)
	x, r, err := g.lib.dial(ctx, url, h, wsDialing{tls: g.tls, deflate: c.deflate, offered: c.offered, pong: func(p string) { pongs <- p }})
	if err != nil {
		if s.Error = err.Error(); r != nil && r.StatusCode != http.StatusSwitchingProtocols {
			s.Status, s.Error = r.StatusCode, ""
		}
		return s
	}
	stop := context.AfterFunc(ctx, x.drop)
	defer stop()
	defer x.drop()
	s.Protocol, s.Reply, s.Extensions = x.protocol(), r.Header.Get("X-Reply"), strings.Join(r.Header.Values("Sec-Websocket-Extensions"), ", ")

	wrote := make(chan error, 1)
	go func() {
		for _, w := range c.say {
			var err error
			if w.kind == "ping" {
				err = x.ping(w.data)
			} else {
				err = x.write(w.kind, w.data, w.cuts)
			}
			if err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	closes := func() {
		code := c.code
		if code == 0 {
			code = 1000
		}
		if err := x.close(code, c.reason); err != nil {
			s.Error = "close: " + err.Error()
		}
	}
	left := len(c.messages())
	if left == 0 && !c.byServer {
		closes()
	}
	for {
		kind, data, err := x.read()
		if s.ended(err) {
			break
		}
		s.Heard = append(s.Heard, heard(kind, data))
		if left--; left == 0 {
			closes()
		}
	}
	if err := <-wrote; err != nil && s.Error == "" {
		s.Error = "write: " + err.Error()
	}
	select {
	case p := <-pongs:
		s.Pongs = []string{p}
	default:
	}
	return s
}

// fragments calls f with each fragment of data, cut at cuts.
func fragments(data string, cuts []int, f func(b []byte) error) error {
	for i := 0; i <= len(cuts); i++ {
		n := len(data)
		if i < len(cuts) {
			n = cuts[i]
		}
		if err := f([]byte(data[:n])); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
