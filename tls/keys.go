package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	stdtls "crypto/tls"
	"hash"

	// The standard library has this AEAD only inside of crypto/tls.
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	maxSecret = sha512.Size384
	tagLen    = 16 // of every AEAD below
	ivLen     = 12
)

// suite is a TLS 1.3 cipher suite (RFC 8446 s.B.4).
type suite struct {
	id     uint16
	hash   func() hash.Hash
	secret int // length of a traffic secret: the hash's
	key    int
	aead   func(key []byte) (cipher.AEAD, error)
}

var suites = [...]suite{
	{stdtls.TLS_AES_128_GCM_SHA256, sha256.New, sha256.Size, 16, newGCM},
	{stdtls.TLS_AES_256_GCM_SHA384, sha512.New384, sha512.Size384, 32, newGCM},
	{stdtls.TLS_CHACHA20_POLY1305_SHA256, sha256.New, sha256.Size, 32, chacha20poly1305.New},
}

// suiteOf returns the index of a suite, or -1.
func suiteOf(id uint16) int {
	for i := range suites {
		if suites[i].id == id {
			return i
		}
	}
	return -1
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// direction is one direction of the record layer: all that must be kept of it. The key and IV follow from
// the secret, but to derive them takes ten times as long as to expand them, and is due at each waking. The
// secret stands apart from what a record needs.
type direction struct {
	seq    uint64 // of the next record
	keys   trafficKeys
	secret [maxSecret]byte // application_traffic_secret_N; the suite says how much of it counts
}

// trafficKeys are what RFC 8446 s.7.3 makes of a traffic secret; the suite says how much of key counts.
type trafficKeys struct {
	key [32]byte
	iv  [ivLen]byte
}

// derive makes the keys of a traffic secret.
func (c *suite) derive(secret []byte) (k trafficKeys) {
	m := hmac.New(c.hash, secret[:c.secret])
	expand(m, "key", k.key[:c.key])
	expand(m, "iv", k.iv[:])
	return k
}

// set begins with a secret, whose keys are k.
func (d *direction) set(secret *[maxSecret]byte, k *trafficKeys) {
	d.secret, d.keys, d.seq = *secret, *k, 0
}

// update replaces the secret by its successor (RFC 8446 s.7.2).
func (d *direction) update(c *suite) {
	var next [maxSecret]byte
	expand(hmac.New(c.hash, d.secret[:c.secret]), "traffic upd", next[:c.secret])
	k := c.derive(next[:])
	d.set(&next, &k)
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 s.7.1), from the secret by which m is keyed.
// dst is never longer than the hash, so it is the start of HKDF-Expand's first block (RFC 5869 s.2.3):
// written out here, since one keyed HMAC then serves for key and IV.
func expand(m hash.Hash, label string, dst []byte) {
	var space [48]byte
	n := len(dst)
	b := append(space[:0], byte(n>>8), byte(n), byte(len("tls13 ")+len(label)))
	b = append(b, "tls13 "...)
	b = append(b, label...)
	b = append(b, 0, 1) // no context; block 1
	m.Reset()
	m.Write(b)
	out := m.Sum(b[:0])
	copy(dst, out)
	clear(out)
}

// half holds the expanded keys of a direction. aead is nil while they are not.
type half struct {
	aead cipher.AEAD
	iv   [ivLen]byte
}

// expand makes the AEAD.
func (h *half) expand(c *suite, k *trafficKeys) {
	aead, err := c.aead(k.key[:c.key])
	if err != nil {
		panic("tls: expand keys: " + err.Error()) // only for a key of the wrong length
	}
	h.aead, h.iv = aead, k.iv
}

func (h *half) wipe() { *h = half{} }

// nonce writes the nonce of record seq to n (RFC 8446 s.5.3).
func (h *half) nonce(n *[ivLen]byte, seq uint64) {
	*n = h.iv
	for i := range 8 {
		n[ivLen-1-i] ^= byte(seq >> (8 * i))
	}
}
