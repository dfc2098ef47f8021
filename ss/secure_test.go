package ss_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// napTime is after how long the sessions of a secureWorld fall asleep.
const napTime = 20 * time.Millisecond

// pki is a certificate authority and one certificate of it for the names, as base64 DER.
type pki struct {
	ca, leaf, key string
	pair          stdtls.Certificate
}

func newPKI(t testing.TB, names ...string) pki { return newChain(t, 0, names...) }

// newChain is newPKI with a number of intermediate authorities, of which the root's allows none below itself. They
// follow the leaf.
func newChain(t testing.TB, between int, names ...string) pki {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	issuer, issuerKey, chain := ca, caKey, []byte(nil)
	for i := range between {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(3 + i)), Subject: pkix.Name{CommonName: fmt.Sprintf("CA %d", i+1)}, NotBefore: ca.NotBefore,
			NotAfter: ca.NotAfter, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, MaxPathLen: -1}
		if i == 0 {
			c.MaxPathLen, c.MaxPathLenZero = 0, true
		}
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, &k.PublicKey, issuerKey)
		must(err)
		issuer, issuerKey, chain = c, k, append(der, chain...)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, n := range names {
		if a, err := netip.ParseAddr(n); err == nil {
			leaf.IPAddresses = append(leaf.IPAddresses, a.AsSlice())
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &key.PublicKey, issuerKey)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	b := base64.StdEncoding.EncodeToString
	return pki{b(caDER), b(append(leafDER[:len(leafDER):len(leafDER)], chain...)), b(keyDER), stdtls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}}
}

// secureWorld is a server and a client runtime on one loop over real sockets. No connection is kept warm:
// each attempt has a handshake.
func secureWorld(t *testing.T, p pki, server, client string, certs ...stdtls.Certificate) (l *loop.Loop, srv, cli *ss.Runtime) {
	t.Helper()
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l = loop.New(sys, loop.Config{})
	t.Cleanup(func() { l.Close() })
	head := fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],
		"retry":[{"once":{"backoff":[1],"conceal":0}}],"s":[`, p.ca, p.leaf, p.key)
	make := func(doc string) *ss.Runtime {
		pol, err := policy.Parse([]byte(doc))
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		rt, err := ss.New(ss.Config{Loop: l, Policy: pol, PanicOnIllegal: true, ClientCerts: certs, KeepWarm: -1,
			TLS: tls.Config{Quiet: napTime}})
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	srv = make(head + `{"srv":{"server":true,"port":0,"tls":true,"server_cert":"leaf","server_key":"leaf_key","metadata":[{"mime":"content-type:"}],` + server + `}}]}`)
	var at loop.Addr
	h, err := srv.Create(ss.Info{StreamType: "srv", New: func(h *ss.Handle) ss.Stream {
		if h.Policy().Protocol == policy.Raw {
			return new(echo)
		}
		return hello{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	at, _ = h.Addr()
	cli = make(head + fmt.Sprintf(`{"cli":{"port":%d,"tls":true,"retry":"once","opportunistic":true,%s}}]}`, at.IP.Port(), client))
	return l, srv, cli
}

type told struct {
	*strings.Builder
	tx    string
	cause error
	tls   string
	end   bool
}

func (c *told) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	fmt.Fprintf(c, "%s ", strings.TrimPrefix(s.String(), "LWSSSCS_"))
	if n.Cause != nil {
		c.cause = n.Cause
	}
	switch s {
	case ss.Connected:
		if t, ok := h.TLS(); ok {
			c.tls = fmt.Sprintf("%s %s resumed %v chain %d", stdtls.VersionName(t.Version), t.ALPN, t.Resumed, len(t.Chain))
		}
		if c.tx != "" {
			return h.RequestTx()
		}
	case ss.Disconnected, ss.AllRetriesFailed:
		c.end = true
	}
	return ss.OK
}

func (c *told) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	c.Write(b)
	if c.tx != "" {
		return ss.DisconnectMe
	}
	return ss.OK
}

func (c *told) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, c.tx), ss.SOM | ss.EOM, ss.OK
}

func runSecure(t *testing.T, l *loop.Loop, cli *ss.Runtime, tx string) *told {
	t.Helper()
	c := &told{Builder: new(strings.Builder), tx: tx}
	h, err := cli.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return c }})
	if err != nil {
		t.Fatal(err)
	}
	h.Connect()
	for end := time.Now().Add(10 * time.Second); !c.end; {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("no end after ten seconds: %s", c)
		}
	}
	h.Destroy()
	return c
}

// Streams over TLS, both protocols, with a full handshake and with a resumed one.
func TestStreamsOverTLS(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	const trusting = `"endpoint":"127.0.0.1","tls_trust_store":"lab"`
	for _, c := range []struct {
		name, server, client, tx, want string
		tls                            [2]string
	}{
		{"h1", `"protocol":"h1"`, `"protocol":"h1",` + trusting, "",
			"CREATING CONNECTING CONNECTED hello\nQOS_ACK_REMOTE DISCONNECTED ",
			[2]string{"TLS 1.3 http/1.1 resumed false chain 1", "TLS 1.3 http/1.1 resumed true chain 1"}},
		{"raw", `"protocol":"raw"`, `"protocol":"raw",` + trusting, "ping",
			"CREATING CONNECTING CONNECTED pingDISCONNECTED ",
			[2]string{"TLS 1.3  resumed false chain 1", "TLS 1.3  resumed true chain 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, srv, cli := secureWorld(t, p, c.server, c.client)
			for round := range 2 {
				got := runSecure(t, l, cli, c.tx)
				if got.String() != c.want || got.tls != c.tls[round] {
					t.Errorf("round %d: got %q over %q, want %q over %q; cause %v", round, got, got.tls, c.want, c.tls[round], got.cause)
				}
			}
			if n := srv.TLS().Counters; n.TakenOver != 2 || n.Failed != 0 {
				t.Errorf("server sessions: got %+v, want 2 taken over", n)
			}
		})
	}
}

// Certificates that a client, or a server, must not accept: the stream receives UNREACHABLE with a
// cause that names the certificate, the reason and the trust store.
func TestTLSRefusals(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	other := newPKI(t, "device.example", "127.0.0.1")
	const h1 = `"protocol":"h1"`
	for _, c := range []struct {
		name, server, client string
		certs                []stdtls.Certificate
		want                 string // in the cause
	}{
		{"unknown root", h1, `"endpoint":"127.0.0.1",` + h1, nil, "trust store of the system"},
		{"wrong name", h1, `"endpoint":"127.0.0.2","tls_trust_store":"lab",` + h1, nil, "127.0.0.2"},
		{"chain too long", h1, `"endpoint":"127.0.0.1","tls_trust_store":"lab",` + h1, nil,
			"certificate \"CN=CA 1\" (number 3 of the peer's chain, serial 3): x509: too many intermediates for path length constraint: judged by trust store lab"},
		{"no client certificate", `"tls_trust_store":"lab",` + h1, `"endpoint":"127.0.0.1","tls_trust_store":"lab",` + h1, nil, "certificate"},
		{"a stranger's", `"tls_trust_store":"lab",` + h1, `"endpoint":"127.0.0.1","tls_trust_store":"lab","client_cert":0,` + h1,
			[]stdtls.Certificate{other.pair}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "wrong name" {
				c.server = `"endpoint":"127.0.0.2",` + c.server
			}
			p := p
			if c.name == "chain too long" {
				p = newChain(t, 2, "127.0.0.1")
			}
			l, srv, cli := secureWorld(t, p, c.server, c.client, c.certs...)
			got := runSecure(t, l, cli, "")
			if want := "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED "; got.String() != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got.cause == nil || !strings.Contains(got.cause.Error(), c.want) {
				t.Errorf("cause: got %v, want one that names %q", got.cause, c.want)
			}
			for l.Timeout() == 0 || srv.Net().Open() > 0 {
				if err := l.Service(); err != nil {
					t.Fatal(err)
				}
			}
			if n := srv.Len(); n != 1 {
				t.Errorf("server: %d streams left, want the listener alone", n)
			}
		})
	}
}

// A client that presents the certificate of its policy's client_cert is accepted.
func TestClientCertificate(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	l, _, cli := secureWorld(t, p, `"protocol":"h1","tls_trust_store":"lab"`,
		`"endpoint":"127.0.0.1","tls_trust_store":"lab","client_cert":0,"protocol":"h1"`, p.pair)
	if got := runSecure(t, l, cli, ""); !strings.Contains(got.String(), "QOS_ACK_REMOTE") {
		t.Errorf("got %q, cause %v", got, got.cause)
	}
}

// The policy's lowest version and groups apply on both sides.
func TestTLSDemands(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	for _, c := range []struct{ server, client, want string }{
		{`"tls_min_version":"1.3"`, `"tls_min_version":"1.3"`, "CREATING CONNECTING CONNECTED hello\nQOS_ACK_REMOTE DISCONNECTED "},
		{`"tls_groups":"P-384"`, `"tls_groups":"X25519:P-384"`, "CREATING CONNECTING CONNECTED hello\nQOS_ACK_REMOTE DISCONNECTED "},
		{`"tls_min_version":"1.2"`, `"tls_groups":"X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:P-256:P-384:P-521"`,
			"CREATING CONNECTING CONNECTED hello\nQOS_ACK_REMOTE DISCONNECTED "},
		{`"tls_groups":"P-384"`, `"tls_groups":"X25519"`, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED "},
	} {
		l, _, cli := secureWorld(t, p, `"protocol":"h1",`+c.server, `"endpoint":"127.0.0.1","tls_trust_store":"lab","protocol":"h1",`+c.client)
		if got := runSecure(t, l, cli, ""); got.String() != c.want {
			t.Errorf("server %s, client %s: got %q, want %q; cause %v", c.server, c.client, got, c.want, got.cause)
		}
	}
}

// Create reports errors in the TLS configuration, before the first attempt.
func TestTLSMisconfigured(t *testing.T) {
	p := newPKI(t, "device.example")
	l, _, cli := secureWorld(t, p, `"protocol":"h1"`, `"endpoint":"127.0.0.1","client_cert":3,"protocol":"h1"`)
	_, err := cli.Create(ss.Info{StreamType: "cli"})
	if !errors.Is(err, ss.ErrNoClientCert) {
		t.Errorf("client_cert without certificates: got %v", err)
	}
	pol, err := policy.Parse([]byte(`{"s":[{"srv":{"server":true,"port":0,"protocol":"h1","tls":true}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ss.New(ss.Config{Loop: l, Policy: pol})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.Create(ss.Info{StreamType: "srv"}); err == nil || !strings.Contains(err.Error(), "server_cert") {
		t.Errorf("server without a certificate: got %v", err)
	}
}

// Close during handshakes ends their coroutines.
func TestCloseEndsHandshakes(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	l, srv, _ := secureWorld(t, p, `"protocol":"h1"`, `"endpoint":"127.0.0.1","protocol":"h1"`)
	var at loop.Addr
	srv.Each(func(h *ss.Handle) { at, _ = h.Addr() })
	c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.IP.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go stdtls.Client(c, &stdtls.Config{InsecureSkipVerify: true}).Handshake() // the client's part goes on by itself
	turn := func() {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); srv.TLS().Counters.Started == 0; turn() {
		if time.Now().After(end) {
			t.Fatal("no handshake began")
		}
	}
	srv.Close()
	for range 10 {
		turn()
	}
	if s := srv.TLS(); s.InFlight()+s.Waiting() > 0 || srv.Len() > 0 {
		t.Errorf("after Close: %d handshakes in flight, %d waiting, %d streams; want none", s.InFlight(), s.Waiting(), srv.Len())
	}
}

// Handshakes may hold a quarter of the loop's account.
func TestHandshakesHaveAQuarterOfTheAccount(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	l, srv, _ := secureWorld(t, p, `"protocol":"raw"`, `"endpoint":"127.0.0.1","protocol":"raw"`)
	if _, err := srv.Create(ss.Info{StreamType: "srv"}); err != nil {
		t.Fatal(err)
	}
	if got, want := srv.TLS().Places(), int(l.Account().Ceiling()/4/(27<<10)); got != want || got < 500 {
		t.Errorf("places for handshakes: got %d, want %d, a quarter of %d bytes by 27 KiB each", got, want, l.Account().Ceiling())
	}
}

// One timer of the runtime puts idle sessions to sleep; it is stopped when all sessions sleep.
func TestSessionsFallAsleep(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	l, srv, _ := secureWorld(t, p, `"protocol":"raw"`, `"endpoint":"127.0.0.1","protocol":"raw"`)
	var at loop.Addr
	srv.Each(func(h *ss.Handle) { at, _ = h.Addr() })
	turn := func() {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.IP.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer := stdtls.Client(c, &stdtls.Config{InsecureSkipVerify: true})
	for naps := uint64(1); naps <= 2; naps++ {
		answer := make(chan error, 1)
		go func() {
			b := make([]byte, 4)
			_, err := peer.Write([]byte("ping"))
			if err == nil {
				_, err = io.ReadFull(peer, b)
			}
			answer <- err
		}()
		for end, done := time.Now().Add(10*time.Second), false; !done || srv.TLS().Counters.Slept < naps; turn() {
			select {
			case err := <-answer:
				if err != nil {
					t.Fatal(err)
				}
				done = true
			default:
			}
			if time.Now().After(end) {
				t.Fatalf("answered %v, counted %+v; want %d naps", done, srv.TLS().Counters, naps)
			}
		}
	}
	if n := srv.TLS().Counters; n.Woken < 3 || l.Stats().Timers > 1 {
		t.Errorf("woken %d, %d timers; want both directions twice, and none but the connection's", n.Woken, l.Stats().Timers)
	}
}
