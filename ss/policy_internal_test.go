package ss

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
)

// TestPolicyIsReplaced: a runtime whose policy is replaced many times keeps only what the policy in force, and the
// streams that still exist, need. Each policy has a trust store of its own and a TLS client, of whose streams one in ten
// survives its policy.
func TestPolicyIsReplaced(t *testing.T) {
	runtime.LockOSThread()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(i int) *policy.Policy {
		p, err := policy.Parse(fmt.Appendf(nil, `{"certs":[{"ca":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],"s":[
			{"cli":{"endpoint":"10.0.0.2","port":%d,"protocol":"h1","tls":true,"tls_trust_store":"lab","opportunistic":true}}]}`,
			base64.StdEncoding.EncodeToString(der), 1000+i))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	net := sim.New(1, sim.Options{})
	net.Host("peer", netip.MustParseAddr("10.0.0.2")) // refuses
	l := loop.New(net.Host("device", netip.MustParseAddr("10.0.0.1")), loop.Config{})
	r, err := New(Config{Loop: l, Policy: parse(0), PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	settle := func() {
		t.Helper()
		over := false
		net.At(time.Millisecond, func() { over = true })
		if err := net.Run(func() bool { return over }, time.Hour, l); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(when string, policies int) {
		t.Helper()
		stores, clients, _ := r.contexts().Len()
		if len(r.streamTypes) > policies || stores > policies || clients > policies {
			t.Fatalf("%s: %d stream types, %d trust stores, %d TLS clients kept; want at most %d of each",
				when, len(r.streamTypes), stores, clients, policies)
		}
		if len(r.streamTypes) == 0 || stores == 0 || clients == 0 {
			t.Fatalf("%s: %d stream types, %d trust stores, %d TLS clients kept; want those in use", when, len(r.streamTypes), stores, clients)
		}
	}
	var survivors []*Handle
	for i := range 200 {
		if i > 0 {
			r.SetPolicy(parse(i))
		}
		h, err := r.Create(Info{StreamType: "cli"})
		if err != nil {
			t.Fatal(err)
		}
		if h.Policy().Port != uint16(1000+i) {
			t.Fatalf("a stream created after policy %d: port %d, want %d", i, h.Policy().Port, 1000+i)
		}
		h.Connect()
		settle()
		if i%10 == 9 {
			survivors = append(survivors, h)
		} else {
			h.Destroy()
		}
		settle()
		kept(fmt.Sprintf("policy %d", i), 1+len(survivors))
	}
	for i, h := range survivors {
		if want := uint16(1000 + 10*i + 9); h.Policy().Port != want {
			t.Errorf("survivor %d: port %d, want its own policy's %d", i, h.Policy().Port, want)
		}
		h.Connect() // makes its context anew if that is gone
		settle()
	}
	kept("with the survivors", 1+len(survivors))
	for i, h := range survivors {
		h.Destroy()
		settle()
		kept(fmt.Sprintf("without %d survivors", i+1), len(survivors)-i)
	}
	if stores, clients, _ := r.contexts().Len(); len(r.streamTypes) != 1 || stores != 1 || clients != 1 {
		t.Errorf("at the end: %d stream types, %d trust stores, %d TLS clients; want one of each", len(r.streamTypes), stores, clients)
	}
	r.Close()
}
