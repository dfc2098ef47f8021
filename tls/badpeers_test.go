package tls

import (
	"bytes"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bystander is an established session that the bad peers of others must not affect.
func bystander(t testing.TB, sh *Shared) *rig {
	t.Helper()
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.handshake()
	return r
}

var roleNames = []string{"server", "client"}

// inRole makes our side the given role, and the mate the other.
func inRole(t testing.TB, role string, sh *Shared, c *stdtls.Config) *rig {
	t.Helper()
	if role == "server" {
		return server(t, newServer(t, sh, nil), c)
	}
	return client(t, newClient(t, sh, nil), c)
}

// flipWire inverts one bit of the bytes written through it.
type flipWire struct {
	*mateWire
	at      int // index of the byte
	bit     byte
	written int
}

func (w *flipWire) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	if i := w.at - w.written; i >= 0 && i < len(b) {
		b[i] ^= w.bit
	}
	w.written += len(b)
	return w.mateWire.Write(b)
}

// One bit is inverted anywhere in a handshake or in the records after it, in each role and version. Either the bit
// has no effect (the version of a record), or the session ends with an error. No byte that was not sent is passed up,
// no coroutine leaks, and other sessions are not affected.
func TestFlippedBits(t *testing.T) {
	step := 11
	if testing.Short() {
		step = 97
	}
	sent := pattern(3000)
	for _, v := range versions {
		for _, role := range roleNames {
			t.Run(role+" "+v.name, func(t *testing.T) {
				sh := newShared(t, nil)
				by := bystander(t, sh)
				before := runtime.NumGoroutine()
				broken, unharmed := 0, 0
				for at, all := -1, 0; at < all; at += step { // the first round inverts nothing and determines the number of bytes
					r := inRole(t, role, sh, &stdtls.Config{MaxVersion: v.v})
					w := &flipWire{mateWire: r.m.wire().(*mateWire), at: at, bit: 1 << (uint(at) % 8)}
					c := &stdtls.Config{MaxVersion: v.v, RootCAs: testCA().pool(), ServerName: "example.test", Time: wallToday,
						Certificates: []stdtls.Certificate{example()}}
					if role == "server" {
						r.m.Conn = stdtls.Client(w, c)
					} else {
						r.m.Conn = stdtls.Server(w, c)
					}
					err := r.do(func() error {
						for i := range 3 {
							if _, err := r.m.Write(sent[1000*i : 1000*(i+1)]); err != nil {
								return err
							}
						}
						return nil
					})
					if r.p.closed == 0 && !bytes.Equal(r.p.got, sent) {
						// It waits for the rest of an incomplete record.
						r.low.Sleep(time.Minute)
						r.low.End()
					}
					if !bytes.HasPrefix(sent, r.p.got) {
						t.Fatalf("byte %d: bytes passed up were not sent: %.40x", at, r.p.got)
					}
					switch {
					case at < 0:
						if r.p.closed != 0 {
							t.Errorf("closed although no bit was inverted: %v", r.p.cause)
						}
					case r.p.closed == 0:
						unharmed++
					case r.p.cause == nil:
						t.Errorf("byte %d: closed without a cause; mate: %v; %q", at, err, r.p.log)
					default:
						broken++
					}
					r.low.Break(nil)
					if n := sh.InFlight(); n != 0 {
						t.Fatalf("byte %d: %d handshakes in flight, want none", at, n)
					}
					all = max(all, w.written)
				}
				if now := runtime.NumGoroutine(); now > before {
					t.Errorf("coroutines: got %d more than before, want none", now-before)
				}
				if broken < 4*unharmed || broken < 5 {
					t.Errorf("%d ended with an error, %d unharmed: the inverted bits cover too little", broken, unharmed)
				}
				by.echo(1000)
			})
		}
	}
}

// Bytes that are no valid record, after the handshake of sessions that keep their tls.Conn. For other sessions see
// TestRecordsAreHandled.
func TestGarbageAfterTheHandshake(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes []byte
		text  string // of our error
		told  string // the error of the mate's crypto/tls
	}{
		{"plain text", []byte("GET / HTTP/1.1\r\n\r\n"), `a record starts with "GET /"`, "protocol version not supported"},
		{"a data record that is not encrypted", append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...), "answered with alert bad_record_mac", "bad record MAC"},
		{"an alert that is not encrypted", append([]byte{21, 3, 3, 0, 40}, make([]byte, 40)...), "answered with alert bad_record_mac", "bad record MAC"},
		{"a header with a length above the limit", []byte{23, 3, 3, 0xff, 0xff}, "oversized record received with length 65535", "record overflow"},
	} {
		for _, v := range versions {
			for _, role := range roleNames {
				if role == "server" && v.v == stdtls.VersionTLS13 {
					continue
				}
				t.Run(test.name+" "+role+" "+v.name, func(t *testing.T) {
					sh := newShared(t, nil)
					by := bystander(t, sh)
					r := inRole(t, role, sh, &stdtls.Config{MaxVersion: v.v})
					r.handshake()
					r.echo(10)
					r.low.Feed(test.bytes)
					if r.p.closed != 1 || r.p.cause == nil || !strings.HasPrefix(r.p.cause.Error(), "tls: read: ") || !strings.Contains(r.p.cause.Error(), test.text) {
						t.Errorf("closed %d times with %v, want once with %q", r.p.closed, r.p.cause, test.text)
					}
					if _, err := r.readMateEnd(); err == nil || !strings.HasSuffix(err.Error(), test.told) {
						t.Errorf("the mate got %v, want %s", err, test.told)
					}
					if sh.Counters.AlertsOut != 1 {
						t.Errorf("alerts counted: got %d, want 1", sh.Counters.AlertsOut)
					}
					by.echo(100)
				})
			}
		}
	}
}

// A flood of alerts during the handshake.
func TestAlertFloodInAHandshake(t *testing.T) {
	flood := bytes.Repeat([]byte{21, 3, 3, 0, 2, 1, byte(AlertUserCanceled)}, 10_000)
	for _, role := range roleNames {
		t.Run(role, func(t *testing.T) {
			sh := newShared(t, nil)
			by := bystander(t, sh)
			r := inRole(t, role, sh, &stdtls.Config{})
			r.low.Feed(flood)
			if r.p.closed != 1 || r.p.cause == nil || r.p.opened || !strings.Contains(r.p.cause.Error(), "too many ignored records") {
				t.Errorf("closed %d times with %v, opened %v; want once, for too many", r.p.closed, r.p.cause, r.p.opened)
			}
			if out := r.low.Out; !bytes.HasSuffix(out, []byte{0, 2, 2, byte(AlertUnexpectedMessage)}) {
				t.Errorf("we sent %x, want alert unexpected_message at the end", out)
			}
			if sh.InFlight() != 0 || sh.Counters.Failed != 1 {
				t.Errorf("got %d in flight, %d failed; want none, 1", sh.InFlight(), sh.Counters.Failed)
			}
			by.echo(100)
		})
	}
}

// A server that sends KeyUpdates without data: the limit of crypto/tls applies to clients.
func TestKeyUpdateFloodAtAClient(t *testing.T) {
	sh := newShared(t, nil)
	by := bystander(t, sh)
	var log bytes.Buffer
	p := &raw{rig: client(t, newClient(t, sh, nil), &stdtls.Config{KeyLogWriter: &log, SessionTicketsDisabled: true})}
	p.handshake()
	p.suite = p.m.ConnectionState().CipherSuite
	for line := range strings.Lines(log.String()) {
		f := strings.Fields(line)
		secret, _ := hex.DecodeString(f[2])
		switch f[0] {
		case "SERVER_TRAFFIC_SECRET_0":
			p.out = p.keys(secret)
		case "CLIENT_TRAFFIC_SECRET_0":
			p.in = p.keys(secret)
		}
	}
	update := func() []byte {
		b := p.seal(typeHandshake, []byte{24, 0, 0, 1, 0}, 0)
		p.out = p.next(p.out)
		return b
	}
	p.low.Feed(cat(update(), update(), p.seal(typeData, []byte("x"), 0)))
	p.want([]byte("x"))
	for range emptyRecordsMax + 1 {
		p.low.Feed(update())
	}
	if p.p.closed != 1 || p.p.cause == nil || !strings.Contains(p.p.cause.Error(), "too many non-advancing records") {
		t.Errorf("closed %d times with %v, want once, for too many", p.p.closed, p.p.cause)
	}
	if got, want := fmt.Sprint(p.received()), fmt.Sprint([]message{{typeAlert, []byte{2, byte(AlertUnexpectedMessage)}}}); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	by.echo(100)
}

// chainOf makes a certificate for name below n intermediates of a. The first of them allows pathLen further ones,
// unless pathLen is negative.
func (a *authority) chainOf(n, pathLen int, name string) stdtls.Certificate {
	by, shown := a, [][]byte(nil)
	for i := range n {
		c := by.issue(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
			c.DNSNames = nil
			if i == 0 && pathLen >= 0 {
				c.MaxPathLen, c.MaxPathLenZero = pathLen, pathLen == 0
			}
		}, fmt.Sprintf("intermediate %d", i+1))
		shown = append([][]byte{c.Certificate[0]}, shown...)
		by = &authority{cert: c.Leaf, key: keyOf(c)}
	}
	leaf := by.issue(nil, name)
	leaf.Certificate = append(leaf.Certificate, shown...)
	return leaf
}

// Chains that are longer than an authority allows, or than any verifier accepts, from servers and from clients.
func TestChainsTooLong(t *testing.T) {
	for _, test := range []struct {
		name string
		cert stdtls.Certificate
		want string // in the error; "" for a valid chain
		who  string
		dep  int
	}{
		{"three intermediates, three allowed", testCA().chainOf(3, 2, "example.test"), "", "", 0},
		{"twenty intermediates", testCA().chainOf(20, -1, "example.test"), "", "", 0},
		{"three intermediates, one allowed", testCA().chainOf(3, 0, "example.test"), "too many intermediates", "intermediate 1", 3},
		{"two hundred intermediates", testCA().chainOf(200, -1, "example.test"), "signature check attempts limit reached", "example.test", 0},
	} {
		for _, v := range versions {
			for _, role := range roleNames {
				t.Run(role+" "+test.name+" "+v.name, func(t *testing.T) {
					sh := newShared(t, nil)
					by := bystander(t, sh)
					shows := &stdtls.Config{Certificates: []stdtls.Certificate{test.cert}, MaxVersion: v.v}
					var r *rig
					if role == "client" {
						r = client(t, newClient(t, sh, nil), shows)
					} else {
						r = server(t, newServer(t, sh, func(c *ServerConfig) { c.Auth, c.Clients = AuthRequired, testCA().store() }), shows)
					}
					err := r.do(func() error {
						err := r.m.Handshake()
						if err == nil && test.want != "" {
							// In TLS 1.3 the mate gets our verdict later.
							_, err = r.m.Read(make([]byte, 1))
						}
						return err
					})
					if test.want == "" {
						if err != nil || !r.p.opened || len(r.s.State().Chain) != len(test.cert.Certificate) {
							t.Errorf("mate: %v; us: %q", err, r.p.log)
						}
						return
					}
					var e *VerifyError
					if !errors.As(r.p.cause, &e) || !strings.Contains(e.Error(), test.want) || e.Store != "testCA" ||
						e.Depth != test.dep || e.Cert.Subject.CommonName != test.who {
						t.Errorf("closed with %v, want a VerifyError by testCA about %s, number %d, with %q", r.p.cause, test.who, test.dep+1, test.want)
					}
					if err == nil || !strings.Contains(err.Error(), "bad certificate") {
						t.Errorf("the mate got %v, want alert bad_certificate", err)
					}
					if r.p.opened || sh.InFlight() != 0 {
						t.Errorf("opened %v, %d in flight; want neither", r.p.opened, sh.InFlight())
					}
					by.echo(100)
				})
			}
		}
	}
}
