package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// today is the time of the tests, when their certificates are valid.
var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var testCA = sync.OnceValue(func() *authority { return newAuthority("testCA") })

var serial int64

func newAuthority(name string) *authority {
	a := &authority{}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial++
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: today.Add(-24 * time.Hour), NotAfter: today.Add(24 * 365 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, a.key.Public(), a.key)
	if err != nil {
		panic(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
}

// issue makes a leaf for names; change may modify it.
func (a *authority) issue(change func(*x509.Certificate), names ...string) stdtls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial++
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: today.Add(-time.Hour), NotAfter: today.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(t)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) store() *TrustStore {
	t, err := NewTrustStore(a.cert.Subject.CommonName, [][]byte{a.cert.Raw})
	if err != nil {
		panic(err)
	}
	return t
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// example is the usual certificate of the server.
var example = sync.OnceValue(func() stdtls.Certificate { return testCA().issue(nil, "example.test") })

func wallToday() time.Time { return today }

func newShared(t testing.TB, change func(*Config)) *Shared {
	c := Config{Wall: wallToday}
	if change != nil {
		change(&c)
	}
	sh := New(c)
	t.Cleanup(func() {
		if sh.places.flight != 0 || sh.places.waiting != 0 || sh.places.running.Len() != 0 {
			t.Errorf("handshakes at the end: got %d in flight, %d running, %d waiting, want none", sh.places.flight, sh.places.running.Len(), sh.places.waiting)
		}
	})
	return sh
}

// protocol is an Upper that records its calls and input, and sends the bytes given to send.
type protocol struct {
	t      testing.TB
	s      *Session
	got    []byte
	out    []byte
	chunk  int // maximum per Commit, 0 for no limit
	leave  func(b []byte) int
	on     func(call string)
	log    []string
	cause  error
	opened bool
	ended  bool
	closed int
}

func (p *protocol) note(format string, args ...any) {
	c := fmt.Sprintf(format, args...)
	p.log = append(p.log, c)
	if p.closed > 0 {
		p.t.Errorf("%s after Closed: %q", c, p.log)
	}
	if p.on != nil {
		p.on(c)
	}
}

func (p *protocol) Opened(time.Duration) {
	if p.opened {
		p.t.Errorf("Opened twice: %q", p.log)
	}
	p.opened = true
	p.note("opened")
	if len(p.out) > 0 {
		p.s.WantWrite()
	}
}

func (p *protocol) Rx(_ time.Duration, b []byte) int {
	if !p.opened || p.s.flags&paused != 0 {
		p.t.Errorf("Rx of %d bytes, opened %v, paused %v: %q", len(b), p.opened, p.s.flags&paused != 0, p.log)
	}
	n := len(b)
	if p.leave != nil {
		n = p.leave(b)
	}
	p.got = append(p.got, b[:n]...)
	for i := range b[:n] {
		b[i] = '!'
	}
	return n
}

func (p *protocol) RxEnd(_ time.Duration, unused int) {
	if p.ended {
		p.t.Errorf("RxEnd twice: %q", p.log)
	}
	p.ended = true
	p.note("end %d", unused)
}

func (p *protocol) HungUp(time.Duration) { p.note("hung up") }

func (p *protocol) Writable(time.Duration) {
	if p.on != nil {
		p.on("writable")
	}
	for len(p.out) > 0 {
		n := len(p.out)
		if p.chunk > 0 {
			n = min(n, p.chunk)
		}
		r := p.s.Room(min(n, roles.MaxRoom))
		if r == nil {
			p.s.WantWrite()
			return
		}
		k := copy(r, p.out[:n])
		p.s.Commit(k)
		p.out = p.out[k:]
	}
}

func (p *protocol) Deadline() time.Duration { return 0 }
func (p *protocol) Timeout(time.Duration)   { p.note("timeout") }
func (p *protocol) Woken(time.Duration)     { p.note("woken") }

func (p *protocol) Closed(cause error) {
	p.note("closed %v", cause)
	p.closed++
	p.cause = cause
}

func (p *protocol) send(b []byte) {
	p.out = append(p.out, b...)
	p.s.WantWrite()
}

// mate is a crypto/tls connection at the other end. Its calls run in a coroutine, so that a test has one sequence of
// events.
type mate struct {
	*stdtls.Conn
	in, out []byte
	eof     bool
	yield   func(struct{}) bool
}

func (m *mate) wire() net.Conn { return (*mateWire)(m) }

type mateWire mate

func (m *mateWire) Read(b []byte) (int, error) {
	for len(m.in) == 0 {
		if m.eof {
			return 0, io.EOF
		}
		if m.yield == nil || !m.yield(struct{}{}) {
			return 0, errWouldBlock
		}
	}
	n := copy(b, m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *mateWire) Write(b []byte) (int, error)      { m.out = append(m.out, b...); return len(b), nil }
func (m *mateWire) Close() error                     { return nil }
func (m *mateWire) LocalAddr() net.Addr              { return pipeAddr{} }
func (m *mateWire) RemoteAddr() net.Addr             { return pipeAddr{} }
func (m *mateWire) SetDeadline(time.Time) error      { return nil }
func (m *mateWire) SetReadDeadline(time.Time) error  { return nil }
func (m *mateWire) SetWriteDeadline(time.Time) error { return nil }

// rig is a Session on a fake transport, with a crypto/tls peer.
type rig struct {
	t     testing.TB
	low   *rolestest.Lower
	s     *Session
	p     *protocol
	m     *mate
	split *mrand.Rand // sizes of the pieces in which bytes travel; nil: as sent
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, low: rolestest.New(), s: new(Session), m: &mate{}}
	r.p = &protocol{t: t, s: r.s}
	return r
}

// server makes our side the server and the mate the client.
func server(t testing.TB, v *Server, c *stdtls.Config) *rig {
	r := serverRig(t, v, c)
	t.Cleanup(r.end)
	return r
}

func serverRig(t testing.TB, v *Server, c *stdtls.Config) *rig {
	r := newRig(t)
	r.s.InitServer(v, r.low)
	r.s.SetUpper(r.p)
	c = c.Clone()
	if c.RootCAs == nil {
		c.RootCAs = testCA().pool()
	}
	if c.ServerName == "" {
		c.ServerName = "example.test"
	}
	c.Time = wallToday
	r.m.Conn = stdtls.Client(r.m.wire(), c)
	r.low.Open(r.s)
	return r
}

// client makes our side the client and the mate the server.
func client(t testing.TB, v *Client, c *stdtls.Config) *rig {
	r := newRig(t)
	r.s.InitClient(v, r.low)
	r.s.SetUpper(r.p)
	c.Time = wallToday
	if c.Certificates == nil && c.GetCertificate == nil {
		c.Certificates = []stdtls.Certificate{example()}
	}
	r.m.Conn = stdtls.Server(r.m.wire(), c)
	r.low.Open(r.s)
	t.Cleanup(r.end)
	return r
}

func (r *rig) end() {
	r.low.Break(nil)
	if r.low.Misuse != "" {
		r.t.Errorf("misuse of the transport: %s", r.low.Misuse)
	}
	if n := r.low.All(); n != 0 {
		r.t.Errorf("bytes charged at the end: got %d, want 0", n)
	}
	if r.p.closed > 1 {
		r.t.Errorf("closed: got %d times, want at most once: %q", r.p.closed, r.p.log)
	}
}

var errStuck = errors.New("stuck: no side has anything to send")

// do runs f, which uses the mate, and transfers bytes both ways until f returns.
func (r *rig) do(f func() error) (err error) {
	done := false
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		r.m.yield = yield
		err = f()
		r.m.yield = nil
		done = true
	})
	defer stop()
	for {
		next()
		moved := r.carry()
		if done {
			return err
		}
		if !moved {
			stop()
			return errors.Join(errStuck, err)
		}
	}
}

// carry transfers bytes to both sides until none are in flight.
func (r *rig) carry() (moved bool) {
	for {
		again := false
		if len(r.m.out) > 0 {
			again = true
			n := len(r.m.out)
			if r.split != nil {
				n = min(n, 1+r.split.IntN(1+r.split.IntN(20000)))
			}
			b := r.m.out[:n]
			r.m.out = r.m.out[n:]
			r.low.Feed(b)
		} else {
			r.low.Service()
		}
		if len(r.low.Out) > 0 {
			again = true
			r.m.in = append(r.m.in, r.low.Out...)
			r.low.Out = r.low.Out[:0]
		}
		if r.low.Shut || r.low.Over {
			r.m.eof = true
		}
		if !again {
			return moved
		}
		moved = true
	}
}

func (r *rig) handshake() {
	r.t.Helper()
	if err := r.do(func() error { return r.m.Handshake() }); err != nil {
		r.t.Fatalf("handshake: mate: %v; us: %q", err, r.p.log)
	}
	if !r.p.opened {
		r.t.Fatalf("handshake: not opened: %q", r.p.log)
	}
}

// say sends b from the mate.
func (r *rig) say(b []byte) {
	r.t.Helper()
	if err := r.do(func() error { _, err := r.m.Write(b); return err }); err != nil {
		r.t.Fatalf("mate: write: %v; us: %q", err, r.p.log)
	}
}

// readMate reads n bytes at the mate.
func (r *rig) readMate(n int) []byte {
	r.t.Helper()
	b := make([]byte, n)
	if err := r.do(func() error { _, err := io.ReadFull(r.m, b); return err }); err != nil {
		r.t.Fatalf("mate: read %d bytes: %v; us: %q", n, err, r.p.log)
	}
	return b
}

// readMateEnd reads to the end at the mate.
func (r *rig) readMateEnd() ([]byte, error) {
	var b []byte
	err := r.do(func() (err error) { b, err = io.ReadAll(r.m); return err })
	return b, err
}

// echo sends n bytes in each direction.
func (r *rig) echo(n int) {
	r.t.Helper()
	b := pattern(n)
	r.p.got = r.p.got[:0]
	r.say(b)
	r.want(b)
	r.p.send(b)
	wantBytes(r.t, "mate got", r.readMate(n), b)
}

func (r *rig) want(b []byte) {
	r.t.Helper()
	wantBytes(r.t, "we got", r.p.got, b)
	r.p.got = r.p.got[:0]
}

func (r *rig) wantClosed(target error) {
	r.t.Helper()
	if r.p.closed != 1 || !errors.Is(r.p.cause, target) {
		r.t.Errorf("closed %d times with %v, want once with %v; calls %q", r.p.closed, r.p.cause, target, r.p.log)
	}
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("%s %d bytes, want %d; they differ from byte %d on: got %.40q, want %.40q", what, len(got), len(want), i, got[i:], want[i:])
	}
}

// pattern returns n bytes that depend on their index.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func newServer(t testing.TB, sh *Shared, change func(*ServerConfig)) *Server {
	t.Helper()
	c := ServerConfig{Certificates: []stdtls.Certificate{example()}}
	if change != nil {
		change(&c)
	}
	v, err := NewServer(sh, c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newClient(t testing.TB, sh *Shared, change func(*ClientConfig)) *Client {
	t.Helper()
	c := ClientConfig{Name: "example.test", Store: testCA().store()}
	if change != nil {
		change(&c)
	}
	v, err := NewClient(sh, c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func keyOf(c stdtls.Certificate) *ecdsa.PrivateKey { return c.PrivateKey.(*ecdsa.PrivateKey) }
