package gen

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Record content types (RFC 8446 s.5.1) and sizes (s.5.2).
const (
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23

	recordHead    = 5
	recordPayload = 1 << 14
	recordMax     = recordHead + recordPayload + 256
)

// channel is a client's record layer after a TLS 1.3 handshake with AES-128-GCM. crypto/tls's own record layer needs
// a buffer per connection and several times the processor time, and blocks.
type channel struct {
	in, out half
	rest    []byte // the start of an incomplete record
}

// half is one direction's keys.
type half struct {
	key  [16]byte
	iv   [12]byte
	seq  uint64
	aead cipher.AEAD // nil while the connection is idle
}

// newHalf derives keys from a traffic secret (RFC 8446 s.7.3).
func newHalf(secret []byte) (h half, err error) {
	if err = expandLabel(h.key[:], secret, "key"); err == nil {
		err = expandLabel(h.iv[:], secret, "iv")
	}
	return h, err
}

// expandLabel is HKDF-Expand-Label without context (RFC 8446 s.7.1).
func expandLabel(out, secret []byte, label string) error {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(len(out)))
	info = append(append(append(info, byte(len(label))), label...), 0)
	b, err := hkdf.Expand(sha256.New, secret, string(info), len(out))
	copy(out, b)
	return err
}

// wake expands the keys of both directions, rest frees that memory.
func (c *channel) wake() error {
	for _, h := range []*half{&c.in, &c.out} {
		if h.aead != nil {
			continue
		}
		block, err := aes.NewCipher(h.key[:])
		if err == nil {
			h.aead, err = cipher.NewGCM(block)
		}
		if err != nil {
			return fmt.Errorf("expand the keys: %w", err)
		}
	}
	return nil
}

func (c *channel) sleep() { c.in.aead, c.out.aead, c.rest = nil, nil, nil }

// nonce returns the nonce of the next record (RFC 8446 s.5.3).
func (h *half) nonce() (n [12]byte) {
	n = h.iv
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^h.seq)
	h.seq++
	return n
}

// seal appends plain as one record to dst. plain is at most recordPayload long.
func (c *channel) seal(dst, plain []byte) []byte {
	at := len(dst)
	dst = append(dst, typeData, 3, 3, 0, 0)
	binary.BigEndian.PutUint16(dst[at+3:], uint16(len(plain)+1+c.out.aead.Overhead()))
	dst = append(append(dst, plain...), typeData)
	n := c.out.nonce()
	body := at + recordHead
	return c.out.aead.Seal(dst[:body], n[:], dst[body:], dst[at:body])
}

// open decrypts the first record of b in place. used is 0 if the record is incomplete. plain is
// empty for records without data: session tickets, which the generator discards here.
func (c *channel) open(b []byte) (plain []byte, used int, err error) {
	if len(b) < recordHead {
		return nil, 0, nil
	}
	used = recordHead + int(binary.BigEndian.Uint16(b[3:]))
	if used > recordMax {
		return nil, 0, fmt.Errorf("record of %d bytes is too long", used)
	}
	if len(b) < used {
		return nil, 0, nil
	}
	n := c.in.nonce()
	plain, err = c.in.aead.Open(b[recordHead:recordHead], n[:], b[recordHead:used], b[:recordHead])
	if err != nil {
		return nil, 0, fmt.Errorf("record %d of %d bytes: %w", c.in.seq-1, used, err)
	}
	end := len(plain)
	for end > 0 && plain[end-1] == 0 {
		end--
	}
	if end == 0 {
		return nil, 0, errors.New("a record without a type")
	}
	switch kind, plain := plain[end-1], plain[:end-1]; kind {
	case typeData:
		return plain, used, nil
	case typeHandshake:
		return nil, used, nil
	case typeAlert:
		return nil, 0, fmt.Errorf("alert % x", plain)
	default:
		return nil, 0, fmt.Errorf("unexpected record of type %d", kind)
	}
}

// inflow reads and decrypts ciphertext; all connections of a generator share it.
type inflow struct{ buf []byte }

// inflowSize is several full records, which amortise one system call.
const inflowSize = 4 * recordMax

// taker receives the plaintext of records.
type taker interface {
	// take receives the next bytes of the stream. full reports that the response is complete.
	take(k *conn, b []byte) (full bool, err error)
}

// read empties k's socket into t, up to the end of a response. Bytes after it are an error, since no request is
// open.
func (f *inflow) read(k *conn, t taker) (full bool, err error) {
	if f.buf == nil {
		f.buf = make([]byte, inflowSize)
	}
	for {
		have := copy(f.buf, k.tls.rest)
		n, err := receive(k, f.buf[have:])
		if err != nil {
			return false, err
		}
		if n == 0 {
			return full, nil
		}
		b := f.buf[:have+n]
		for {
			plain, used, err := k.tls.open(b)
			if err != nil {
				return false, fmt.Errorf("read response: %w", err)
			}
			if used == 0 {
				break
			}
			b = b[used:]
			if len(plain) == 0 {
				continue
			}
			if full {
				return false, fmt.Errorf("wrong response: %d bytes after its end: %.100q", len(plain), plain)
			}
			if full, err = t.take(k, plain); err != nil {
				return false, err
			}
		}
		k.tls.rest = append(k.tls.rest[:0], b...)
		if have+n < len(f.buf) {
			return full, nil
		}
	}
}
