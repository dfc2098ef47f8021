package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
)

// A peer stops at every step: after each record, and in the middle of each.
func TestPeerStopsAtEveryStep(t *testing.T) {
	for _, v := range versions {
		for _, role := range roleNames {
			for _, how := range []string{"cut", "lost", "timeout", "shutdown"} {
				t.Run(role+" "+v.name+" "+how, func(t *testing.T) {
					before := runtime.NumGoroutine()
					for limit := 0; stopsAt(t, role, v.v, how, limit); limit += 37 {
					}
					if now := runtime.NumGoroutine(); now > before {
						t.Errorf("coroutines: got %d more than before, want none", now-before)
					}
				})
			}
		}
	}
}

// stopsAt makes a peer stop after limit bytes, and ends the session in one of four ways. It reports whether the peer
// had more to send.
func stopsAt(t *testing.T, role string, version uint16, how string, limit int) (stopped bool) {
	sh := newShared(t, nil)
	r := inRole(t, role, sh, &stdtls.Config{MaxVersion: version})
	_ = r.do(func() error {
		w := &shortWire{r.m.wire().(*mateWire), &limit, &stopped}
		c := &stdtls.Config{RootCAs: testCA().pool(), ServerName: "example.test", Time: wallToday, MaxVersion: version,
			Certificates: []stdtls.Certificate{example()}}
		if r.m.Conn = stdtls.Client(w, c); role == "client" {
			r.m.Conn = stdtls.Server(w, c)
		}
		return r.m.Handshake()
	})
	if !stopped {
		return false
	}
	if r.p.closed == 0 {
		switch how {
		case "cut":
			r.low.End()
		case "lost":
			r.low.Break(errors.New("lost"))
		case "timeout":
			r.low.Sleep(time.Minute)
		case "shutdown":
			sh.Close()
			r.low.Service()
		}
	}
	// A client is established before the server has sent its ticket; then only the transport's end affects it.
	if !r.low.Over && how != "shutdown" && !(r.p.opened && how == "timeout") || sh.InFlight() != 0 {
		t.Fatalf("opened %v: over %v, in flight %d; want over, none", r.p.opened, r.low.Over, sh.InFlight())
	}
	return true
}

// shortWire drops all bytes after the first budget bytes.
type shortWire struct {
	*mateWire
	budget  *int
	stopped *bool
}

func (w *shortWire) Write(b []byte) (int, error) {
	n := min(len(b), *w.budget)
	*w.budget -= n
	*w.stopped = *w.stopped || n < len(b)
	_, _ = w.mateWire.Write(b[:n])
	return len(b), nil
}

func TestHandshakesWaitInOrder(t *testing.T) {
	sh := newShared(t, func(c *Config) { c.MaxHandshakes = 2 })
	v := newServer(t, sh, nil)
	hello := clientHello(t)
	var rigs []*rig
	for range 5 {
		r := server(t, v, &stdtls.Config{})
		r.low.Feed(hello) // and nothing more: the handshake is suspended, or waits
		rigs = append(rigs, r)
	}
	if sh.InFlight() != 2 || sh.Waiting() != 3 {
		t.Fatalf("with places for 2 of 5: got %d in flight, %d waiting, want 2 and 3", sh.InFlight(), sh.Waiting())
	}
	if sh.Counters.Waited != 3 {
		t.Errorf("waited: got %d, want 3", sh.Counters.Waited)
	}
	for i := range 3 {
		rigs[i].low.Break(errors.New("lost"))
		if sh.InFlight() != 2 || sh.Waiting() != 2-i {
			t.Errorf("after %d ended: got %d in flight, %d waiting, want 2 and %d", i+1, sh.InFlight(), sh.Waiting(), 2-i)
		}
		if r := rigs[i+2]; r.low.Paused || r.s.hs.in != nil && r.s.hs.in != &sh.places.running {
			t.Errorf("handshake %d was the next in line and got no place", i+2)
		}
		rigs[i+2].low.Service()
	}
}

func TestWaitingHandshakeCanEnd(t *testing.T) {
	sh := newShared(t, func(c *Config) { c.MaxHandshakes = 1 })
	v := newServer(t, sh, nil)
	first := server(t, v, &stdtls.Config{})
	first.low.Feed(clientHello(t))
	c := newClient(t, sh, nil)
	second := client(t, c, &stdtls.Config{})
	third := client(t, c, &stdtls.Config{})
	if sh.Waiting() != 2 || len(third.low.Out) > 0 {
		t.Fatalf("waiting: got %d, want 2 that have sent nothing", sh.Waiting())
	}
	second.low.Sleep(11 * time.Second)
	second.wantClosed(ErrTimeout)
	if sh.Waiting() != 1 {
		t.Errorf("waiting after one timed out: got %d, want 1", sh.Waiting())
	}
	first.low.Break(nil)
	third.handshake()
	third.echo(10)
}

func TestStepsPerTurn(t *testing.T) {
	steps, kicks := 0, 0
	sh := newShared(t, func(c *Config) {
		c.TakeStep = func() bool { steps--; return steps >= 0 }
		c.Kick = func() { kicks++ }
	})
	v := newServer(t, sh, nil)
	var rigs []*rig
	for range 3 {
		r := server(t, v, &stdtls.Config{})
		_ = r.do(r.m.Handshake)
		if r.p.opened || !r.low.Paused {
			t.Fatalf("without an allowed step: opened %v, paused %v; want paused", r.p.opened, r.low.Paused)
		}
		rigs = append(rigs, r)
	}
	if kicks != 3 || sh.Counters.PutOff != 3 {
		t.Errorf("put off: got %d kicks, %d counted, want 3", kicks, sh.Counters.PutOff)
	}
	steps = 1
	sh.Turn()
	for i, r := range rigs {
		r.low.Service()
		if answered := len(r.low.Out) > 0; answered != (i == 0) {
			t.Errorf("handshake %d after a turn with one step: answered %v", i, answered)
		}
	}
	rigs[1].low.Break(errors.New("lost")) // while its step is delayed
	steps = 100
	sh.Turn()
	rigs[2].low.Service()
	if len(rigs[2].low.Out) == 0 {
		t.Error("the last handshake did not continue")
	}
}

func TestHandshakeTakesTooLong(t *testing.T) {
	sh := newShared(t, func(c *Config) { c.Handshake = 3 * time.Second })
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.low.Sleep(2 * time.Second)
	if r.p.closed > 0 {
		t.Fatalf("closed too early: %q", r.p.log)
	}
	r.low.Sleep(2 * time.Second)
	r.wantClosed(ErrTimeout)
}

func TestShutdownRefusesLaterHandshakes(t *testing.T) {
	sh := newShared(t, nil)
	v := newServer(t, sh, nil)
	sh.Close()
	r := server(t, v, &stdtls.Config{})
	if err := r.do(r.m.Handshake); err == nil {
		t.Error("handshake after Close went well")
	}
	r.wantClosed(ErrShutdown)
}

// A panic in crypto/tls, or in the user's key, propagates from the transport's call.
func TestPanicPropagates(t *testing.T) {
	sh := newShared(t, nil)
	v := newServer(t, sh, nil)
	v.conf.GetCertificate = func(*stdtls.ClientHelloInfo) (*stdtls.Certificate, error) { panic("ouch") }
	r := server(t, v, &stdtls.Config{})
	hello := clientHello(t)
	func() {
		defer func() {
			if got := fmt.Sprint(recover()); !strings.Contains(got, "ouch") {
				t.Errorf("recovered %q, want ouch", got)
			}
		}()
		r.low.Feed(hello)
		t.Error("no panic")
	}()
}

// clientHello is the first flight of a crypto/tls client.
func clientHello(t testing.TB) []byte {
	m := &mate{}
	m.Conn = stdtls.Client(m.wire(), &stdtls.Config{ServerName: "example.test"})
	_ = m.Handshake()
	if len(m.out) == 0 {
		t.Fatal("no hello")
	}
	return m.out
}

func TestPlainTextOnATLSPort(t *testing.T) {
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "HELLO", "\x80\x2e\x01\x03\x01"} {
		sh := newShared(t, nil)
		r := server(t, newServer(t, sh, nil), &stdtls.Config{})
		r.low.Feed([]byte(text))
		r.wantClosed(ErrNotTLS)
		if r.p.cause != nil && !strings.Contains(r.p.cause.Error(), fmt.Sprintf("%.5q", text)) {
			t.Errorf("error: got %q, want it to quote %.5q", r.p.cause, text)
		}
	}
}

func TestHelloRetryRequest(t *testing.T) {
	sh := newShared(t, nil)
	v := newServer(t, sh, func(c *ServerConfig) { c.Groups = []stdtls.CurveID{stdtls.CurveP384} })
	r := server(t, v, &stdtls.Config{})
	r.handshake()
	if !r.m.ConnectionState().HelloRetryRequest {
		t.Error("no HelloRetryRequest was needed, so the test has no effect")
	}
	if st := r.s.State(); st.Group != stdtls.CurveP384 || !st.TakenOver {
		t.Errorf("state: got %+v, want group P-384, taken over", st)
	}
	r.echo(1000)
}

func TestResumption(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			keys, err := (*TicketKeys)(nil).Rotate(zeroes{})
			if err != nil {
				t.Fatal(err)
			}
			sh, other := newShared(t, nil), newShared(t, nil)
			sh.SetTicketKeys(keys)
			rotated, _ := keys.Rotate(ones{})
			other.SetTicketKeys(rotated)
			c := &stdtls.Config{MaxVersion: v.v, ClientSessionCache: stdtls.NewLRUClientSessionCache(4)}
			for i, loop := range []*Shared{sh, sh, other, sh} {
				r := server(t, newServer(t, loop, nil), c)
				r.handshake()
				r.echo(10)
				if got := r.s.State().Resumed; got != (i > 0 && i < 3 || i == 3 && got) {
					t.Errorf("connection %d: resumed %v", i, got)
				}
				r.echo(5000)
			}
			// A server with other requirements does not accept such a ticket.
			r := server(t, newServer(t, sh, func(c *ServerConfig) { c.Auth, c.Clients = AuthOptional, testCA().store() }), c)
			r.handshake()
			if r.s.State().Resumed {
				t.Error("a server that requests certificates accepted the ticket of one that does not")
			}
		})
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}

func TestClientResumes(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			conf := &stdtls.Config{MaxVersion: v.v}
			c := newClient(t, sh, nil)
			for i := range 3 {
				r := client(t, c, conf)
				r.handshake()
				r.echo(10)
				if got := r.s.State().Resumed; got != (i > 0) {
					t.Errorf("connection %d: resumed %v", i, got)
				}
			}
			// A client with another trust store has not verified the server yet.
			r := client(t, newClient(t, sh, func(c *ClientConfig) {
				c.Store, _ = NewTrustStore("two", [][]byte{testCA().cert.Raw, newAuthority("more").cert.Raw})
			}), conf)
			r.handshake()
			if r.s.State().Resumed {
				t.Error("a session verified with one trust store was resumed with another")
			}
		})
	}
}

// The number of our first record depends on what crypto/tls has sent under the application keys.
func TestFirstRecordNumber(t *testing.T) {
	demand := func(c *ServerConfig) { c.Auth, c.Clients = AuthRequired, testCA().store() }
	for _, test := range []struct {
		name   string
		change func(*ServerConfig)
		takes  bool // the client accepts tickets
		want   uint64
	}{
		{"a ticket in the first flight", nil, true, 1},
		{"a ticket after the client's certificate", demand, true, 1},
		{"tickets off", func(c *ServerConfig) { c.NoTickets = true }, true, 0},
		{"a client without tickets", nil, false, 0},
		{"a client with a certificate and without tickets", demand, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			sh := newShared(t, nil)
			c := &stdtls.Config{Certificates: []stdtls.Certificate{testCA().issue(nil, "someone")}}
			if test.takes {
				c.ClientSessionCache = stdtls.NewLRUClientSessionCache(1)
			}
			r := server(t, newServer(t, sh, test.change), c)
			r.handshake()
			if r.s.out.seq != test.want || !r.s.State().TakenOver {
				t.Errorf("our first record: got number %d, taken over %v; want %d", r.s.out.seq, r.s.State().TakenOver, test.want)
			}
			r.echo(100)
		})
	}
}

// A ticket contains the client's chain, which may need several records.
func TestTicketOfManyRecords(t *testing.T) {
	sh := newShared(t, nil)
	a := newAuthority("big")
	big := a.issue(func(c *x509.Certificate) {
		for i := range 1200 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("a-rather-long-name-%d.example.test", i))
		}
	}, "someone")
	r := server(t, newServer(t, sh, func(c *ServerConfig) { c.Auth, c.Clients = AuthRequired, a.store() }), &stdtls.Config{
		Certificates: []stdtls.Certificate{big}, ClientSessionCache: stdtls.NewLRUClientSessionCache(1)})
	r.handshake()
	if r.s.out.seq < 2 {
		t.Errorf("records of the ticket: got %d, want several", r.s.out.seq)
	}
	r.echo(100)
}

func TestRefusedOutputWaits(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.low.Refuse = true
			if err := r.do(r.m.Handshake); !errors.Is(err, errStuck) {
				t.Fatalf("handshake with a transport that accepts no output: %v, want stuck", err)
			}
			if r.s.pendingOut == nil || len(r.low.Out) > 0 {
				t.Fatalf("the flight was sent: %d bytes out", len(r.low.Out))
			}
			r.low.Refuse = false
			r.low.Service()
			if len(r.low.Out) == 0 || r.s.pendingOut != nil {
				t.Errorf("the flight was not sent: %d bytes out, pending %v", len(r.low.Out), r.s.pendingOut)
			}
		})
	}
}

func TestCloseWaitsForCloseNotify(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			r.p.send([]byte("last words"))
			r.readMate(10)
			r.low.Refuse = true
			r.s.Close(roles.Graceful, nil)
			r.low.Service()
			if r.p.closed > 0 {
				t.Fatal("closed before close_notify is sent")
			}
			r.low.Refuse = false
			if b, err := r.readMateEnd(); len(b) > 0 || err != nil {
				t.Errorf("the mate got %q, %v; want close_notify", b, err)
			}
			r.wantClosed(nil)

			r = server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			r.low.Refuse = true
			r.s.Close(roles.Graceful, nil)
			r.low.Sleep(time.Minute)
			r.wantClosed(nil)
		})
	}
}

// A session that would keep its tls.Conn fails if there is no memory for another one, and frees its memory.
func TestHandshakeWithoutMemory(t *testing.T) {
	sh := newShared(t, nil)
	v, err := NewClient(sh, ClientConfig{Name: "example.test", Store: testCA().store()})
	if err != nil {
		t.Fatal(err)
	}
	r := client(t, v, &stdtls.Config{})
	r.low.Short = true
	_ = r.do(r.m.Handshake)
	if !errors.Is(r.low.Cause, ErrMemory) || sh.Counters.NoMemory != 1 || r.low.All() != 0 {
		t.Errorf("cause: got %v, %d counted, %d bytes charged; want %v, 1, none", r.low.Cause, sh.Counters.NoMemory, r.low.All(), ErrMemory)
	}
}
