package gen

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The server's handshake keys of RFC 8448 s.3.
func TestHalfDerivesKeys(t *testing.T) {
	h, err := newHalf(unhex(t, "b6 7b 7d 69 0c c1 6c 4e 75 e5 42 13 cb 2d 37 b4 e9 c9 12 bc de d9 10 5d 42 be fd 59 d3 91 ad 38"))
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "3f ce 51 60 09 c2 17 27 d0 f2 e4 e8 6e e4 03 bc"); !bytes.Equal(h.key[:], want) {
		t.Errorf("key: got % x, want % x", h.key, want)
	}
	if want := unhex(t, "5d 31 3e b2 67 12 76 ee 13 00 0b 30"); !bytes.Equal(h.iv[:], want) {
		t.Errorf("iv: got % x, want % x", h.iv, want)
	}
}

// pair is two connected channels.
func pair(t *testing.T) (a, b *channel) {
	t.Helper()
	x, err := newHalf([]byte("one secret"))
	if err != nil {
		t.Fatal(err)
	}
	y, err := newHalf([]byte("another"))
	if err != nil {
		t.Fatal(err)
	}
	a, b = &channel{in: x, out: y}, &channel{in: y, out: x}
	for _, c := range []*channel{a, b} {
		if err := c.wake(); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// Records arrive in order, also when both ends rest between them.
func TestChannel(t *testing.T) {
	a, b := pair(t)
	for i, s := range []string{"hello", strings.Repeat("x", recordPayload), "again"} {
		sealed := a.seal(nil, []byte(s))
		for _, cut := range []int{0, 3, recordHead, len(sealed) - 1} {
			if plain, used, err := b.open(sealed[:cut]); plain != nil || used != 0 || err != nil {
				t.Errorf("record %d, %d of its %d bytes: got %q, used %d, %v", i, cut, len(sealed), plain, used, err)
			}
		}
		plain, used, err := b.open(append(sealed, "more"...))
		if err != nil || used != len(sealed) || string(plain) != s {
			t.Errorf("record %d: got %.20q, used %d, %v; want %.20q, used %d", i, plain, used, err, s, len(sealed))
		}
		a.sleep()
		b.sleep()
		for _, c := range []*channel{a, b} {
			if err := c.wake(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// inner encrypts a given inner plaintext: content, type, padding.
func (c *channel) inner(plain []byte) []byte {
	head := []byte{typeData, 3, 3, 0, byte(len(plain) + 16)}
	n := c.out.nonce()
	return c.out.aead.Seal(head, n[:], plain, head)
}

func TestChannelJudges(t *testing.T) {
	for _, tc := range []struct {
		name  string
		inner string
		spoil func(b []byte) []byte
		want  string // in the error; empty for a valid record
		plain string
	}{
		{name: "padding", inner: "data\x17\x00\x00", plain: "data"},
		{name: "a ticket", inner: "\x04ticket\x16"},
		{name: "close_notify", inner: "\x01\x00\x15", want: "alert 01 00"},
		{name: "unknown type", inner: "data\x42", want: "type 66"},
		{name: "no type", inner: "\x00\x00", want: "without a type"},
		{name: "flipped bit", inner: "data\x17", spoil: func(b []byte) []byte { b[7] ^= 1; return b }, want: "authentication"},
		{name: "too long", inner: "data\x17", spoil: func(b []byte) []byte { b[3] = 0xff; return b }, want: "is too long"},
	} {
		a, b := pair(t)
		sealed := a.inner([]byte(tc.inner))
		whole := len(sealed)
		if tc.spoil != nil {
			sealed = tc.spoil(sealed)
		}
		plain, used, err := b.open(sealed)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %q, %v; want an error with %q", tc.name, plain, err, tc.want)
			}
		} else if err != nil || string(plain) != tc.plain || used != whole {
			t.Errorf("%s: got %q, used %d, %v; want %q, used %d", tc.name, plain, used, err, tc.plain, whole)
		}
	}
}
