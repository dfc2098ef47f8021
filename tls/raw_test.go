package tls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	stdtls "crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"testing"
	_ "unsafe" // for linkname

	"golang.org/x/crypto/chacha20poly1305"
)

// crypto/tls has no setting for TLS 1.3 suites, but these two variables are reachable.
//
//go:linkname suites13 crypto/tls.defaultCipherSuitesTLS13
var suites13 []uint16

//go:linkname suites13NoAES crypto/tls.defaultCipherSuitesTLS13NoAES
var suites13NoAES []uint16

// onlySuite restricts handshakes to one suite until the end of the test.
func onlySuite(t testing.TB, id uint16) {
	a, b := suites13, suites13NoAES
	suites13, suites13NoAES = []uint16{id}, []uint16{id}
	t.Cleanup(func() { suites13, suites13NoAES = a, b })
}

// raw is a TLS 1.3 peer after the handshake that can send any bytes. Its key schedule is independent of the one under
// test.
type raw struct {
	*rig
	suite   uint16
	in, out rawKeys
	buf     []byte
}

type rawKeys struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func (p *raw) derive(secret []byte, label string, n int) []byte {
	h := sha256.New
	if p.suite == stdtls.TLS_AES_256_GCM_SHA384 {
		h = sha512.New384
	}
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, fmt.Sprintf("%ctls13 %s\x00", 6+len(label), label)...)
	b, err := hkdf.Expand(func() hash.Hash { return h() }, secret, string(info), n)
	if err != nil {
		panic(err)
	}
	return b
}

func (p *raw) keys(secret []byte) rawKeys {
	n := 32
	if p.suite == stdtls.TLS_AES_128_GCM_SHA256 {
		n = 16
	}
	key := p.derive(secret, "key", n)
	k := rawKeys{secret: secret, iv: p.derive(secret, "iv", 12)}
	if p.suite == stdtls.TLS_CHACHA20_POLY1305_SHA256 {
		k.aead, _ = chacha20poly1305.New(key)
	} else {
		block, _ := aes.NewCipher(key)
		k.aead, _ = cipher.NewGCM(block)
	}
	return k
}

func (p *raw) next(k rawKeys) rawKeys {
	return p.keys(p.derive(k.secret, "traffic upd", len(k.secret)))
}

func (k *rawKeys) nonce() []byte {
	n := bytes.Clone(k.iv)
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^k.seq)
	k.seq++
	return n
}

// seal makes a record of an inner type with pad bytes of padding.
func (p *raw) seal(typ recordType, content []byte, pad int) []byte {
	return p.sealInner(append(append(bytes.Clone(content), byte(typ)), make([]byte, pad)...))
}

func (p *raw) sealInner(inner []byte) []byte {
	n := len(inner) + 16
	head := []byte{23, 3, 3, byte(n >> 8), byte(n)}
	return p.out.aead.Seal(head, p.out.nonce(), inner, head)
}

// message is the content of a record.
type message struct {
	typ     recordType
	content []byte
}

func (m message) String() string { return fmt.Sprintf("%v %x", m.typ, m.content) }

// received returns our messages since its last call, and applies KeyUpdates.
func (p *raw) received() (list []message) {
	p.t.Helper()
	p.low.Service()
	p.buf = append(p.buf, p.low.Out...)
	p.low.Out = p.low.Out[:0]
	for len(p.buf) >= 5 {
		n := 5 + int(binary.BigEndian.Uint16(p.buf[3:]))
		rec := p.buf[:n]
		p.buf = p.buf[n:]
		if rec[0] != 23 || n-5 > 16384+17 {
			p.t.Fatalf("we sent a record with header %x", rec[:5])
		}
		inner, err := p.in.aead.Open(nil, p.in.nonce(), rec[5:], rec[:5])
		if err != nil {
			p.t.Fatalf("our record number %d of %d bytes does not decrypt", p.in.seq-1, n)
		}
		m := message{recordType(inner[len(inner)-1]), inner[:len(inner)-1]}
		if m.typ == typeHandshake {
			if !bytes.Equal(m.content, []byte{24, 0, 0, 1, 0}) {
				p.t.Errorf("we sent handshake message %x, want a KeyUpdate that asks for none", m.content)
			}
			p.in = p.next(p.in)
		}
		list = append(list, m)
	}
	return list
}

// newRaw completes a handshake with crypto/tls and then takes over the connection.
func newRaw(t testing.TB, sh *Shared, suite uint16) *raw {
	t.Helper()
	onlySuite(t, suite)
	p := newRawOn(t, newServer(t, sh, nil))
	t.Cleanup(p.end)
	if p.suite != suite {
		t.Fatalf("suite: got %x, want %x", p.suite, suite)
	}
	return p
}

// newRawOn is newRaw with an existing server and any suite; the caller ends it.
func newRawOn(t testing.TB, v *Server) *raw {
	t.Helper()
	var log bytes.Buffer
	p := &raw{rig: serverRig(t, v, &stdtls.Config{KeyLogWriter: &log})}
	p.handshake()
	p.suite = p.m.ConnectionState().CipherSuite
	for _, line := range bytes.Split(log.Bytes(), []byte("\n")) {
		f := bytes.Fields(line)
		if len(f) != 3 {
			continue
		}
		secret, _ := hex.DecodeString(string(f[2]))
		switch string(f[0]) {
		case "CLIENT_TRAFFIC_SECRET_0":
			p.out = p.keys(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			p.in = p.keys(secret)
		}
	}
	return p
}
