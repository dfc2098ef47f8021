package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	stdtls "crypto/tls"
	"hash"

	// The standard library exports this AEAD only through crypto/tls.
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

// suiteOf returns the index of a suite in suites, or -1.
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

// direction is the stored state of one direction of the record layer. Key and IV follow from the secret, but deriving
// them takes ten times as long as expanding the key, and would be necessary at every waking. The secret is separate
// from the fields that every record needs.
type direction struct {
	seq    uint64 // of the next record
	keys   trafficKeys
	secret [maxSecret]byte // application_traffic_secret_N; only the first suite.secret bytes are used
}

// trafficKeys are derived from a traffic secret (RFC 8446 s.7.3). The suite determines the length of key.
type trafficKeys struct {
	key [32]byte
	iv  [ivLen]byte
}

// derive derives the keys of a traffic secret.
func (c *suite) derive(secret []byte) (k trafficKeys) {
	m := hmac.New(c.hash, secret[:c.secret])
	expand(m, "key", k.key[:c.key])
	expand(m, "iv", k.iv[:])
	return k
}

// set starts with a secret, whose keys are k.
func (d *direction) set(secret *[maxSecret]byte, k *trafficKeys) {
	d.secret, d.keys, d.seq = *secret, *k, 0
}

// update replaces the secret by the next one (RFC 8446 s.7.2).
func (d *direction) update(c *suite) {
	var next [maxSecret]byte
	expand(hmac.New(c.hash, d.secret[:c.secret]), "traffic upd", next[:c.secret])
	k := c.derive(next[:])
	d.set(&next, &k)
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 s.7.1) for the secret that is the key of m. dst is
// never longer than the hash, so it is the start of HKDF-Expand's first block (RFC 5869 s.2.3). This code is inlined
// so that one keyed HMAC serves for key and IV.
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

// cipherState has the expanded keys of a direction. aead is nil if they are not expanded.
type cipherState struct {
	aead cipher.AEAD
	iv   [ivLen]byte
}

// expand creates the AEAD.
func (h *cipherState) expand(c *suite, k *trafficKeys) {
	aead, err := c.aead(k.key[:c.key])
	if err != nil {
		panic("tls: expand keys: " + err.Error()) // only for a key of wrong length
	}
	h.aead, h.iv = aead, k.iv
}

func (h *cipherState) wipe() { *h = cipherState{} }

// nonce writes the nonce of record seq to n (RFC 8446 s.5.3).
func (h *cipherState) nonce(n *[ivLen]byte, seq uint64) {
	*n = h.iv
	for i := range 8 {
		n[ivLen-1-i] ^= byte(seq >> (8 * i))
	}
}
